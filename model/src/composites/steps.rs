//! The steps of a workflow: flat and named, so that nothing recurses.

use std::collections::BTreeMap;

use super::common::{check_arn, check_bucket};
use crate::checks::environment::Variables;
use crate::expr::Expr;
use crate::input::{Inputs, Reference, Rule};
use crate::scalar::Scalar;

/// One step.
#[derive(Debug, Inputs)]
pub(super) enum Step {
    /// Invokes a function: the step's input is its payload, and its answer is the step's result.
    Function(FunctionStep),
    /// Runs a container to its end: the step's input is in its variable `TANDEM_INPUT`, and is the step's result; as the first and last step of a map its result is the item.
    Task(TaskStep),
    /// Waits.
    Wait(WaitStep),
    /// Puts a message with a token into a queue, and waits until somebody answers with the token.
    Callback(CallbackStep),
    /// Goes on with one step or another.
    Choice(ChoiceStep),
    /// Runs branches at the same time: the list of their results is the step's result.
    Parallel(ParallelStep),
    /// Runs the steps within it for each item: the list of their results is the step's result, of 256 KiB at the most.
    Map(MapStep),
    /// Ends the workflow as failed.
    Fail(FailStep),
}

#[derive(Debug, Inputs)]
pub(super) struct FunctionStep {
    /// ARN of a function.
    #[input(refers = Reference::FUNCTION, rule = Rule::Check("ARN", check_arn))]
    pub(super) function: Scalar<String>,
    #[input(flatten)]
    pub(super) of: Place,
    #[input(flatten)]
    pub(super) on_error: OnError,
    /// Seconds after which a try is given up.
    #[input(rule = Rule::Range(1, 31_536_000))]
    pub(super) timeout: Option<Scalar<i64>>,
}

#[derive(Debug, Inputs)]
pub(super) struct TaskStep {
    /// Task that the step runs: the output `launch` of a `container_task`.
    #[input(refers = Reference::LAUNCH)]
    pub(super) task: Scalar<String>,
    /// Environment variables for the container, in place of `TANDEM_INPUT`; a value in `{% … %}` is JSONata over `$states.input`. ECS takes 8,192 characters of them.
    pub(super) environment: Option<Variables>,
    #[input(flatten)]
    pub(super) of: Place,
    #[input(flatten)]
    pub(super) on_error: OnError,
    /// Seconds after which a try is given up.
    #[input(rule = Rule::Range(1, 31_536_000))]
    pub(super) timeout: Option<Scalar<i64>>,
}

#[derive(Debug, Inputs)]
pub(super) struct WaitStep {
    /// Seconds to wait.
    #[input(rule = Rule::Range(1, 31_536_000))]
    pub(super) wait: Scalar<i64>,
    #[input(flatten)]
    pub(super) of: Place,
}

#[derive(Debug, Inputs)]
pub(super) struct CallbackStep {
    /// ARN of the queue that the message with `token` and `input` goes to. Whoever has it answers with the token: SendTaskSuccess or SendTaskFailure.
    #[input(refers = Reference::QUEUE, rule = Rule::Check("ARN", check_arn))]
    pub(super) callback: Scalar<String>,
    #[input(flatten)]
    pub(super) of: Place,
    #[input(flatten)]
    pub(super) on_error: OnError,
    /// Seconds after which the answer is waited for no more; a day without it.
    #[input(rule = Rule::Range(1, 31_536_000))]
    pub(super) timeout: Option<Scalar<i64>>,
}

#[derive(Debug, Inputs)]
pub(super) struct ChoiceStep {
    /// Conditions, of which the first that holds says how it goes on.
    pub(super) choice: Vec<Condition>,
    /// Step that it goes on with when no condition holds.
    pub(super) otherwise: String,
    #[input(flatten)]
    pub(super) of: Inner,
}

#[derive(Debug, Inputs)]
pub(super) struct Condition {
    /// Condition in JSONata, such as `{% $states.input.size > 100 %}`.
    #[input(rule = Rule::Check("JSONata", check_jsonata))]
    pub(super) when: String,
    /// Step that it goes on with.
    pub(super) next: String,
}

