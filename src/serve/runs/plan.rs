//! The plan of a run: the time that it should take, from what was measured on this server.

use schemars::JsonSchema;
use serde::Serialize;

use super::record::Order;
use super::shown::{RunNow, seconds};

/// The plan of a run.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// The number of rows. Null if they were not counted.
    pub rows: Option<u64>,
    /// The seconds that they should take. Null if nothing was measured.
    pub seconds: Option<u64>,
    /// The basis of the estimate, in words.
    pub basis: String,
}

impl Plan {
    /// Plans a run. `others` are the runs of the server, the newest first, and `verdicts` its verdicts a second.
    #[must_use]
    pub fn of(rows: Option<u64>, order: &Order, others: &[RunNow], verdicts: Option<f64>) -> Self {
        let is_alike = |now: &&RunNow| {
            let other = now.record.order.as_ref();
            other.is_some_and(|other| other.effort == order.effort && other.has_policies_of(order))
        };
        let measured = others.iter().filter(is_alike).find_map(RunNow::rate);
        #[allow(clippy::cast_precision_loss, reason = "a server has few policies")]
        let policies = order.policies.len().max(1) as f64;
        let (rate, basis) = match (measured, verdicts) {
            (Some(rate), _) => (Some(rate), "measured in an earlier run with these policies and this effort"),
            (None, Some(rate)) => {
                (Some(rate / policies), "measured on the last texts of this server, of any policy and effort")
            }
            (None, None) => (None, "nothing was measured yet; the first rows of the run give an estimate"),
        };
        let basis = if rows.is_none() { "the rows of this file were not counted" } else { basis };
        Self { rows, seconds: rows.zip(rate).and_then(|(rows, rate)| seconds(rows, rate)), basis: basis.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_its_basis_and_knows_no_time_without_one() {
        let order = Order { policies: Vec::new(), text_column: None, effort: None, threshold: None };
        let plan = Plan::of(Some(100), &order, &[], None);
        assert_eq!((plan.rows, plan.seconds), (Some(100), None));
        assert!(plan.basis.starts_with("nothing was measured yet"));
        let plan = Plan::of(Some(100), &order, &[], Some(8.0));
        assert_eq!((plan.seconds, plan.basis.contains("any policy")), (Some(13), true));
        assert_eq!(Plan::of(None, &order, &[], Some(8.0)).seconds, None);
    }
}
