//! A workflow's definition in the Amazon States Language, made of its steps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::launch::Launch;
use super::steps::{ChoiceStep, Count, Items, MapStep, Reaction, Step, pairs};
use crate::composite::item_path;
use crate::expr::{Expr, Place};
use crate::finding::{Code, Findings, Path, Step as At, suggest};
use crate::names;
use crate::policy::Grant;

/// What a definition is made of.
pub(super) struct Source<'a> {
    pub(super) steps: &'a [Step],
    /// The task of each step that runs one, by its index.
    pub(super) tasks: &'a BTreeMap<usize, Launch>,
    /// The ARN of the state machine itself: a distributed map starts executions of it.
    pub(super) machine: &'a Expr,
    /// The ARN of its executions, without their names.
    pub(super) executions: &'a Expr,
}

/// Steps that stand together: within nothing, within a map, or in a branch.
type Chain<'a> = (Option<&'a str>, Option<&'a str>);

fn chain_of(step: &Step) -> Chain<'_> {
    let inner = step.inner();
    (inner.within.as_deref(), inner.branch.as_deref())
}

/// JSONata around a text.
fn jsonata(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let inner = parts.into_iter();
    Expr::concat(std::iter::once("{% ".into()).chain(inner).chain([" %}".into()]))
}

/// States by name.
type States = BTreeMap<String, Expr>;

