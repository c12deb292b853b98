//! Columns that no record has.

use std::collections::HashSet;

use super::open_input::InputInfo;
use crate::label::columns::leads_into;
use crate::label::records::{Names, Notice, did_you_mean, in_quotes, shown};

/// Warns of each column that these inputs lack. If no more columns can follow, a missing one is refused.
///
/// `all`: there are no other inputs. `flag`: the setting that names the columns, or `None` for the default. `input`: the
/// name of the only input that is looked at.
pub(super) fn missing_columns(
    infos: &[InputInfo],
    all: bool,
    flag: Option<&str>,
    columns: &[String],
    input: Option<&str>,
) -> Result<Vec<Notice>, Notice> {
    let whole = all && infos.iter().all(|info| info.seen.whole);
    let mut known = HashSet::new();
    let names = infos.iter().flat_map(|info| &info.seen.names).map(String::as_str);
    let names: Vec<&str> = names.filter(|name| known.insert(*name)).collect();
    let mut warnings = Vec::new();
    // Without a record to look at, no column is known to be missing.
    let is_known = |column: &str| known.contains(column) || leads_into(column, names.iter().copied());
    for column in columns.iter().filter(|column| !names.is_empty() && !is_known(column)) {
        let (quoted, found, there) = (in_quotes(column), shown(&names, false), Names::Object(&names));
        let near = || there.near(column).map(|near| did_you_mean(&in_quotes(near)));
        let (by, hint) = match flag {
            None => (String::new(), Some(there.hint(column))),
            Some(flag) => (format!(", which {flag} names"), near()),
        };
        let begin = match (input, whole) {
            (Some(input), true) => format!("{input} has no column {quoted}"),
            (Some(input), false) => format!("{input}: no record so far has the column {quoted}"),
            (None, true) => format!("no record has the column {quoted}"),
            (None, false) => format!("no record so far has the column {quoted}"),
        };
        let mut notice = Notice::new(format!("{begin}{by}. Columns: {found}"));
        notice.hint = hint;
        if whole {
            return Err(notice);
        }
        warnings.push(notice);
    }
    Ok(warnings)
}
