//! Checks of a workflow's steps, before expansion creates their definition.

use std::collections::{BTreeMap, BTreeSet};

use super::steps::{Chain, Count, Items, MapStep, Step, TaskStep, check_text};
use crate::checks::fifo;
use crate::composite::item_path;
use crate::finding::{Code, Findings, Path, Step as At};
use crate::names;
use crate::scalar::Scalar;
use crate::suggest::suggest;

/// Checks the steps: names, nesting, next steps, limits of Step Functions, and unreachable steps.
pub(super) fn check(steps: &[Step], express: bool, findings: &mut Findings) {
    if steps.is_empty() {
        findings.error(
            Code::Missing,
            Path::field("step"),
            "the workflow has no steps",
            "Add at least one step.",
        );
        return;
    }
    let at = |index: usize, field: &str| item_path("step", index).join(At::Field(field.to_owned()));
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let name = step.inner().name.as_str();
        if let Some(earlier) = by_name.insert(name, index) {
            let message = format!("`step[{earlier}]` has the same name, `{name}`");
            findings.error(
                Code::DuplicateName,
                at(index, "name"),
                message,
                "Set a different name for each step.",
            );
        }
    }
    for (index, step) in steps.iter().enumerate() {
        check_within(steps, &by_name, index, step, findings);
        for (field, next) in step.named() {
            let Some(of_next) = by_name.get(next) else {
                let help = match suggest(next, by_name.keys().copied()) {
                    Some(near) => format!("Did you mean `{near}`? Set the name of an existing step."),
                    None => "Set the name of an existing step.".to_owned(),
                };
                findings.error(
                    Code::UnknownReference,
                    at(index, &field),
                    format!("step `{next}` does not exist"),
                    help,
                );
                continue;
            };
            if steps[*of_next].chain() != step.chain() {
                findings.error(
                    Code::UnknownReference,
                    at(index, &field),
                    format!(
                        "step `{next}` has another `within` or `branch`: the next step must be in the same map \
                         or branch"
                    ),
                    "Set it to a step with the same `within` and `branch`.",
                );
            }
        }
        if let Step::Task(step) = step {
            check_environment(step, &at(index, "environment"), findings);
        }
        let needs_standard = match step {
            Step::Task(_) => Some("task"),
            Step::Callback(_) => Some("callback"),
            Step::Map(step) if step.distributed => Some("map"),
            _ => None,
        };
        if let (true, Some(field)) = (express, needs_standard) {
            findings.error(
                Code::Choice,
                at(index, field),
                "an express workflow does not support tasks, callbacks and distributed maps",
                "Set `type` to `standard`.",
            );
        }
        if let Step::Callback(step) = step
            && step.callback.known().is_some_and(|queue| names::is_fifo(queue))
        {
            let (message, help) = fifo::callback();
            findings.error(Code::Choice, at(index, "callback"), message, help);
        }
        if let Step::Map(step) = step
            && let (Items::Manifest(_), false) = (&step.map, step.distributed)
        {
            let help = "Set `distributed` to `true`.";
            findings.error(
                Code::Choice,
                at(index, "map"),
                "`map` reads its items from a bucket, which requires a distributed map",
                help,
            );
        }
        let last = || !steps[index + 1..].iter().any(|other| other.chain() == step.chain());
        if let Some(position) = step.position()
            && position.end
            && position.next.is_some()
        {
            findings.error(
                Code::Choice,
                at(index, "end"),
                "`end` and `next` are both set",
                "Remove one of the two.",
            );
        } else if step.position().is_none() && index == 0 && last() && matches!(step, Step::Choice(_)) {
            findings.error(
                Code::Missing,
                at(index, "choice"),
                "the choice has no steps to continue with",
                "Add steps after it.",
            );
        }
    }
    if findings.any_error() {
        return;
    }
    check_reached(steps, findings);
    for (index, step) in steps.iter().enumerate() {
        if let Step::Map(map) = step
            && !map.distributed
        {
            check_inline(steps, map, &|field| at(index, field), express, findings);
        }
    }
}

/// Checks the values of the container's environment: a value that begins with `{%` must be valid JSONata.
fn check_environment(step: &TaskStep, at: &Path, findings: &mut Findings) {
    let given = step.environment.as_ref().and_then(Scalar::known);
    for (name, value) in given.into_iter().flatten() {
        if let Some(Err(message)) = value.known().map(|value| check_text(value)) {
            let help = "Put an expression into `{% … %}`, or use a string that does not begin with `{%`.";
            findings.error(Code::OutOfRange, at.join(At::Key(name.clone())), message, help);
        }
    }
}

