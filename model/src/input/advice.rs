//! Advice for a wrong value: the help text of a finding, with the corrected value where it is known.

use super::{Bounds, Field, Reader, Rule, Shape};
use crate::value::Value;

/// An example of a block in the syntax of a spec. It contains the required fields, or the first field if none
/// is required.
pub(super) fn example(fields: &[Field], first: Option<&str>) -> String {
    let shown: Vec<&Field> = fields.iter().filter(|field| field.must_be_set()).collect();
    let shown = if shown.is_empty() { fields.iter().take(1).collect() } else { shown };
    let values = shown.iter().enumerate().map(|(position, field)| {
        let value = match (first.filter(|_| position == 0), field.rule) {
            (Some(value), _) => value.to_owned(),
            (None, Some(Rule::OneOf([value, ..]))) => (*value).to_owned(),
            (None, Some(rule)) => match rule.bounds() {
                Some(Bounds::Numbers(low, _) | Bounds::AtLeast(low)) => low.to_string(),
                _ => "…".to_owned(),
            },
            _ => "…".to_owned(),
        };
        format!("{}: {value}", field.name)
    });
    format!("{{ {} }}", values.collect::<Vec<_>>().join(", "))
}

/// The first sentence of a description.
pub(super) fn first_sentence(doc: &str) -> &str {
    let line = doc.lines().next().unwrap_or_default();
    let mut ends = line.match_indices(". ").map(|(at, _)| at);
    // `e.g. ` does not end a sentence.
    ends.find(|at| !line[..*at].ends_with("e.g") && !line[..*at].ends_with("i.e"))
        .map_or(line, |at| &line[..=at])
}

pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // `ARN of …` stays.
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// The help for a value of the wrong type.
pub(super) fn type_help(reader: &Reader, field: &Field, shape: &Shape, value: &Value) -> String {
    let name = reader.shown();
    match (shape, value) {
        (Shape::Integer, _) => {
            let text = match value {
                Value::String(text) | Value::Number(text) => Some(text),
                _ => None,
            };
            // `1e3` is a number, and `10` in quotes a string.
            let number = text.and_then(|text| match field.unit {
                Some(unit) => unit.convert(text),
                None => text.trim().parse().ok(),
            });
            let exponent =
                text.and_then(|text| text.parse::<f64>().ok()).filter(|value| value.fract() == 0.0);
            let number =
                number.map(|value| value.to_string()).or(exponent.map(|value| format!("{value:.0}")));
            // The next error would be a number out of range.
            let fault =
                number.as_ref().and_then(|number| field.rule?.violation(&Value::Number(number.clone())));
            if let Some((_, _, expected)) = fault {
                let unit = field.unit.map_or_else(String::new, |unit| format!(" ({})", unit.plural()));
                return format!("Set `{name}` to {expected}{unit}.");
            }
            match (field.unit, number) {
                (Some(unit), Some(number)) => {
                    format!("Set `{name}` to a number of {}: {number}.", unit.plural())
                }
                (Some(unit), None) => format!("Set `{name}` to a number of {}.", unit.plural()),
                (None, Some(number)) => format!("Set `{name}` to an integer: {number}."),
                (None, None) => format!("Set `{name}` to an integer."),
            }
        }
        (Shape::Bool, Value::String(text)) => match text.to_lowercase().as_str() {
            "yes" | "on" | "true" | "y" | "enabled" => format!("Set `{name}` to true, without quotes."),
            "no" | "off" | "false" | "n" | "disabled" => format!("Set `{name}` to false, without quotes."),
            _ => format!("Set `{name}` to true or false."),
        },
        (Shape::Bool, _) => format!("Set `{name}` to true or false."),
        (Shape::String, Value::Number(_) | Value::Bool(_)) if matches!(field.rule, Some(Rule::OneOf(_))) => {
            let Some(Rule::OneOf(allowed)) = field.rule else { return String::new() };
            format!("Set `{name}` to one of `{}`.", allowed.join("`, `"))
        }
        (Shape::String, Value::Number(text)) => format!("Put the value in quotes: `{name}: \"{text}\"`."),
        (Shape::String, Value::Bool(value)) => format!("Put the value in quotes: `{name}: \"{value}\"`."),
        (Shape::String, Value::Null) => {
            format!("Set `{name}` to \"\" for an empty string, or remove it.")
        }
        (Shape::String, Value::Map(_) | Value::List(_)) => match value.to_json() {
            Some(json)
                if matches!(field.rule, Some(Rule::Check(..) | Rule::Coded(..)))
                    && json.to_string().len() <= 120 =>
            {
                format!("Write JSON in single quotes: `{name}: '{json}'`.")
            }
            _ => format!("Set `{name}` to one string."),
        },
        (Shape::Map(_), _) => format!("Write a map: `{name}: {{ KEY: value }}`."),
        _ => format!("Set `{name}` to a string."),
    }
}
