//! The definition of a workflow in the Amazon States Language, from its steps.

use std::collections::BTreeMap;

use serde_json::json;

use super::launch::Launch;
use super::steps::{Chain, ChoiceStep, Items, MapStep, OnError, Step, pairs};
use crate::capacity::{self, CAPACITIES, Capacity};
use crate::edge::{Edge, End, KeyPattern, ResourceType, Verb};
use crate::expr::{Ambient, Expr};
use crate::finding::Path;
use crate::graph::Key;
use crate::partition;
use crate::policy::Grant;

/// The steps of a workflow, and the ARNs that its definition and grants refer to.
pub(super) struct Source<'a> {
    pub(super) steps: &'a [Step],
    /// The task of each step that runs one, by its index.
    pub(super) tasks: &'a BTreeMap<usize, Launch>,
    /// The ARN of the state machine itself: a distributed map starts executions of it.
    pub(super) machine: &'a Expr,
    /// The ARN of its executions, without their names.
    pub(super) executions: &'a Expr,
}

/// A JSONata expression `{% … %}` of these parts.
fn jsonata(parts: impl IntoIterator<Item = Expr>) -> Expr {
    let inner = parts.into_iter();
    Expr::concat(std::iter::once("{% ".into()).chain(inner).chain([" %}".into()]))
}

/// States by name.
type States = BTreeMap<String, Expr>;