/// The deepest nesting of steps. The checks walk up the nesting for each step, so deeper ones would be slow.
const DEEPEST: usize = 20;

/// The limit of events of an execution. Step Functions fails an execution with more, and no `catch` sees it.
const EVENTS: i64 = 25_000;
/// The limit of items that an inline map runs at the same time.
const INLINE: i64 = 40;

/// Checks the limits of an inline map: the events of its items count as events of the execution.
fn check_inline(
    steps: &[Step],
    map: &MapStep,
    at: &dyn Fn(&str) -> Path,
    express: bool,
    findings: &mut Findings,
) {
    let count = match &map.map {
        Items::Count(Count { count }) => count.known().copied(),
        _ => None,
    };
    let fits = count.is_some_and(|count| count <= INLINE);
    if !fits && map.max_concurrency.known().is_some_and(|at_once| *at_once > INLINE) {
        let distributed = if express { "" } else { "`distributed` to `true`, or " };
        findings.error(
            Code::OutOfRange,
            at("max_concurrency"),
            format!("`max_concurrency` is above {INLINE}, the limit of a map that is not distributed"),
            format!("Set {distributed}`max_concurrency` to {INLINE} or less."),
        );
    }
    // Each item has two more events: its start and its end.
    let of_each = fewest_events(steps, (Some(&map.of.inner.name), None)).saturating_add(2);
    let all = count.map_or(0, |count| count.saturating_mul(of_each));
    if !express && all > EVENTS {
        findings.error(
            Code::OutOfRange,
            at("count"),
            format!("the steps of the map have at least {all} events, but an execution has at most {EVENTS}"),
            "Set `distributed` to `true`: each item then has an execution of its own.",
        );
    }
}

/// The fewest events of the steps of a chain: those of the shortest path through it.
fn fewest_events(steps: &[Step], chain: Chain<'_>) -> i64 {
    let members: Vec<&Step> = steps.iter().filter(|step| step.chain() == chain).collect();
    let own: Vec<i64> = members.iter().map(|step| events(steps, step)).collect();
    let find = |name: &str| members.iter().position(|other| other.inner().name == name);
    // The fewest events from each step to the end. Steps can lead to any other step, so each pass over them
    // settles at least one.
    let mut fewest = vec![EVENTS; members.len()];
    for _ in &members {
        for (index, step) in members.iter().enumerate() {
            let rest = match (step, step.position()) {
                (Step::Choice(choice), _) => {
                    let next = choice.choice.iter().map(|condition| &condition.next);
                    let next = next.chain([&choice.otherwise]).filter_map(|next| find(next));
                    next.map(|next| fewest[next]).min().unwrap_or_default()
                }
                (_, Some(position)) if !position.end => {
                    let next = position.next.as_deref().map_or(Some(index + 1), find);
                    next.and_then(|next| fewest.get(next)).copied().unwrap_or_default()
                }
                _ => 0,
            };
            fewest[index] = own[index].saturating_add(rest);
        }
    }
    fewest.first().copied().unwrap_or_default()
}

/// The fewest events of a step.
fn events(steps: &[Step], step: &Step) -> i64 {
    /// Events of a state that runs other states, and of the state before it.
    const AROUND: i64 = 6;
    let name = Some(step.inner().name.as_str());
    match step {
        Step::Function(_) => 5,
        Step::Callback(_) => 6,
        // A parallel state with a task state and a choice in its branch.
        Step::Task(_) => 16,
        Step::Wait(_) | Step::Choice(_) => 2,
        Step::Parallel(of) => {
            let branches = of.parallel.iter().map(|branch| fewest_events(steps, (name, Some(branch))));
            branches.fold(AROUND, i64::saturating_add)
        }
        Step::Map(of) => match &of.map {
            Items::Count(Count { count }) if !of.distributed => {
                let count = count.known().copied().unwrap_or_default();
                let of_each = fewest_events(steps, (name, None)).saturating_add(2);
                count.saturating_mul(of_each).saturating_add(AROUND)
            }
            _ => AROUND,
        },
        Step::Fail(_) => 1,
    }
}

