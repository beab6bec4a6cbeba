//! A flattening struct replaces the default and the documentation of a flattened field.

use tandem_model::input::{Field, Inputs, Reader};
use tandem_model::scalar::Scalar;
use tandem_model::value::Value;

#[derive(Debug, Inputs)]
struct Retries {
    /// Number of retries.
    #[input(default = 2)]
    attempts: Scalar<i64>,
    /// Seconds before a retry.
    #[input(default = 5)]
    interval: Scalar<i64>,
}

#[derive(Debug, Inputs)]
struct Plain {
    #[input(flatten)]
    retries: Retries,
}

#[derive(Debug, Inputs)]
struct Replaced {
    /// Number of retries of the whole step.
    #[input(flatten(attempts(default = 0), interval(doc = "Seconds before a retry of the step.")))]
    retries: Retries,
}

/// Replacements pass through a further struct.
#[derive(Debug, Inputs)]
struct Nested {
    #[input(flatten)]
    replaced: Replaced,
}

fn described<T: Inputs>() -> Vec<(&'static str, &'static str, i64)> {
    let default = |field: &Field| field.default.as_ref().and_then(serde_json::Value::as_i64);
    let described = |field: &Field| (field.name, field.doc, default(field).expect("a default"));
    T::fields().iter().map(described).collect()
}

fn read<T: Inputs>() -> T {
    let (fields, nothing) = (T::fields(), Value::map::<String>([]));
    T::read(&fields, &nothing, &mut Reader::default()).expect("every field has a default")
}

#[test]
fn fields_have_the_replacements() {
    let own = [("attempts", "Number of retries.", 2), ("interval", "Seconds before a retry.", 5)];
    assert_eq!(described::<Plain>(), own);
    let replaced = [
        ("attempts", "Number of retries of the whole step.", 0),
        ("interval", "Seconds before a retry of the step.", 5),
    ];
    assert_eq!(described::<Replaced>(), replaced);
    assert_eq!(described::<Nested>(), replaced);
}

#[test]
fn an_input_that_is_not_set_gets_the_replaced_default() {
    let known = |retries: &Retries| (retries.attempts.known().copied(), retries.interval.known().copied());
    assert_eq!(known(&read::<Plain>().retries), (Some(2), Some(5)));
    assert_eq!(known(&read::<Replaced>().retries), (Some(0), Some(5)));
    assert_eq!(known(&read::<Nested>().replaced.retries), (Some(0), Some(5)));
}