#[derive(Debug, Inputs)]
pub(super) struct ParallelStep {
    /// Names of the branches; the steps of a branch say `within` and `branch`.
    pub(super) parallel: Vec<String>,
    #[input(flatten)]
    pub(super) of: Place,
    #[input(flatten)]
    pub(super) on_error: OnErrorWithin,
}

#[derive(Debug, Inputs)]
pub(super) struct MapStep {
    /// The items. The steps that say `within` are run for each, with the input `{"item": …, "index": …, "input": …}`, of which the last is the input of the map.
    pub(super) map: Items,
    /// Whether each item is an execution of its own, for more than 40 at once or many events.
    #[input(default = false)]
    pub(super) distributed: bool,
    /// How many items are worked on at once, 40 at the most in a map that is not `distributed`; 0 for as many as there are.
    #[input(default = 10, rule = Rule::Range(0, 10_000))]
    pub(super) max_concurrency: Scalar<i64>,
    /// Percentage of items of a `distributed` map that may fail before the step does. In the list of results, each that failed has a description of its execution.
    #[input(default = 0, rule = Rule::Range(0, 100))]
    pub(super) tolerated_failure_percentage: Scalar<i64>,
    #[input(flatten)]
    pub(super) of: Place,
    #[input(flatten)]
    pub(super) on_error: OnErrorWithin,
}

#[derive(Debug, Inputs)]
pub(super) struct FailStep {
    /// Why, as text or JSONata in `{% … %}`.
    #[input(rule = Rule::Check("text", check_text))]
    pub(super) fail: String,
    #[input(flatten)]
    pub(super) of: Inner,
}

/// What a map goes over.
#[derive(Debug, Inputs)]
pub(super) enum Items {
    /// So many numbers, from 0.
    Count(Count),
    /// A list.
    Given(List),
    /// A list in an object of a bucket.
    Manifest(Manifest),
}

#[derive(Debug, Inputs)]
pub(super) struct Count {
    /// How many items there are: the numbers from 0 on. More than 40,000 do not fit between two states, and neither do results of more than 256 KiB together.
    #[input(rule = Rule::Range(1, 40_000))]
    pub(super) count: Scalar<i64>,
}

#[derive(Debug, Inputs)]
pub(super) struct List {
    /// The items, as JSONata that gives a list: `{% $states.input.files %}`.
    #[input(rule = Rule::Check("JSONata", check_jsonata))]
    pub(super) items: String,
}

#[derive(Debug, Inputs)]
pub(super) struct Manifest {
    /// Name of the bucket with the manifest; the map must be `distributed`.
    #[input(refers = Reference::BUCKET, rule = Rule::Check("bucket", check_bucket))]
    pub(super) bucket: Scalar<String>,
    /// Key of the manifest, as text or JSONata in `{% … %}`.
    #[input(rule = Rule::Check("text", check_text))]
    pub(super) key: String,
    /// Format of the manifest: `JSON`, a list, or `CSV` with a header.
    #[input(default = "JSON", rule = Rule::OneOf(&["JSON", "CSV"]))]
    pub(super) format: String,
}

/// Where a step stands, and what comes after it.
#[derive(Debug, Inputs)]
pub(super) struct Place {
    #[input(flatten)]
    pub(super) inner: Inner,
    /// Step that comes next; without it the one after this in the list that is `within` the same.
    pub(super) next: Option<String>,
    /// Whether nothing comes next.
    #[input(default = false)]
    pub(super) end: bool,
}

/// What a step is called, and what it is within.
#[derive(Debug, Inputs)]
pub(super) struct Inner {
    /// Name of the step.
    #[input(rule = Rule::Check("name", check_name))]
    pub(super) name: String,
    /// The step of `map` or `parallel` that this one is run by.
    pub(super) within: Option<String>,
    /// The branch of the `parallel` that it is in.
    pub(super) branch: Option<String>,
}