impl Source<'_> {
    /// The definition. With `dead_letters`, the ARN of a queue, it sends a message for a failed execution itself.
    ///
    /// Values are JSONata. A state that runs other states is JSONPath, because AWS and emulators agree on it
    /// there. It needs a state before it that saves its input.
    pub(super) fn definition(&self, dead_letters: Option<&Expr>) -> Expr {
        let whole = self.chain((None, None));
        let Some(queue) = dead_letters else { return Expr::Map(whole) };
        // An express execution publishes no event when it fails, so the definition sends the message.
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
            ("Retry", retry(&OnError { retry_attempts: 5.into(), retry_interval: 1.into(), catch: None })),
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
        self.steps.iter().enumerate().filter(|(_, step)| step.chain() == chain).collect()
    }

    /// The states of a step. The first has the step's name; the names of the others add a suffix to it.
    fn states(&self, index: usize, step: &Step, following: Option<&str>) -> States {
        let name = step.inner().name.as_str();
        let one = |state: Expr| States::from([(name.to_owned(), state)]);
        let after = step.after(following);
        let end = || match after {
            Some(next) => ("Next", Expr::from(next)),
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
                state.push(("Retry", retry(&step.on_error)));
                state.extend(catch_in_jsonata(&step.on_error).map(|catch| ("Catch", catch)));
                return one(in_jsonata(state));
            }
            Step::Callback(step) => {
                let message = [("token", "{% $states.context.Task.Token %}"), ("input", INPUT)];
                let arguments =
                    [("QueueUrl", queue_url(&(&step.callback).into())), ("MessageBody", Expr::map(message))];
                // Without a timeout, a lost token would keep the execution waiting for a year.
                let seconds = step.timeout.as_ref().map_or_else(|| 86_400.into(), Expr::from);
                let mut state = vec![
                    ("Type", Expr::from("Task")),
                    ("Resource", integration("sqs:sendMessage.waitForTaskToken")),
                    ("Arguments", Expr::map(arguments)),
                    ("TimeoutSeconds", seconds),
                    end(),
                ];
                state.push(("Retry", retry(&step.on_error)));
                state.extend(catch_in_jsonata(&step.on_error).map(|catch| ("Catch", catch)));
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
                // A container has no result, so the next step gets the input of this one. The last step of a
                // map returns the item instead: the input contains the input of the map, once per item.
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
        if let Some(on_error) = step.on_error() {
            state.insert("Retry".to_owned(), retry(on_error));
            if let Some(next) = on_error.catch.as_deref() {
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

    /// A map: the values that the state before it saves, and the state.
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
            // JSONata returns one match without a list, and no value without a match; `$append` gives a list.
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

    /// The grants of the state machine's role, without duplicates, and the edges to the resources that the
    /// steps use.
    pub(super) fn uses(&self, machine: &Key, paths: &[Path]) -> (Vec<Grant>, Vec<Edge>) {
        let mut grants: Vec<Grant> = Vec::new();
        let mut edges = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let (verb, used, needed) = match step {
                Step::Function(step) => {
                    let arn = Expr::from(&step.function);
                    let end = End::Resource(ResourceType::Function, arn.clone());
                    (Verb::Invokes, end, vec![Grant::InvokeFunction(arn)])
                }
                Step::Task(_) => {
                    let Some(launch) = self.tasks.get(&index) else { continue };
                    (Verb::Starts, launch.end.clone(), launch.grants_to_wait())
                }
                Step::Callback(step) => {
                    let arn = Expr::from(&step.callback);
                    let end = End::Resource(ResourceType::Queue, arn.clone());
                    (Verb::Sends, end, vec![Grant::SendMessages(arn)])
                }
                Step::Map(step) => {
                    if step.distributed {
                        // The executions of the map itself: not an edge, since no event causes them again.
                        grants.push(Grant::StartExecution(self.machine.clone()));
                        grants.push(Grant::WatchExecutions(self.executions.clone()));
                    }
                    let Items::Manifest(of) = &step.map else { continue };
                    let name = Expr::from(&of.bucket);
                    let read =
                        Grant::ReadObjects(super::common::bucket_arn(name.clone()), KeyPattern::default());
                    (Verb::Reads, End::Resource(ResourceType::Bucket, name), vec![read])
                }
                _ => continue,
            };
            grants.extend(needed);
            let path = paths.get(index).cloned().unwrap_or_default();
            edges.push(Edge::new(machine.clone(), verb, used).step(&step.inner().name).at(path));
        }
        let mut seen = Vec::new();
        grants.retain(|grant| {
            let new = !seen.contains(grant);
            seen.push(grant.clone());
            new
        });
        (grants, edges)
    }
}

/// Names of the states around the steps of an express workflow. Names of steps cannot contain a space.
const BEGIN: &str = "All begins";
const ALL: &str = "All steps";
const TELL: &str = "Tell the dead letters";
const FAILED: &str = "All failed";

/// The ARN of a service integration, for the `Resource` of a task state.
fn integration(call: &str) -> Expr {
    Expr::concat(["arn:".into(), Expr::Ambient(Ambient::Partition), format!(":states:::{call}").into()])
}

/// The input of a state, in JSONata.
const INPUT: &str = "{% $states.input %}";

/// The item, if the state's input has the form that a map passes to its first step; otherwise the input.
const ITEM: &str = "{% $type($states.input) = 'object' and $exists($states.input.item) and \
                    $exists($states.input.index) and $exists($states.input.input) ? $states.input.item : \
                    $states.input %}";

/// A state whose values are JSONata.
fn in_jsonata<'a>(members: impl IntoIterator<Item = (&'a str, Expr)>) -> Expr {
    Expr::map(members.into_iter().chain([("QueryLanguage", "JSONata".into())]))
}

