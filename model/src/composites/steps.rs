//! The steps of a workflow: their inputs. The list is flat and steps have names, because a schema cannot
//! recurse.

use std::collections::BTreeMap;

use crate::checks::environment::Variables;
use crate::expr::Expr;
use crate::input::{Inputs, Reference, Rule};
use crate::scalar::Scalar;
use crate::unit::Unit;

/// One step.
#[derive(Debug, Inputs)]
pub(super) enum Step {
    /// Invokes a function with the step's input as its payload. The response is the step's result.
    Function(FunctionStep),
    /// Runs a container until it ends, with the step's input in variable `TANDEM_INPUT`. The result is the input; for the only step of a map, it is the item.
    Task(TaskStep),
    /// Waits for a fixed time.
    Wait(WaitStep),
    /// Sends a message with a task token to a queue, and waits until a consumer returns the token.
    Callback(CallbackStep),
    /// Continues with one of several steps.
    Choice(ChoiceStep),
    /// Runs branches at the same time. The result is the list of their results.
    Parallel(ParallelStep),
    /// Runs the steps within it for each item. The result is the list of their results, at most 256 KiB.
    Map(MapStep),
    /// Ends the workflow as failed.
    Fail(FailStep),
}

#[derive(Debug, Inputs)]
pub(super) struct FunctionStep {
    /// ARN of the function.
    #[input(refers = Reference::FUNCTION, rule = Rule::ARN)]
    pub(super) function: Scalar<String>,
    #[input(flatten)]
    pub(super) of: Position,
    #[input(flatten)]
    pub(super) on_error: OnError,
    /// Seconds after which an attempt times out.
    #[input(unit = Unit::Seconds, rule = Rule::Range(1, 31_536_000))]
    pub(super) timeout: Option<Scalar<i64>>,
}

#[derive(Debug, Inputs)]
pub(super) struct TaskStep {
    /// Handle of the task: the output `launch` of a `container_task`.
    #[input(refers = Reference::LAUNCH)]
    pub(super) task: Scalar<String>,
    /// Environment variables of the container, instead of `TANDEM_INPUT`. A value in `{% … %}` is JSONata, e.g. `{% $states.input.key %}`. ECS accepts at most 8,192 characters in total.
    #[input(fixed)]
    pub(super) environment: Option<Variables>,
    #[input(flatten)]
    pub(super) of: Position,
    #[input(flatten)]
    pub(super) on_error: OnError,
    /// Seconds after which an attempt times out.
    #[input(unit = Unit::Seconds, rule = Rule::Range(1, 31_536_000))]
    pub(super) timeout: Option<Scalar<i64>>,
}

#[derive(Debug, Inputs)]
pub(super) struct WaitStep {
    /// Seconds to wait.
    #[input(unit = Unit::Seconds, rule = Rule::Range(1, 31_536_000))]
    pub(super) wait: Scalar<i64>,
    #[input(flatten)]
    pub(super) of: Position,
}

#[derive(Debug, Inputs)]
pub(super) struct CallbackStep {
    /// ARN of the queue. The message contains `token` and `input`; the consumer calls SendTaskSuccess or SendTaskFailure with the token.
    #[input(refers = Reference::QUEUE, rule = Rule::ARN)]
    pub(super) callback: Scalar<String>,
    #[input(flatten)]
    pub(super) of: Position,
    #[input(flatten)]
    pub(super) on_error: OnError,
    /// Seconds to wait for the token. Default: one day (86400).
    #[input(unit = Unit::Seconds, rule = Rule::Range(1, 31_536_000))]
    pub(super) timeout: Option<Scalar<i64>>,
}

#[derive(Debug, Inputs)]
pub(super) struct ChoiceStep {
    /// Conditions, in their order. The first one that is true selects the next step.
    pub(super) choice: Vec<Condition>,
    /// Next step if no condition is true.
    pub(super) otherwise: String,
    #[input(flatten)]
    pub(super) of: Inner,
}

#[derive(Debug, Inputs)]
pub(super) struct Condition {
    /// Condition in JSONata, e.g. `{% $states.input.size > 100 %}`.
    #[input(rule = Rule::JSONATA)]
    pub(super) when: String,
    /// Next step if the condition is true.
    pub(super) next: String,
}

#[derive(Debug, Inputs)]
pub(super) struct ParallelStep {
    /// Names of the branches. The steps of a branch set `within` to this step, and `branch` to its name.
    pub(super) parallel: Vec<String>,
    #[input(flatten)]
    pub(super) of: Position,
    /// Retries of the whole step after a failure. The steps within it have retries of their own.
    #[input(flatten(retry_attempts(default = 0)))]
    pub(super) on_error: OnError,
}