fn check_within(
    steps: &[Step],
    names: &BTreeMap<&str, usize>,
    index: usize,
    step: &Step,
    findings: &mut Findings,
) {
    let at = |field: &str| item_path("step", index).join(At::Field(field.to_owned()));
    let inner = step.inner();
    let outer = inner.within.as_deref().map(|within| names.get(within).map(|index| &steps[*index]));
    match outer {
        None => {
            if inner.branch.is_some() {
                findings.error(
                    Code::Missing,
                    at("within"),
                    "`branch` is set, but `within` is not",
                    "Set `within` to the name of the `parallel` step.",
                );
            }
        }
        Some(Some(Step::Parallel(parallel))) => match &inner.branch {
            Some(branch) if parallel.parallel.contains(branch) => {}
            branch => {
                let message = match branch {
                    Some(branch) => format!("the `parallel` step in `within` has no branch `{branch}`"),
                    None => "a step within a `parallel` step requires `branch`".to_owned(),
                };
                let help = format!("Set `branch` to one of: {}.", parallel.parallel.join(", "));
                findings.error(Code::UnknownReference, at("branch"), message, help);
            }
        },
        Some(Some(Step::Map(_))) if inner.branch.is_none() => {}
        Some(Some(Step::Map(_))) => {
            findings.error(
                Code::Choice,
                at("branch"),
                "`branch` is set, but `within` is a map, which has no branches",
                "Remove `branch`.",
            );
        }
        Some(_) => {
            let message = format!(
                "there is no `map` or `parallel` step `{}`",
                inner.within.as_deref().unwrap_or_default()
            );
            findings.error(
                Code::UnknownReference,
                at("within"),
                message,
                "Set `within` to the name of a `map` or `parallel` step.",
            );
        }
    }
    // A step that is within itself, directly or through other steps, would never run.
    let mut around = inner.within.as_deref();
    for depth in 0..steps.len() {
        if around == Some(inner.name.as_str()) {
            findings.error(
                Code::Cycle,
                at("within"),
                "a step cannot be within itself",
                "Set `within` to another step.",
            );
            break;
        }
        if depth > DEEPEST && around.is_some() {
            let message = format!("the step is nested more than {DEEPEST} levels deep");
            findings.error(
                Code::OutOfRange,
                at("within"),
                message,
                "Move some of the steps to a workflow of their own.",
            );
            break;
        }
        around = around.and_then(|name| steps[*names.get(name)?].inner().within.as_deref());
    }
    let has = |branch: Option<&str>| steps.iter().any(|other| other.chain() == (Some(&*inner.name), branch));
    match step {
        Step::Map(_) if !has(None) => {
            let help = format!("Add at least one step with `within = \"{}\"`.", inner.name);
            findings.error(Code::Missing, at("map"), "the map has no steps to run for its items", help);
        }
        Step::Parallel(parallel) => {
            if parallel.parallel.is_empty() {
                findings.error(
                    Code::Missing,
                    at("parallel"),
                    "`parallel` has no branches",
                    "Add the name of at least one branch.",
                );
            }
            for (place, branch) in parallel.parallel.iter().enumerate() {
                if parallel.parallel[..place].contains(branch) {
                    let message = format!("`parallel` contains branch `{branch}` twice");
                    findings.error(
                        Code::DuplicateName,
                        at("parallel"),
                        message,
                        "Set a different name for each branch.",
                    );
                }
            }
            for branch in parallel.parallel.iter().filter(|branch| !has(Some(branch))) {
                let help =
                    format!("Add a step with `within = \"{}\"` and `branch = \"{branch}\"`.", inner.name);
                findings.error(
                    Code::Missing,
                    at("parallel"),
                    format!("branch `{branch}` has no steps"),
                    help,
                );
            }
        }
        _ => {}
    }
}

/// Checks that a path leads to each step. AWS rejects unreachable states.
fn check_reached(steps: &[Step], findings: &mut Findings) {
    let mut reached: BTreeSet<usize> = BTreeSet::new();
    let mut firsts: Vec<Chain<'_>> = Vec::new();
    let mut todo: Vec<usize> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let chain = step.chain();
        if !firsts.contains(&chain) {
            firsts.push(chain);
            todo.push(index);
        }
    }
    while let Some(index) = todo.pop() {
        if !reached.insert(index) {
            continue;
        }
        let step = &steps[index];
        let find = |name: &str| steps.iter().position(|other| other.inner().name == name);
        todo.extend(step.named().into_iter().filter_map(|(_, next)| find(next)));
        if let Some(position) = step.position()
            && position.next.is_none()
            && !position.end
        {
            let mut later = steps.iter().enumerate().skip(index + 1);
            todo.extend(later.find(|(_, other)| other.chain() == step.chain()).map(|(index, _)| index));
        }
    }
    for (index, step) in steps.iter().enumerate().filter(|(index, _)| !reached.contains(index)) {
        findings.error(
            Code::UnknownReference,
            item_path("step", index).join(At::Field("name".to_owned())),
            format!("no step leads to `{}`", step.inner().name),
            "Set a `next`, `catch`, `otherwise` or `choice` to it, or remove it.",
        );
    }
}