/// A state that saves its input and further values for the JSONPath state after it.
fn aside(more: &[(&'static str, Expr)], next: &str) -> Expr {
    let output = Expr::map([("input", Expr::from(INPUT))].into_iter().chain(more.iter().cloned()));
    in_jsonata([("Type", "Pass".into()), ("Output", output), ("Next", next.into())])
}

/// A JSONPath state that runs other states with the saved input.
fn outer(ty: &str, field: &str, inner: Expr) -> BTreeMap<String, Expr> {
    let members = [
        ("Type", Expr::from(ty)),
        (field, inner),
        ("InputPath", "$.input".into()),
        ("ResultPath", "$.result".into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The input of a step that catches an error of a JSONPath state.
fn told() -> Vec<(&'static str, &'static str)> {
    vec![
        ("error", "{% $exists($states.input.failure.Error) ? $states.input.failure.Error : '' %}"),
        ("cause", "{% $exists($states.input.failure.Cause) ? $states.input.failure.Cause : '' %}"),
        ("input", "{% $states.input.input %}"),
    ]
}

/// The `Catch` of a JSONPath state: it continues with this state on any error.
fn caught(next: &str) -> Expr {
    Expr::list([Expr::map([
        ("ErrorEquals", Expr::list(["States.ALL"])),
        ("ResultPath", "$.failure".into()),
        ("Next", next.into()),
    ])])
}

/// The URL of a queue, from its ARN.
fn queue_url(arn: &Expr) -> Expr {
    let domains: Vec<String> =
        partition::all().iter().map(|one| format!("'{}': '{}'", one.id, one.dns_suffix)).collect();
    let domains = domains.join(", ");
    jsonata([
        "($arn := $split('".into(),
        arn.clone(),
        format!(
            "', ':'); 'https://sqs.' & $arn[3] & '.' & $lookup({{{domains}}}, $arn[1]) & '/' & $arn[4] & '/' & $arn[5])"
        )
        .into(),
    ])
}

/// The `Retry` of a state. Zero attempts are valid, so every definition has the same form.
fn retry(on_error: &OnError) -> Expr {
    let retry = Expr::map([
        ("ErrorEquals", Expr::list(["States.ALL"])),
        ("MaxAttempts", (&on_error.retry_attempts).into()),
        ("IntervalSeconds", (&on_error.retry_interval).into()),
        ("BackoffRate", 2.into()),
        ("MaxDelaySeconds", 300.into()),
        // Random delays, so that states that failed at the same time do not retry at the same time.
        ("JitterStrategy", "FULL".into()),
    ]);
    Expr::list([retry])
}

/// The `Catch` of a JSONata state: it continues with the step `catch`, which gets the error.
fn catch_in_jsonata(on_error: &OnError) -> Option<Expr> {
    let next = on_error.catch.as_deref()?;
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

/// The branch that runs a container until it ends and checks its exit code. A code other than zero fails the
/// step, so that retries and `catch` apply to it.
fn task(name: &str, launch: &Launch, environment: Vec<Expr>, timeout: Option<Expr>) -> Expr {
    let (run, exit, done, failed) =
        (format!("{name} run"), format!("{name} exit"), format!("{name} done"), format!("{name} failed"));
    let target = launch.members();
    let ids = |list: Expr| jsonata(["$split('".into(), list, "', ',')".into()]);
    // With variables of its own, the container does not also get the whole input: ECS limits the size.
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
    let arguments = [
        ("Cluster", target.cluster),
        ("TaskDefinition", target.task_definition),
        ("NetworkConfiguration", Expr::map([("AwsvpcConfiguration", network)])),
        ("Overrides", Expr::map([("ContainerOverrides", Expr::list([container]))])),
    ];
    let known = target.capacity.as_text().and_then(capacity::of);
    let arguments = if let Some(capacity) = known {
        Expr::map(arguments.into_iter().chain([on(capacity)]))
    } else {
        let all = CAPACITIES.iter().map(|(word, capacity)| (*word, Expr::map([on(*capacity)])));
        let chosen = Expr::Lookup(Box::new(Expr::map(all)), Box::new(target.capacity));
        Expr::Merge(vec![Expr::map(arguments), chosen])
    };
    let mut run_state = vec![
        ("Type", Expr::from("Task")),
        ("Resource", integration("ecs:runTask.sync")),
        ("Arguments", arguments),
        ("Next", exit.as_str().into()),
    ];
    run_state.extend(timeout.map(|seconds| ("TimeoutSeconds", seconds)));
    // The container's exit codes in the description of the task, in both spellings of its fields. A container
    // that never started has none. Containers that AWS adds to the task do not count.
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

/// The argument of RunTask for a capacity. It is not JSONata, which cannot leave an argument out: AWS rejects a
/// call with a launch type and a strategy.
fn on(capacity: Capacity) -> (&'static str, Expr) {
    match capacity {
        Capacity::LaunchType(name) => ("LaunchType", name.into()),
        Capacity::Strategy(names) => {
            let items = names.iter().map(|name| json!({ "CapacityProvider": name, "Weight": 1 }));
            ("CapacityProviderStrategy", Expr::list(items.map(Expr::Literal)))
        }
    }
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
