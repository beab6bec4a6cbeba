//! What is wrong with a workflow's steps, before their definition is made.

use std::collections::{BTreeMap, BTreeSet};

use super::steps::{Chain, Count, Items, MapStep, Step, TaskStep, check_text};
use crate::composite::item_path;
use crate::finding::{Code, Findings, Path, Step as At, suggest};
use crate::names;
use crate::scalar::Scalar;

/// What is wrong with steps: names, what they go on with, what nobody comes to.
pub(super) fn check(steps: &[Step], express: bool, findings: &mut Findings) {
    if steps.is_empty() {
        findings.error(Code::Missing, Path::field("step"), "there is no step", "Give at least one.");
        return;
    }
    let at = |index: usize, field: &str| item_path("step", index).join(At::Field(field.to_owned()));
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let name = step.inner().name.as_str();
        if let Some(earlier) = by_name.insert(name, index) {
            let message = format!("`step[{earlier}]` is called `{name}`, too");
            findings.error(
                Code::DuplicateName,
                at(index, "name"),
                message,
                "Give each step a name of its own.",
            );
        }
    }
    for (index, step) in steps.iter().enumerate() {
        check_within(steps, &by_name, index, step, findings);
        for (field, next) in step.named() {
            let Some(of_next) = by_name.get(next) else {
                let help = match suggest(next, by_name.keys().copied()) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "Name a step that there is.".to_owned(),
                };
                findings.error(
                    Code::UnknownReference,
                    at(index, &field),
                    format!("there is no step `{next}`"),
                    help,
                );
                continue;
            };
            if steps[*of_next].chain() != step.chain() {
                findings.error(
                    Code::UnknownReference,
                    at(index, &field),
                    format!("`{next}` is within something else, and no step leads in or out of that"),
                    "Name a step that is within the same.",
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
                "an express workflow waits for nothing outside of it",
                "Set `type` to `standard`.",
            );
        }
        if let Step::Callback(step) = step
            && step.callback.known().is_some_and(|queue| names::keeps_order(queue))
        {
            let help = "Give a queue without `fifo`: who answers, answers by the token.";
            findings.error(
                Code::Choice,
                at(index, "callback"),
                "a queue that keeps its order takes no token",
                help,
            );
        }
        if let Step::Map(step) = step
            && let (Items::Manifest(_), false) = (&step.map, step.distributed)
        {
            let help = "Set `distributed` to `true`.";
            findings.error(
                Code::Choice,
                at(index, "map"),
                "a manifest is read by a distributed map only",
                help,
            );
        }
        let last = || !steps[index + 1..].iter().any(|other| other.chain() == step.chain());
        if let Some(place) = step.place()
            && place.end
            && place.next.is_some()
        {
            findings.error(
                Code::Choice,
                at(index, "end"),
                "`end` and `next` are given together",
                "Remove one.",
            );
        } else if step.place().is_none() && index == 0 && last() && matches!(step, Step::Choice(_)) {
            findings.error(
                Code::Missing,
                at(index, "choice"),
                "there is nothing to choose from",
                "Add steps.",
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

/// Values of the container's environment that begin as JSONata must be it.
fn check_environment(step: &TaskStep, at: &Path, findings: &mut Findings) {
    let given = step.environment.as_ref().and_then(Scalar::known);
    for (name, value) in given.into_iter().flatten() {
        if let Some(Err(message)) = value.known().map(|value| check_text(value)) {
            let help = "Write `{% … %}` around an expression, or a text that does not begin with `{%`.";
            findings.error(Code::OutOfRange, at.join(At::Key(name.clone())), message, help);
        }
    }
}

/// How deep steps may be within each other: more is nobody's intent, and would be walked down each time.
const DEEPEST: usize = 20;

/// Events that an execution may have; what comes then ends it, and nothing catches that.
const EVENTS: i64 = 25_000;
/// Items that an inline map works on at once.
const INLINE: i64 = 40;

/// What an inline map is too small for: its items' events are those of the execution around it.
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
            format!("a map works on at most {INLINE} items at once within its own execution"),
            format!("Set {distributed}this to {INLINE} or less."),
        );
    }
    // Beginning and end of an item.
    let of_each = fewest_events(steps, (Some(&map.of.inner.name), None)).saturating_add(2);
    let all = count.map_or(0, |count| count.saturating_mul(of_each));
    if !express && all > EVENTS {
        findings.error(
            Code::OutOfRange,
            at("count"),
            format!("the steps within have at least {all} events, and an execution may have {EVENTS}"),
            "Set `distributed` to `true`, so that each item has an execution of its own.",
        );
    }
}