impl Source<'_> {
    /// The definition, with what to do when all is over where an execution itself tells nobody.
    ///
    /// Values are made in JSONata; what runs other states is JSONPath, which AWS and emulators read alike, and
    /// takes a state before it that puts its input aside.
    pub(super) fn definition(&self, dead_letters: Option<&Expr>) -> Expr {
        let whole = self.chain((None, None));
        let Some(queue) = dead_letters else { return Expr::Map(whole) };
        // An express execution publishes no event when it fails: so it says so itself.
        let mut states = States::new();
        states.insert(BEGIN.to_owned(), aside(&[], ALL));
        let mut all = outer("Parallel", "Branches", Expr::list([Expr::Map(whole)]));
        all.insert("OutputPath".to_owned(), "$.result[0]".into());
        all.insert("Catch".to_owned(), caught(TELL));
        all.insert("End".to_owned(), true.into());
        states.insert(ALL.to_owned(), Expr::Map(all));
        let mut message = told();
        message.push(("execution", "{% $states.context.Execution.Id %}"));
        let arguments = Expr::map([("QueueUrl", queue_url(queue)), ("MessageBody", Expr::map(message))]);
        let tell = [
            ("Type", Expr::from("Task")),
            ("Resource", integration("sqs:sendMessage")),
            ("Arguments", arguments),
            ("Output", "{% $states.input.failure %}".into()),
            ("Retry", retry((&5.into(), &1.into(), None))),
            ("Next", FAILED.into()),
        ];
        states.insert(TELL.to_owned(), in_jsonata(tell));
        let failed = [
            ("Type", Expr::from("Fail")),
            ("Error", "{% $exists($states.input.Error) ? $states.input.Error : '' %}".into()),
            ("Cause", "{% $exists($states.input.Cause) ? $states.input.Cause : '' %}".into()),
        ];
        states.insert(FAILED.to_owned(), in_jsonata(failed));
        Expr::map([("StartAt", BEGIN.into()), ("States", Expr::Map(states))])
    }

    fn chain(&self, chain: Chain<'_>) -> BTreeMap<String, Expr> {
        let members = self.members(chain);
        let first = members.first().map_or("", |(_, step)| step.inner().name.as_str());
        let mut states = States::new();
        for (position, (index, step)) in members.iter().enumerate() {
            let next = members.get(position + 1).map(|(_, step)| step.inner().name.as_str());
            states.extend(self.states(*index, step, next));
        }
        BTreeMap::from([("StartAt".to_owned(), first.into()), ("States".to_owned(), Expr::Map(states))])
    }

    fn members(&self, chain: Chain<'_>) -> Vec<(usize, &Step)> {
        self.steps.iter().enumerate().filter(|(_, step)| chain_of(step) == chain).collect()
    }

    /// The states that a step becomes: the first is called as it is.
    fn states(&self, index: usize, step: &Step, following: Option<&str>) -> States {
        let name = step.inner().name.as_str();
        let one = |state: Expr| States::from([(name.to_owned(), state)]);
        let after = step.place().and_then(|place| {
            place.next.as_deref().or(following).filter(|_| !place.end).map(ToOwned::to_owned)
        });
        let end = || match &after {
            Some(next) => ("Next", Expr::from(next.as_str())),
            None => ("End", true.into()),
        };
        let (main, before, mut state) = match step {
            Step::Function(step) => {
                let arguments = [("FunctionName", (&step.function).into()), ("Payload", Expr::from(INPUT))];
                let mut state = vec![
                    ("Type", Expr::from("Task")),
                    ("Resource", integration("lambda:invoke")),
                    ("Arguments", Expr::map(arguments)),
                    ("Output", "{% $states.result.Payload %}".into()),
                    end(),
                ];
                state.extend(step.timeout.as_ref().map(|seconds| ("TimeoutSeconds", seconds.into())));
                state.push(("Retry", retry(step.on_error.reaction())));
                state.extend(catch_in_jsonata(step.on_error.reaction()).map(|catch| ("Catch", catch)));
                return one(in_jsonata(state));
            }
            Step::Callback(step) => {
                let message = [("token", "{% $states.context.Task.Token %}"), ("input", INPUT)];
                let arguments =
                    [("QueueUrl", queue_url(&(&step.callback).into())), ("MessageBody", Expr::map(message))];
                // Somebody who never answers is a failure, too.
                let seconds = step.timeout.as_ref().map_or_else(|| 86_400.into(), Expr::from);
                let mut state = vec![
                    ("Type", Expr::from("Task")),
                    ("Resource", integration("sqs:sendMessage.waitForTaskToken")),
                    ("Arguments", Expr::map(arguments)),
                    ("TimeoutSeconds", seconds),
                    end(),
                ];
                state.push(("Retry", retry(step.on_error.reaction())));
                state.extend(catch_in_jsonata(step.on_error.reaction()).map(|catch| ("Catch", catch)));
                return one(in_jsonata(state));
            }
            Step::Wait(step) => {
                return one(in_jsonata([("Type", "Wait".into()), ("Seconds", (&step.wait).into()), end()]));
            }
            Step::Choice(step) => return one(choice(step)),
            Step::Fail(step) => {
                let cause = step.fail.as_str().into();
                return one(in_jsonata([
                    ("Type", "Fail".into()),
                    ("Error", "Failed".into()),
                    ("Cause", cause),
                ]));
            }
            Step::Task(step) => {
                let environment = pairs(step.environment.as_ref(), "Name", "Value");
                let (Some(launch), Some(environment)) = (self.tasks.get(&index), environment) else {
                    return one(Expr::Unknown);
                };
                let seconds = step.timeout.as_ref().map(Expr::from);
                let mut state =
                    outer("Parallel", "Branches", Expr::list([task(name, launch, environment, seconds)]));
                // A container gives no result: the next step gets what this one got. Where none is next, a map
                // would collect its own input as often as it has items.
                let of_map = step.of.inner.branch.is_none() && step.of.inner.within.is_some();
                if of_map && after.is_none() {
                    state.insert("OutputPath".to_owned(), "$.kept".into());
                    ("container", vec![("kept", ITEM.into())], state)
                } else {
                    state.insert("OutputPath".to_owned(), "$.input".into());
                    ("container", Vec::new(), state)
                }
            }
            Step::Parallel(step) => {
                let branches =
                    step.parallel.iter().map(|branch| Expr::Map(self.chain((Some(name), Some(branch)))));
                let mut state = outer("Parallel", "Branches", Expr::list(branches));
                state.insert("OutputPath".to_owned(), "$.result".into());
                ("branches", Vec::new(), state)
            }
            Step::Map(step) => {
                let (before, state) = self.map(name, step);
                ("items", before, state)
            }
        };
        let main = format!("{name} {main}");
        let (field, next) = end();
        state.insert(field.to_owned(), next);
        let mut states = one(aside(&before, &main));
        if let Some(reaction) = step.reaction() {
            state.insert("Retry".to_owned(), retry(reaction));
            if let Some(next) = reaction.2 {
                let told_by = format!("{name} caught");
                state.insert("Catch".to_owned(), caught(&told_by));
                let output = Expr::map(told());
                let pass = [("Type", "Pass".into()), ("Output", output), ("Next", next.into())];
                states.insert(told_by, in_jsonata(pass));
            }
        }
        states.insert(main, Expr::Map(state));
        states
    }

    /// A map: what the state before it puts aside for it, and the state.
    fn map(&self, name: &str, step: &MapStep) -> (Vec<(&'static str, Expr)>, BTreeMap<String, Expr>) {
        let mut body = self.chain((Some(name), None));
        let config = if step.distributed {
            json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" })
        } else {
            json!({ "Mode": "INLINE" })
        };
        body.insert("ProcessorConfig".to_owned(), Expr::Literal(config));
        let mut state = outer("Map", "ItemProcessor", Expr::Map(body));
        state.remove("InputPath");
        let selected =
            [("item.$", "$$.Map.Item.Value"), ("index.$", "$$.Map.Item.Index"), ("input.$", "$.input")];
        state.insert("ItemSelector".to_owned(), Expr::map(selected));
        state.insert("OutputPath".to_owned(), "$.result".into());
        state.insert("MaxConcurrency".to_owned(), (&step.max_concurrency).into());
        if step.distributed {
            let tolerated = (&step.tolerated_failure_percentage).into();
            state.insert("ToleratedFailurePercentage".to_owned(), tolerated);
        }
        let items = match &step.map {
            Items::Count(of) => jsonata(["[0..".into(), (&of.count).into(), " - 1]".into()]),
            // A filter that finds one item gives that and no list, and one that finds none gives nothing.
            Items::Given(of) => {
                let inner = of.items.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
                jsonata(["$append([], (".into(), inner.unwrap_or_default().trim().into(), "))".into()])
            }
            Items::Manifest(of) => {
                let mut config = json!({ "InputType": of.format });
                if of.format == "CSV" {
                    config["CSVHeaderLocation"] = "FIRST_ROW".into();
                }
                let reader = Expr::map([
                    ("Resource", integration("s3:getObject")),
                    ("ReaderConfig", Expr::Literal(config)),
                    ("Parameters", Expr::map([("Bucket.$", "$.bucket"), ("Key.$", "$.key")])),
                ]);
                state.insert("ItemReader".to_owned(), reader);
                return (vec![("bucket", (&of.bucket).into()), ("key", of.key.as_str().into())], state);
            }
        };
        state.insert("ItemsPath".to_owned(), "$.items".into());
        (vec![("items", items)], state)
    }

    /// What the state machine must be allowed.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let mut grants = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Function(step) => grants.push(Grant::InvokeFunction((&step.function).into())),
                Step::Task(_) => {
                    grants.extend(self.tasks.get(&index).map(Launch::grants_to_wait).unwrap_or_default());
                }
                Step::Callback(step) => grants.push(Grant::SendMessages((&step.callback).into())),
                Step::Map(step) => {
                    if step.distributed {
                        grants.push(Grant::StartExecution(self.machine.clone()));
                        grants.push(Grant::WatchExecutions(self.executions.clone()));
                    }
                    if let Items::Manifest(of) = &step.map {
                        let bucket = super::common::bucket_arn((&of.bucket).into());
                        grants.push(Grant::ReadObjects(bucket, String::new()));
                    }
                }
                _ => {}
            }
        }
        let mut seen = Vec::new();
        grants.retain(|grant| {
            let new = !seen.contains(grant);
            seen.push(grant.clone());
            new
        });
        grants
    }
}