/// What becomes of a step that fails.
#[derive(Debug, Inputs)]
pub(super) struct OnError {
    /// How often the step is tried again.
    #[input(default = 2, rule = Rule::Range(0, 100))]
    pub(super) retry_attempts: Scalar<i64>,
    /// Seconds before it is tried again for the first time; twice as many each time after that, up to five minutes.
    #[input(default = 2, rule = Rule::Range(1, 240))]
    pub(super) retry_interval: Scalar<i64>,
    /// Step that it goes on with when all tries failed, with the input `{"error": …, "cause": …, "input": …}`; the workflow fails without it.
    pub(super) catch: Option<String>,
}

/// What becomes of a step when one that it runs fails.
#[derive(Debug, Inputs)]
pub(super) struct OnErrorWithin {
    /// How often the step is tried again; the steps within it are tried again by themselves.
    #[input(default = 0, rule = Rule::Range(0, 100))]
    pub(super) retry_attempts: Scalar<i64>,
    /// Seconds before it is tried again for the first time; twice as many each time after that, up to five minutes.
    #[input(default = 2, rule = Rule::Range(1, 240))]
    pub(super) retry_interval: Scalar<i64>,
    /// Step that it goes on with when all tries failed, with the input `{"error": …, "cause": …, "input": …}`; the workflow fails without it.
    pub(super) catch: Option<String>,
}

/// How often a step is tried again, after how many seconds, and what it goes on with then.
pub(super) type Reaction<'a> = (&'a Scalar<i64>, &'a Scalar<i64>, Option<&'a str>);

impl OnError {
    /// As for all steps.
    pub(super) fn reaction(&self) -> Reaction<'_> {
        (&self.retry_attempts, &self.retry_interval, self.catch.as_deref())
    }
}

impl OnErrorWithin {
    fn reaction(&self) -> Reaction<'_> {
        (&self.retry_attempts, &self.retry_interval, self.catch.as_deref())
    }
}

/// The longest name of a step: the states that it becomes have some more characters, of 80.
const LONGEST: usize = 64;

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(format!("{name:?} must be 1 to {LONGEST} letters, digits, hyphens and underscores"))
    }
}

/// Checks that a text is JSONata as Step Functions takes it.
pub(super) fn check_jsonata(text: &str) -> Result<(), String> {
    let inner = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
    match inner.map(str::trim) {
        None => Err(format!("{text:?} is no JSONata in `{{% … %}}`")),
        Some("") => Err("there is nothing in `{% … %}`".to_owned()),
        Some(inner) => balanced(inner),
    }
}

/// Checks a text that may be JSONata: one that begins as such must be it.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.trim_start().starts_with("{%") { check_jsonata(text) } else { Ok(()) }
}

/// Whether brackets and quotes close; what else is wrong, AWS says before the definition is sent.
fn balanced(text: &str) -> Result<(), String> {
    let unclosed = |what: &str| format!("`{what}` in {text:?} is not closed");
    let mut open = Vec::new();
    // What stands before, other than spaces and comments: a `/` after a value divides.
    let mut before = '(';
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '"' | '\'' | '`' => length = quoted(rest, c).ok_or_else(|| unclosed(&c.to_string()))?,
            '/' if rest.starts_with("/*") => {
                let end = rest[2..].find("*/").ok_or_else(|| unclosed("/*"))?;
                rest = &rest[2 + end + 2..];
                continue;
            }
            '/' if "([{,:;=<>!&+-?~^|".contains(before) => {
                length = regular(rest).ok_or_else(|| unclosed("/"))?;
            }
            // These are values, too, which may be divided.
            '/' if "*%".contains(before) => length = regular(rest).unwrap_or(length),
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                let opened = match c {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if open.pop() != Some(opened) {
                    return Err(format!("`{c}` in {text:?} closes nothing"));
                }
            }
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
        rest = &rest[length..];
    }
    open.pop().map_or(Ok(()), |c| Err(unclosed(&c.to_string())))
}