/// The fewest events that steps which stand together may have: on the shortest way through them.
fn fewest_events(steps: &[Step], chain: Chain<'_>) -> i64 {
    let members: Vec<&Step> = steps.iter().filter(|step| step.chain() == chain).collect();
    let own: Vec<i64> = members.iter().map(|step| events(steps, step)).collect();
    let find = |name: &str| members.iter().position(|other| other.inner().name == name);
    // From each step to the end; as often as there are steps, since any may lead to any.
    let mut fewest = vec![EVENTS; members.len()];
    for _ in &members {
        for (index, step) in members.iter().enumerate() {
            let rest = match (step, step.place()) {
                (Step::Choice(choice), _) => {
                    let next = choice.choice.iter().map(|condition| &condition.next);
                    let next = next.chain([&choice.otherwise]).filter_map(|next| find(next));
                    next.map(|next| fewest[next]).min().unwrap_or_default()
                }
                (_, Some(place)) if !place.end => {
                    let next = place.next.as_deref().map_or(Some(index + 1), find);
                    next.and_then(|next| fewest.get(next)).copied().unwrap_or_default()
                }
                _ => 0,
            };
            fewest[index] = own[index].saturating_add(rest);
        }
    }
    fewest.first().copied().unwrap_or_default()
}

/// How many events a step has at least.
fn events(steps: &[Step], step: &Step) -> i64 {
    /// Those of a state that runs others, and of the one before it.
    const AROUND: i64 = 6;
    let name = Some(step.inner().name.as_str());
    match step {
        Step::Function(_) => 5,
        Step::Callback(_) => 6,
        // A branch with a task and a choice in it.
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
                    "a branch is within a step of `parallel`",
                    "Name it.",
                );
            }
        }
        Some(Some(Step::Parallel(parallel))) => match &inner.branch {
            Some(branch) if parallel.parallel.contains(branch) => {}
            branch => {
                let message = match branch {
                    Some(branch) => format!("there is no branch `{branch}`"),
                    None => "a step within a `parallel` is in one of its branches".to_owned(),
                };
                let help = format!("Set `branch` to one of: {}.", parallel.parallel.join(", "));
                findings.error(Code::UnknownReference, at("branch"), message, help);
            }
        },
        Some(Some(Step::Map(_))) if inner.branch.is_none() => {}
        Some(Some(Step::Map(_))) => {
            findings.error(Code::Choice, at("branch"), "a map has no branches", "Remove `branch`.");
        }
        Some(_) => {
            let message = format!(
                "there is no `map` or `parallel` called `{}`",
                inner.within.as_deref().unwrap_or_default()
            );
            findings.error(
                Code::UnknownReference,
                at("within"),
                message,
                "Name a step of `map` or `parallel`.",
            );
        }
    }
    // A step that is within itself, by whatever way, is run by nobody.
    let mut around = inner.within.as_deref();
    for depth in 0..steps.len() {
        if around == Some(inner.name.as_str()) {
            findings.error(Code::Cycle, at("within"), "a step cannot be within itself", "Name another step.");
            break;
        }
        if depth > DEEPEST && around.is_some() {
            let message = format!("the step is within more than {DEEPEST} others");
            findings.error(
                Code::OutOfRange,
                at("within"),
                message,
                "Make some of them a workflow of their own.",
            );
            break;
        }
        around = around.and_then(|name| steps[*names.get(name)?].inner().within.as_deref());
    }
    let has = |branch: Option<&str>| steps.iter().any(|other| other.chain() == (Some(&*inner.name), branch));
    match step {
        Step::Map(_) if !has(None) => {
            let help = format!("Give at least one step with `within = \"{}\"`.", inner.name);
            findings.error(Code::Missing, at("map"), "there is nothing to do for each item", help);
        }
        Step::Parallel(parallel) => {
            if parallel.parallel.is_empty() {
                findings.error(Code::Missing, at("parallel"), "there is no branch", "Name at least one.");
            }
            for (place, branch) in parallel.parallel.iter().enumerate() {
                if parallel.parallel[..place].contains(branch) {
                    let message = format!("there are two branches `{branch}`");
                    findings.error(
                        Code::DuplicateName,
                        at("parallel"),
                        message,
                        "Give each a name of its own.",
                    );
                }
            }
            for branch in parallel.parallel.iter().filter(|branch| !has(Some(branch))) {
                let help =
                    format!("Give a step with `within = \"{}\"` and `branch = \"{branch}\"`.", inner.name);
                findings.error(
                    Code::Missing,
                    at("parallel"),
                    format!("the branch `{branch}` has no step"),
                    help,
                );
            }
        }
        _ => {}
    }
}

/// Steps that nothing leads to: AWS refuses them, and they are a mistake.
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
        if let Some(place) = step.place()
            && place.next.is_none()
            && !place.end
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
            "Name it in a `next`, `catch`, `otherwise` or `choice`, or remove it.",
        );
    }
}