/// States around the steps of an express workflow; no step has a space in its name.
const BEGIN: &str = "All begins";
const ALL: &str = "All steps";
const TELL: &str = "Tell the dead letters";
const FAILED: &str = "All failed";

/// The ARN of what a state calls.
fn integration(call: &str) -> Expr {
    Expr::concat(["arn:".into(), Expr::Place(Place::Partition), format!(":states:::{call}").into()])
}

/// A state's input, in JSONata.
const INPUT: &str = "{% $states.input %}";

/// The item, where a state's input is what a map gives to the first step; else the input.
const ITEM: &str = "{% $type($states.input) = 'object' and $exists($states.input.item) and \
                    $exists($states.input.index) and $exists($states.input.input) ? $states.input.item : \
                    $states.input %}";

/// A state whose values are JSONata.
fn in_jsonata<'a>(members: impl IntoIterator<Item = (&'a str, Expr)>) -> Expr {
    Expr::map(members.into_iter().chain([("QueryLanguage", "JSONata".into())]))
}

/// A state that puts its input aside, with more, for one in JSONPath.
fn aside(more: &[(&'static str, Expr)], next: &str) -> Expr {
    let output = Expr::map([("input", Expr::from(INPUT))].into_iter().chain(more.iter().cloned()));
    in_jsonata([("Type", "Pass".into()), ("Output", output), ("Next", next.into())])
}

/// A state in JSONPath that runs others with what was put aside.
fn outer(ty: &str, field: &str, inner: Expr) -> BTreeMap<String, Expr> {
    let members = [
        ("Type", Expr::from(ty)),
        (field, inner),
        ("InputPath", "$.input".into()),
        ("ResultPath", "$.result".into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What whoever catches an error of such a state is told.
fn told() -> Vec<(&'static str, &'static str)> {
    vec![
        ("error", "{% $exists($states.input.failure.Error) ? $states.input.failure.Error : '' %}"),
        ("cause", "{% $exists($states.input.failure.Cause) ? $states.input.failure.Cause : '' %}"),
        ("input", "{% $states.input.input %}"),
    ]
}

/// Has such a state go on when it failed.
fn caught(next: &str) -> Expr {
    Expr::list([Expr::map([
        ("ErrorEquals", Expr::list(["States.ALL"])),
        ("ResultPath", "$.failure".into()),
        ("Next", next.into()),
    ])])
}

/// The URL of a queue, from its ARN.
fn queue_url(arn: &Expr) -> Expr {
    jsonata([
        "($arn := $split('".into(),
        arn.clone(),
        "', ':'); 'https://sqs.' & $arn[3] & ($arn[1] = 'aws-cn' ? '.amazonaws.com.cn/' : '.amazonaws.com/') & \
         $arn[4] & '/' & $arn[5])"
            .into(),
    ])
}

/// How a state is tried again; none of the attempts is none at all, and looks alike.
fn retry((attempts, interval, _): Reaction<'_>) -> Expr {
    let retry = Expr::map([
        ("ErrorEquals", Expr::list(["States.ALL"])),
        ("MaxAttempts", attempts.into()),
        ("IntervalSeconds", interval.into()),
        ("BackoffRate", 2.into()),
        ("MaxDelaySeconds", 300.into()),
        // So that many that failed together do not come again together.
        ("JitterStrategy", "FULL".into()),
    ]);
    Expr::list([retry])
}

/// Has a state in JSONata go on with a step when it failed, and tells that what.
fn catch_in_jsonata((_, _, next): Reaction<'_>) -> Option<Expr> {
    let next = next?;
    let output = [
        ("error", "{% $exists($states.errorOutput.Error) ? $states.errorOutput.Error : '' %}"),
        ("cause", "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}"),
        ("input", INPUT),
    ];
    let catch = Expr::map([
        ("ErrorEquals", Expr::list(["States.ALL"])),
        ("Output", Expr::map(output)),
        ("Next", next.into()),
    ]);
    Some(Expr::list([catch]))
}

/// The branch that runs a container to its end, and looks how it ended: one that exits non-zero fails the
/// step, so that it can be tried again and caught as others are.
fn task(name: &str, launch: &Launch, environment: Vec<Expr>, timeout: Option<Expr>) -> Expr {
    let (run, exit, done, failed) =
        (format!("{name} run"), format!("{name} exit"), format!("{name} done"), format!("{name} failed"));
    let target = launch.members();
    let ids = |list: Expr| jsonata(["$split('".into(), list, "', ',')".into()]);
    let provider = |names: &[&str]| {
        let items: Vec<String> =
            names.iter().map(|name| format!("{{'CapacityProvider': '{name}', 'Weight': 1}}")).collect();
        format!("[{}]", items.join(", "))
    };
    let strategies = format!(
        "$lookup({{'fargate': {}, 'fargate_spot': {}, 'mixed': {}}}, '",
        provider(&["FARGATE"]),
        provider(&["FARGATE_SPOT"]),
        provider(&["FARGATE", "FARGATE_SPOT"])
    );
    // An input that is chosen from is not given whole, too: ECS takes little.
    let variables = if environment.is_empty() {
        vec![Expr::map([("Name", "TANDEM_INPUT"), ("Value", "{% $string($states.input) %}")])]
    } else {
        environment
    };
    let network = Expr::map([
        ("Subnets", ids(target.subnets)),
        ("SecurityGroups", ids(target.security_groups)),
        ("AssignPublicIp", jsonata([target.assign_public_ip, " ? 'ENABLED' : 'DISABLED'".into()])),
    ]);
    let container_name = target.container;
    let container = Expr::map([("Name", container_name.clone()), ("Environment", Expr::List(variables))]);
    let arguments = Expr::map([
        ("Cluster", target.cluster),
        ("TaskDefinition", target.task_definition),
        ("CapacityProviderStrategy", jsonata([strategies.into(), target.capacity, "')".into()])),
        ("NetworkConfiguration", Expr::map([("AwsvpcConfiguration", network)])),
        ("Overrides", Expr::map([("ContainerOverrides", Expr::list([container]))])),
    ]);
    let mut run_state = vec![
        ("Type", Expr::from("Task")),
        ("Resource", integration("ecs:runTask.sync")),
        ("Arguments", arguments),
        ("Next", exit.as_str().into()),
    ];
    run_state.extend(timeout.map(|seconds| ("TimeoutSeconds", seconds)));
    // The container's exit code in the description of the task, whichever way that spells it. One that has none
    // was never started; others that AWS puts beside it do not count.
    let with_codes = |then: &str| {
        let of = |name: &str, code: &str| {
            let [name, code] = [format!("$states.input.**[{name} = '"), format!("'].{code}")];
            [name.into(), container_name.clone(), code.into()]
        };
        let codes = of("Name", "ExitCode").into_iter().chain([", ".into()]).chain(of("name", "exitCode"));
        let parts = std::iter::once("($codes := $append(".into()).chain(codes);
        jsonata(parts.chain([format!("); {then})").into()]))
    };
    let good = with_codes("$count($codes) > 0 and $count($codes[$ != 0]) = 0");
    let ended_well = [("Condition", good), ("Next", done.as_str().into())];
    let cause = with_codes("'The container exited with ' & $join($codes.$string($), ', ')");
    let states = States::from([
        (run.clone(), in_jsonata(run_state)),
        (
            exit,
            in_jsonata([
                ("Type", "Choice".into()),
                ("Choices", Expr::list([Expr::map(ended_well)])),
                ("Default", failed.as_str().into()),
            ]),
        ),
        (done, in_jsonata([("Type", "Succeed".into())])),
        (
            failed,
            in_jsonata([("Type", "Fail".into()), ("Error", "ContainerFailed".into()), ("Cause", cause)]),
        ),
    ]);
    Expr::map([("StartAt", run.into()), ("States", Expr::Map(states))])
}

fn choice(step: &ChoiceStep) -> Expr {
    let conditions = step.choice.iter().map(|condition| {
        Expr::map([("Condition", condition.when.as_str()), ("Next", condition.next.as_str())])
    });
    in_jsonata([
        ("Type", "Choice".into()),
        ("Choices", Expr::list(conditions)),
        ("Default", step.otherwise.as_str().into()),
    ])
}

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
            if chain_of(&steps[*of_next]) != chain_of(step) {
                findings.error(
                    Code::UnknownReference,
                    at(index, &field),
                    format!("`{next}` is within something else, and no step leads in or out of that"),
                    "Name a step that is within the same.",
                );
            }
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
        let last = || !steps[index + 1..].iter().any(|other| chain_of(other) == chain_of(step));
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
    let of_each = fewest_events(steps, (Some(&map.of.inner.name), None)) + 2;
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
    let members: Vec<&Step> = steps.iter().filter(|step| chain_of(step) == chain).collect();
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
            AROUND + of.parallel.iter().map(|branch| fewest_events(steps, (name, Some(branch)))).sum::<i64>()
        }
        Step::Map(of) => match &of.map {
            Items::Count(Count { count }) if !of.distributed => {
                let count = count.known().copied().unwrap_or_default();
                AROUND + count.saturating_mul(fewest_events(steps, (name, None)) + 2)
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
    for _ in 0..steps.len() {
        if around == Some(inner.name.as_str()) {
            findings.error(Code::Cycle, at("within"), "a step cannot be within itself", "Name another step.");
            break;
        }
        around = around.and_then(|name| steps[*names.get(name)?].inner().within.as_deref());
    }
    let has =
        |branch: Option<&str>| steps.iter().any(|other| chain_of(other) == (Some(&*inner.name), branch));
    match step {
        Step::Map(_) if !has(None) => {
            let help = format!("Give at least one step with `within = \"{}\"`.", inner.name);
            findings.error(Code::Missing, at("map"), "there is nothing to do for each item", help);
        }
        Step::Parallel(parallel) => {
            if parallel.parallel.is_empty() {
                findings.error(Code::Missing, at("parallel"), "there is no branch", "Name at least one.");
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
        let chain = chain_of(step);
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
            todo.extend(later.find(|(_, other)| chain_of(other) == chain_of(step)).map(|(index, _)| index));
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