/// The length of a quoted text at the beginning of another; `None` where it does not end.
fn quoted(text: &str, mark: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            // A name knows no escapes.
            '\\' if mark != '`' => drop(chars.next()),
            _ if c == mark => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The same of a regular expression, which ends at a `/` that is within no bracket of its own.
fn regular(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '/' if depth == 0 => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Steps that stand together: within nothing, within a map, or in a branch.
pub(super) type Chain<'a> = (Option<&'a str>, Option<&'a str>);

impl Step {
    /// Name, and what it is within.
    pub(super) fn inner(&self) -> &Inner {
        match self {
            Self::Choice(step) => &step.of,
            Self::Fail(step) => &step.of,
            _ => &self.place().expect("all others have one").inner,
        }
    }

    /// With which steps it stands together.
    pub(super) fn chain(&self) -> Chain<'_> {
        let inner = self.inner();
        (inner.within.as_deref(), inner.branch.as_deref())
    }

    /// Where it stands, for a step that another may follow.
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Function(step) => Some(&step.of),
            Self::Task(step) => Some(&step.of),
            Self::Wait(step) => Some(&step.of),
            Self::Callback(step) => Some(&step.of),
            Self::Parallel(step) => Some(&step.of),
            Self::Map(step) => Some(&step.of),
            Self::Choice(_) | Self::Fail(_) => None,
        }
    }

    /// What becomes of it when it fails.
    pub(super) fn reaction(&self) -> Option<Reaction<'_>> {
        match self {
            Self::Function(step) => Some(step.on_error.reaction()),
            Self::Task(step) => Some(step.on_error.reaction()),
            Self::Callback(step) => Some(step.on_error.reaction()),
            Self::Parallel(step) => Some(step.on_error.reaction()),
            Self::Map(step) => Some(step.on_error.reaction()),
            Self::Wait(_) | Self::Choice(_) | Self::Fail(_) => None,
        }
    }

    /// Every step that it says it goes on with: field, and name.
    pub(super) fn named(&self) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        if let Some(next) = self.place().and_then(|place| place.next.as_deref()) {
            named.push(("next".to_owned(), next));
        }
        if let Some((_, _, Some(catch))) = self.reaction() {
            named.push(("catch".to_owned(), catch));
        }
        if let Self::Choice(step) = self {
            named.push(("otherwise".to_owned(), &step.otherwise));
            let conditions = step.choice.iter().enumerate();
            named.extend(
                conditions.map(|(index, condition)| (format!("choice[{index}].next"), &*condition.next)),
            );
        }
        named
    }
}

/// Variables as pairs of names and values; unknown while the map is.
pub(super) fn pairs(variables: Option<&Variables>, name: &str, value: &str) -> Option<Vec<Expr>> {
    let given: &BTreeMap<String, Scalar<String>> = match variables {
        None => return Some(Vec::new()),
        Some(Scalar::Known(given)) => given,
        Some(_) => return None,
    };
    let pair = |(key, text): (&String, &Scalar<String>)| {
        Expr::map([(name, Expr::from(key.as_str())), (value, text.into())])
    };
    Some(given.iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jsonata_is_looked_at() {
        for good in [
            "{% 1 %}",
            "{% $states.input.a[b = ')'] %}",
            "{%($a := 'it''s'; $a)%}",
            r"{% $match($states.input.key, /\(['a-z]/) %}",
            "{% $replace($states.input.key, /^([^/]+)\\//, '') %}",
            "{% /* it's ( */ $states.input.a / 2 /* / */ %}",
            "{% a.b[0] / c / d %}",
            "{% $sum(a.*) / 2 + b.* / 2 %}",
            r"{% a.`dir\` %}",
        ] {
            assert_eq!(check_jsonata(good), Ok(()), "{good}");
        }
        for bad in [
            "1",
            "{% %}",
            "{% (1 %}",
            "{% 'a %}",
            "{% a] %}",
            "{% (a / 2 %}",
            "{% $match(a, /b) %}",
            "{% a /* b %}",
        ] {
            assert!(check_jsonata(bad).is_err(), "{bad}");
        }
        assert_eq!(check_text("Too small."), Ok(()));
        assert!(check_text("{% $states.input.cause").is_err());
    }
}
