//! Exit codes. They are an interface: see the table in docs/reference.md.

use magistrate::calibration::certificate::Decision;
use magistrate::label::row::{Row, RowVerdict, Status};
use magistrate::label::summary::{StopReason, Summary};
use magistrate::policy::Verdict;

pub const SAFE: u8 = 0;
pub const VIOLATION: u8 = 1;
pub const ERROR: u8 = 2;
pub const UNDECIDED: u8 = 3;
/// The work is done. `label`: every row has a verdict, safe or not.
pub const DONE: u8 = 0;
/// `label --only`, like grep: some input lines were printed.
pub const FOUND: u8 = 0;
/// `label --only`, like grep: no input line was printed.
pub const NONE_FOUND: u8 = 1;
/// `verify`: some verdicts differ from the earlier ones. `model verify`: the store has another digest. `policy diff`: the
/// policies differ.
pub const DIFFERENT: u8 = 1;
/// `eval`: a gate was not passed. `policy lint`: an error. `model fit`: a model that does not fit. `doctor`: a problem.
pub const FINDING: u8 = 1;
/// The code of shells for SIGINT.
pub const STOPPED: u8 = 130;

/// Returns the code of several rows.
pub fn of_rows(rows: &[Row]) -> u8 {
    of_several(rows.iter().map(|row| of_one(row.status, row.verdict, row.decision)))
}

/// Returns the code of a run: as grep's if input lines are printed, else by whether every row has a verdict.
pub fn of_run(summary: &Summary, only: Option<RowVerdict>) -> u8 {
    let undecided = summary.of(RowVerdict::Undecided) > 0;
    match (summary.ended, only) {
        (Some(StopReason::Stopped), _) => STOPPED,
        (None, None) if undecided => UNDECIDED,
        // A reader such as `head` closes the pipe when it has enough.
        (Some(StopReason::Closed), _) | (None, None) => DONE,
        (None, Some(_)) if summary.written > 0 => FOUND,
        // An absence is known only if all were judged.
        (None, Some(_)) if undecided => ERROR,
        (None, Some(_)) => NONE_FOUND,
    }
}

fn of_one(status: Status, verdict: Option<Verdict>, decision: Option<Decision>) -> u8 {
    match (status, verdict) {
        (Status::Ok, Some(_)) if decision == Some(Decision::Review) => UNDECIDED,
        (Status::Ok, Some(Verdict::Safe)) => SAFE,
        (Status::Ok, Some(Verdict::Violation)) => VIOLATION,
        (Status::Ok, Some(Verdict::Review)) | (Status::Unresolved, _) => UNDECIDED,
        (Status::Error, _) | (Status::Ok, None) => ERROR,
    }
}

/// Returns the most serious code: an error, then undecided, a violation and safe. No code at all is an error.
fn of_several(codes: impl Iterator<Item = u8>) -> u8 {
    let rank = |code: &u8| [SAFE, VIOLATION, UNDECIDED, ERROR].iter().position(|other| other == code);
    codes.max_by_key(rank).unwrap_or(ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_verdict_of_safe_exits_0() {
        for verdict in [None, Some(Verdict::Safe), Some(Verdict::Violation), Some(Verdict::Review)] {
            for decision in [None, Some(Decision::Auto), Some(Decision::Review)] {
                assert_eq!(of_one(Status::Unresolved, verdict, decision), 3);
                assert_eq!(of_one(Status::Error, verdict, decision), 2);
            }
        }
        for verdict in [Verdict::Safe, Verdict::Violation, Verdict::Review] {
            assert_eq!(of_one(Status::Ok, Some(verdict), Some(Decision::Review)), 3);
            assert_eq!(
                of_one(Status::Ok, Some(verdict), Some(Decision::Auto)),
                of_one(Status::Ok, Some(verdict), None)
            );
        }
        let ok = |verdict| of_one(Status::Ok, verdict, None);
        assert_eq!(ok(Some(Verdict::Safe)), 0);
        assert_eq!(ok(Some(Verdict::Violation)), 1);
        assert_eq!(ok(Some(Verdict::Review)), 3);
        assert_eq!(ok(None), 2);
    }

    #[test]
    fn of_several_2_comes_before_3_before_1_before_0() {
        let order = [2, 3, 1, 0];
        for (place, &code) in order.iter().enumerate() {
            for &later in &order[place..] {
                assert_eq!(of_several([code, later].into_iter()), code);
                assert_eq!(of_several([later, later, code].into_iter()), code);
            }
        }
        assert_eq!(of_several(std::iter::empty()), 2);
    }
}
