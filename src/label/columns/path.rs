//! Paths into the values of columns: `post.text`, and `posts.0.text` for an element of a list.

use serde_json::value::RawValue;

use super::Columns;

/// The value at a path.
pub enum Found<'columns> {
    /// A column of this name.
    Column(&'columns RawValue),
    /// A value within a column.
    Inner(Box<RawValue>),
}

impl Found<'_> {
    /// Returns the value.
    #[must_use]
    pub fn value(&self) -> &RawValue {
        match self {
            Self::Column(value) => value,
            Self::Inner(value) => value,
        }
    }
}

impl Columns {
    /// Returns the value of the last column with this name. Without such a column the name is a path: names of objects
    /// and numbers of lists, from 0, between dots.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Found<'_>> {
        if let Some(value) = self.named(path).last() {
            return Some(Found::Column(value));
        }
        let within = |(name, rest): (&str, &str)| within(self.named(name).last()?, rest);
        divisions(path).find_map(within).map(Found::Inner)
    }

    /// Reports whether a value is at a path, or another value of the same name stands beside it there.
    #[must_use]
    pub fn is_twice(&self, path: &str) -> bool {
        if self.named(path).next().is_some() {
            return self.named(path).nth(1).is_some();
        }
        divisions(path).any(|(name, rest)| {
            let inner = || object(self.named(name).last()?);
            self.named(name).nth(1).is_some() || inner().is_some_and(|inner| inner.is_twice(rest))
        })
    }
}

/// Reports whether a path may lead into one of these columns.
pub fn leads_into<'name>(path: &str, mut names: impl Iterator<Item = &'name str>) -> bool {
    names.any(|name| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// Returns the value at a path that begins within this value.
fn within(value: &RawValue, path: &str) -> Option<Box<RawValue>> {
    match value.get().as_bytes().first()? {
        b'{' => match object(value)?.at(path)? {
            Found::Column(value) => Some(value.to_owned()),
            Found::Inner(value) => Some(value),
        },
        b'[' => {
            let (number, rest) = path.split_once('.').map_or((path, None), |(number, rest)| (number, Some(rest)));
            let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            let element = *elements.get(number.parse::<usize>().ok()?)?;
            rest.map_or_else(|| Some(element.to_owned()), |rest| within(element, rest))
        }
        _ => None,
    }
}

fn object(value: &RawValue) -> Option<Columns> {
    serde_json::from_str(value.get()).ok()
}

/// Returns each way to divide a path into a name and the rest.
fn divisions(path: &str) -> impl Iterator<Item = (&str, &str)> {
    path.match_indices('.').map(|(at, _)| (&path[..at], &path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_objects_and_lists_and_a_columns_own_name_comes_first() {
        let columns: Columns = serde_json::from_str(
            r#"{"post":{"text":"a","author":{"name":"b"},"x.y":7},"post.text":"own","list":[{"t":"c"},"d"],"s":"text"}"#,
        )
        .unwrap();
        let at = |path: &str| columns.at(path).map(|found| found.value().get().to_owned());
        for (path, expect) in [
            ("post.text", "\"own\""),
            ("post.author.name", "\"b\""),
            ("post.x.y", "7"),
            ("list.0.t", "\"c\""),
            ("list.1", "\"d\""),
        ] {
            assert_eq!(at(path).as_deref(), Some(expect), "{path}");
        }
        for missing in ["post.", ".post", "post.title", "list.2", "list.x", "list.1.t", "s.length", "none", ""] {
            assert_eq!(at(missing), None, "{missing}");
        }
    }

    #[test]
    fn a_name_that_is_twice_there_is_found_at_every_depth() {
        let columns: Columns = serde_json::from_str(r#"{"a":{"b":1,"b":2,"c":3},"d":1,"d":2}"#).unwrap();
        for (path, twice) in [("a.b", true), ("a.c", false), ("d", true), ("a", false), ("d.x", true)] {
            assert_eq!(columns.is_twice(path), twice, "{path}");
        }
    }
}