#[derive(Debug, Inputs)]
pub(super) struct MapStep {
    /// The items. Steps with `within` set to this step run for each item. Their input is `{"item": …, "index": …, "input": …}`, where `input` is the input of the map.
    pub(super) map: Items,
    /// Runs each item as an execution of its own. A map needs it for more than 40 items at once, or more than 25,000 events.
    #[input(default = false)]
    pub(super) distributed: bool,
    /// Items that run at the same time; `0` sets no limit. A map that is not `distributed` runs at most 40.
    #[input(default = 10, rule = Rule::Range(0, 10_000))]
    pub(super) max_concurrency: Scalar<i64>,
    /// Percentage of items of a `distributed` map that may fail before the step fails. The result of a failed item is a description of its execution.
    #[input(default = 0, rule = Rule::Range(0, 100))]
    pub(super) tolerated_failure_percentage: Scalar<i64>,
    #[input(flatten)]
    pub(super) of: Position,
    /// Retries of the whole step after a failure. The steps within it have retries of their own.
    #[input(flatten(retry_attempts(default = 0)))]
    pub(super) on_error: OnError,
}

#[derive(Debug, Inputs)]
pub(super) struct FailStep {
    /// Cause of the failure: a string, or JSONata in `{% … %}`.
    #[input(rule = Rule::CAUSE)]
    pub(super) fail: String,
    #[input(flatten)]
    pub(super) of: Inner,
}

/// The items of a map.
#[derive(Debug, Inputs)]
pub(super) enum Items {
    /// A range of numbers.
    Count(Count),
    /// A list.
    Given(List),
    /// A list in an object of a bucket, for a `distributed` map.
    Manifest(Manifest),
}

#[derive(Debug, Inputs)]
pub(super) struct Count {
    /// Number of items, e.g. `3` for 0, 1 and 2. Step Functions passes at most 256 KiB between two states, which limits the items and their results.
    #[input(rule = Rule::Range(1, 40_000))]
    pub(super) count: Scalar<i64>,
}

#[derive(Debug, Inputs)]
pub(super) struct List {
    /// JSONata that returns the items, e.g. `{% $states.input.files %}`.
    #[input(rule = Rule::JSONATA)]
    pub(super) items: String,
}

#[derive(Debug, Inputs)]
pub(super) struct Manifest {
    /// Name of the bucket.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(super) bucket: Scalar<String>,
    /// Key of the object with the list: a string, or JSONata in `{% … %}`.
    #[input(rule = Rule::TEXT)]
    pub(super) key: String,
    /// Format of the object: `JSON` is a list, `CSV` has a header row.
    #[input(default = "JSON", rule = Rule::OneOf(&["JSON", "CSV"]))]
    pub(super) format: String,
}

/// The position of a step in the workflow, and the step after it.
#[derive(Debug, Inputs)]
pub(super) struct Position {
    #[input(flatten)]
    pub(super) inner: Inner,
    /// Next step. Default: the next one in the list with the same `within` and `branch`.
    pub(super) next: Option<String>,
    /// Ends the workflow, the branch or the item after this step.
    #[input(default = false)]
    pub(super) end: bool,
}

/// The name of a step, and the step that runs it.
#[derive(Debug, Inputs)]
pub(super) struct Inner {
    /// Name of the step, e.g. `resize-image`.
    #[input(rule = Rule::Check("a name of letters, digits, hyphens and underscores, e.g. `resize-image`", check_name))]
    pub(super) name: String,
    /// Name of the `map` or `parallel` step that runs this step.
    pub(super) within: Option<String>,
    /// Branch of the `parallel` step that runs this step.
    pub(super) branch: Option<String>,
}

/// Retries of a step that fails, and the step that catches its error.
#[derive(Debug, Inputs)]
pub(super) struct OnError {
    /// Retries after a failure.
    #[input(default = 2, rule = Rule::Range(0, 100))]
    pub(super) retry_attempts: Scalar<i64>,
    /// Seconds before the first retry. Each further retry doubles the delay, up to five minutes; Step Functions randomizes it.
    #[input(unit = Unit::Seconds, default = 2, rule = Rule::Range(1, 240))]
    pub(super) retry_interval: Scalar<i64>,
    /// Next step if all attempts fail. Its input is `{"error": …, "cause": …, "input": …}`. Without it, the failure ends the workflow, or goes to the `catch` of the step in `within`.
    pub(super) catch: Option<String>,
}

