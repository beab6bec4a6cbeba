//! Differences between the record and the existing objects: drift.

use serde_json::Value as Json;
use tandem_model::graph::Key;
use tandem_model::ownership::{INSTANCE, KEY, STATUS};

/// A difference between a recorded object and the existing one.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// The object does not exist.
    Missing,
    /// A field has another value.
    Field {
        /// The name of the field.
        name: String,
        /// The values, as far as they may be shown. They are not recorded.
        values: Values,
    },
    /// The object does not carry the instance of this state.
    OtherInstance {
        /// The instance of this state.
        instance: String,
    },
    /// The object does not carry its key in its tag.
    Unlabeled {
        /// The key that it carries. It is not recorded.
        found: Option<String>,
    },
    /// The anchor carries the status of an apply that did not end.
    Unfinished,
    /// The anchor carries the status of an apply whose state was not saved.
    OfAnotherApply,
}

/// The recorded and the existing value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// They are not shown, or not known any more.
    Hidden,
    /// A map of secrets differs at these names.
    HiddenAt(Vec<String>),
    /// Both values; `None` if the field is not set.
    Shown {
        /// The existing value.
        is: Option<Json>,
        /// The recorded value.
        should: Option<Json>,
    },
}

impl Difference {
    /// The line for the user about the object with this key.
    pub fn line(&self, key: &Key) -> String {
        match self {
            Self::Missing => format!("{key} is missing"),
            Self::Field { name, values } => match values {
                Values::Hidden => format!("{key}: {name} is changed"),
                Values::HiddenAt(names) => {
                    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                    format!("{key}: {name} is changed at {}", names.join(", "))
                }
                Values::Shown { is: Some(is), should: Some(should) } => {
                    format!("{key}: {name} is {is}, should be {should}")
                }
                Values::Shown { is: None, should: Some(should) } => {
                    format!("{key}: {name} is not set, should be {should}")
                }
                Values::Shown { is, should: None } => format!(
                    "{key}: {name} is {}, should not be set",
                    is.as_ref().map(ToString::to_string).unwrap_or_default()
                ),
            },
            Self::OtherInstance { instance } => {
                format!("{key}: tag `{INSTANCE}` is not `{instance}`: another state may own the object")
            }
            Self::Unlabeled { found: None } => {
                format!("{key}: tag `{KEY}` is not set; the next apply sets it")
            }
            Self::Unlabeled { found: Some(found) } => {
                format!("{key}: tag `{KEY}` is `{found}`; the next apply sets `{key}`")
            }
            Self::Unfinished => format!(
                "{key}: tag `{STATUS}` was written by an apply that did not end; the next apply completes it"
            ),
            Self::OfAnotherApply => format!(
                "{key}: tag `{STATUS}` was written by an apply whose state was not saved; the next apply \
                 reconciles it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_has_a_line() {
        let field = |values| Difference::Field { name: "size".to_owned(), values };
        let shown = |is: Option<Json>, should: Option<Json>| field(Values::Shown { is, should });
        for (difference, line) in [
            (Difference::Missing, "a.b is missing"),
            (field(Values::Hidden), "a.b: size is changed"),
            (
                field(Values::HiddenAt(vec!["A".to_owned(), "B".to_owned()])),
                "a.b: size is changed at \"A\", \"B\"",
            ),
            (shown(Some(json!(1)), Some(json!(2))), "a.b: size is 1, should be 2"),
            (shown(None, Some(json!("x"))), "a.b: size is not set, should be \"x\""),
            (shown(Some(json!(1)), None), "a.b: size is 1, should not be set"),
            (
                Difference::OtherInstance { instance: "i".to_owned() },
                "a.b: tag `tandem:instance` is not `i`: another state may own the object",
            ),
            (
                Difference::Unlabeled { found: Some("a.c".to_owned()) },
                "a.b: tag `tandem:key` is `a.c`; the next apply sets `a.b`",
            ),
            (
                Difference::Unlabeled { found: None },
                "a.b: tag `tandem:key` is not set; the next apply sets it",
            ),
            (
                Difference::Unfinished,
                "a.b: tag `tandem:status` was written by an apply that did not end; the next apply completes it",
            ),
            (
                Difference::OfAnotherApply,
                "a.b: tag `tandem:status` was written by an apply whose state was not saved; the next apply \
                 reconciles it",
            ),
        ] {
            assert_eq!(difference.line(&Key::from("a.b")), line);
        }
    }
}
