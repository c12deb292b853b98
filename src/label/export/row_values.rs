//! The values of a row in the JSON of a journal, found by their paths without a copy.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of a JSON object, in order. Empty for anything else. No name of a row's field has an escape.
#[derive(Default)]
pub(super) struct RowValues<'json>(Vec<(&'json str, &'json RawValue)>);

impl<'json> RowValues<'json> {
    /// Reads an object.
    pub fn of(json: &'json RawValue) -> Self {
        serde_json::from_str(json.get()).unwrap_or_default()
    }

    /// Returns the value at a path, such as `error.code`.
    pub fn at(&self, path: &str) -> Option<&'json RawValue> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let (_, value) = self.0.iter().find(|(other, _)| *other == name)?;
        match rest {
            None => Some(value),
            Some(rest) => Self::of(value).at(rest),
        }
    }
}

impl<'de> Deserialize<'de> for RowValues<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = RowValues<'de>;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RowValues<'de>, A::Error> {
                let mut values = Vec::with_capacity(32);
                while let Some(value) = entries.next_entry()? {
                    values.push(value);
                }
                Ok(RowValues(values))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_path() {
        let json = r#"{"verdict":"safe","error":{"code":"x\"y","hint":null},"mass":0.50}"#;
        let json = RawValue::from_string(json.to_owned()).unwrap();
        let values = RowValues::of(&json);
        let at = |path: &str| values.at(path).map(RawValue::get);
        assert_eq!((at("verdict"), at("mass"), at("error.code")), (Some("\"safe\""), Some("0.50"), Some(r#""x\"y""#)));
        assert_eq!((at("error.hint"), at("error.none"), at("none"), at("mass.x")), (Some("null"), None, None, None));
    }
}