/// The longest name of a step. Names of states add a suffix to it, and Step Functions allows 80 characters.
const LONGEST: usize = 64;

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(format!("{name:?} must have 1 to {LONGEST} letters, digits, hyphens and underscores"))
    }
}

impl Rule {
    /// A JSONata expression.
    pub(super) const JSONATA: Self =
        Self::Check("a JSONata expression, e.g. `{% $states.input.items %}`", check_jsonata);
    /// A string, or a JSONata expression between `{%` and `%}`.
    pub(super) const TEXT: Self = Self::Check("a string, or one JSONata expression in `{% … %}`", check_text);
    /// The cause of a failure.
    const CAUSE: Self =
        Self::Check("a string of at most 32768 characters, or JSONata in `{% … %}`", check_cause);
}

/// Checks a JSONata expression in the form of Step Functions: `{% … %}`.
pub(super) fn check_jsonata(text: &str) -> Result<(), String> {
    let inner = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
    match inner.map(str::trim) {
        None => Err(format!("{text:?} is not a JSONata expression in `{{% … %}}`")),
        Some("") => Err("the JSONata expression in `{% … %}` is empty".to_owned()),
        Some(inner) => balanced(inner),
    }
}

/// Checks a string that may be JSONata: a string that begins with `{%` must be a valid expression.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.trim_start().starts_with("{%") { check_jsonata(text) } else { Ok(()) }
}

/// The longest cause of a failure, in characters.
/// Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_ExecutionFailedEventDetails.html
const LONGEST_CAUSE: usize = 32_768;

fn check_cause(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > LONGEST_CAUSE {
        return Err(format!("{length} characters, but Step Functions allows at most {LONGEST_CAUSE}"));
    }
    check_text(text)
}

/// Checks that brackets and quotes close. The provider has AWS validate the rest of the definition.
fn balanced(text: &str) -> Result<(), String> {
    let unclosed = |what: &str| format!("`{what}` in {text:?} is not closed");
    let mut open = Vec::new();
    // The character before, other than spaces and comments: a `/` after a value divides.
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
            // `*` and `%` are operators or values: a `/` after a value divides.
            '/' if "*%".contains(before) => length = regular(rest).unwrap_or(length),
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => {
                let opened = match c {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if open.pop() != Some(opened) {
                    return Err(format!("`{c}` in {text:?} has no opening bracket"));
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

/// The length of the quoted string at the beginning of the text; `None` if it is not closed.
fn quoted(text: &str, mark: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            // A name in backticks has no escapes.
            '\\' if mark != '`' => drop(chars.next()),
            _ if c == mark => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The length of the regular expression at the beginning of the text. It ends at a `/` outside of brackets.
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

/// The `within` and `branch` of steps that run in sequence: the workflow, a map or a branch.
pub(super) type Chain<'a> = (Option<&'a str>, Option<&'a str>);

impl Step {
    /// The step's name, `within` and `branch`.
    pub(super) fn inner(&self) -> &Inner {
        match self {
            Self::Choice(step) => &step.of,
            Self::Fail(step) => &step.of,
            _ => &self.position().expect("every other step has a position").inner,
        }
    }

    /// The chain that the step is part of.
    pub(super) fn chain(&self) -> Chain<'_> {
        let inner = self.inner();
        (inner.within.as_deref(), inner.branch.as_deref())
    }

    /// The step's position; `None` for a step that no other step follows.
    pub(super) fn position(&self) -> Option<&Position> {
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

    /// The step after this one; `following` is the next one in its chain. `None` if the chain ends here.
    pub(super) fn after<'a>(&'a self, following: Option<&'a str>) -> Option<&'a str> {
        let position = self.position()?;
        position.next.as_deref().or(following).filter(|_| !position.end)
    }

    /// The retries of the step, and the step that catches its error; `None` for a step without retries.
    pub(super) fn on_error(&self) -> Option<&OnError> {
        match self {
            Self::Function(step) => Some(&step.on_error),
            Self::Task(step) => Some(&step.on_error),
            Self::Callback(step) => Some(&step.on_error),
            Self::Parallel(step) => Some(&step.on_error),
            Self::Map(step) => Some(&step.on_error),
            Self::Wait(_) | Self::Choice(_) | Self::Fail(_) => None,
        }
    }

    /// Every step that this step refers to as a next one: the field and the name.
    pub(super) fn named(&self) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        if let Some(next) = self.position().and_then(|position| position.next.as_deref()) {
            named.push(("next".to_owned(), next));
        }
        if let Some(catch) = self.on_error().and_then(|on_error| on_error.catch.as_deref()) {
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

/// Variables as objects with these names for name and value; `None` while the map is unknown.
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
