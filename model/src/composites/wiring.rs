//! The triggers of a function: their objects, and the grants of the function's role.

use super::child::Child;
use super::common;
use super::endpoint::{self, Endpoint};
use super::function::FunctionSpec;
use super::rule::{self, DeadLetters, Target};
use super::schedule::{self, Schedule, Scheduler, SchedulerSpec};
use super::triggers::{Batching, BucketTrigger, EventTrigger, Records, TopicTrigger, Trigger, parsed};
use crate::edge::{Edge, End, Event, ResourceType, Verb};
use crate::expr::{Ambient, Expr};
use crate::graph::{Graph, Handle, ObjectBuilder};
use crate::kinds::{lambda, s3, sns};
use crate::names;
use crate::policy::{Grant, On};
use crate::scalar::Scalar;

/// The objects that triggers refer to.
pub(super) struct TriggerTarget<'a> {
    pub(super) function: &'a Handle,
    pub(super) dead_letters: DeadLetters<'a>,
    /// The policy of the function's role. Lambda checks it when it creates an event source mapping.
    pub(super) role_policy: &'a Handle,
    /// The rules of the triggers on events, in order.
    pub(super) rules: &'a [Handle],
}

/// The grants to read the sources of triggers: queues and streams.
pub(super) fn grants(spec: &FunctionSpec<'_>) -> Vec<Grant> {
    let mut queues = queue_arns(spec).into_iter();
    let grants = spec.on.iter().filter_map(|trigger| match trigger {
        Trigger::Queue(_) => queues.next().map(Grant::ConsumeQueue),
        Trigger::Stream(trigger) => Some(Grant::ConsumeStream((&trigger.stream).into())),
        Trigger::Table(trigger) => Some(Grant::ConsumeTableStream((&trigger.table).into())),
        _ => None,
    });
    grants.collect()
}

/// The ARNs of the triggers' queues, in the order of the triggers. The queues can be in the same graph.
fn queue_arns(spec: &FunctionSpec<'_>) -> Vec<Expr> {
    if !spec.queues.is_empty() {
        return spec.queues.iter().map(Handle::arn).collect();
    }
    let given = spec.on.iter().filter_map(|trigger| match trigger {
        Trigger::Queue(trigger) => Some((&trigger.queue).into()),
        _ => None,
    });
    given.collect()
}

/// Adds the rules of EventBridge.
pub(super) fn add_rules(graph: &mut Graph, spec: &FunctionSpec<'_>, slots: &mut Slots) -> Vec<Handle> {
    let on = names::trigger_slot(&spec.part.main("function"));
    let mut rules = Vec::new();
    for trigger in spec.on {
        let Trigger::Event(EventTrigger { event_pattern }) = trigger else { continue };
        let slot = slots.unique(&format!("{on}_event"));
        let name = if rules.is_empty() { "on-event".to_owned() } else { slot.replace('_', "-") };
        let rule = rule::add(graph, &spec.part, (&slot, &name), parsed(event_pattern));
        rules.push(rule.named_by_inputs().handle());
    }
    rules
}

/// The services that may send to the dead-letter queue, with their sources: the rules and topics of triggers,
/// for events that they cannot deliver.
pub(super) fn senders(on: &[Trigger], rules: &[Handle]) -> Vec<(&'static str, On)> {
    let topics = on.iter().filter_map(|trigger| match trigger {
        Trigger::Topic(trigger) => Some(("sns.amazonaws.com", On::Source((&trigger.topic).into()))),
        _ => None,
    });
    rules.iter().map(rule::sender).chain(topics).collect()
}

/// Adds the objects of the triggers. Returns the endpoint of the `http` trigger, if there is one.
pub(super) fn add_triggers(
    graph: &mut Graph,
    spec: &FunctionSpec<'_>,
    target: &TriggerTarget<'_>,
    slots: &mut Slots,
) -> Option<Endpoint> {
    let mut scheduler: Option<Scheduler<'_>> = None;
    let mut rules = target.rules.iter();
    let mut queues = queue_arns(spec).into_iter();
    let mut made_queues = spec.queues.iter();
    let mut endpoint = None;
    for (index, trigger) in spec.on.iter().enumerate() {
        let path = spec.trigger_paths.get(index).cloned().unwrap_or_default();
        // The edge from a source of events to the function.
        let triggers = |source: End, event| {
            Edge::new(source, Verb::Triggers, target.function).event(event).at(path.clone())
        };
        match trigger {
            Trigger::Bucket(trigger) => {
                let source = match spec.bucket {
                    Some(made) => made.into(),
                    None => End::Resource(ResourceType::Bucket, (&trigger.bucket).into()),
                };
                let edge = triggers(source, Event::Object).objects(trigger.objects());
                graph.connect(edge.allow_loop(spec.part.allow_loop(&trigger.loops)));
                add_bucket(graph, spec, target, trigger, slots);
            }
            Trigger::Queue(trigger) => {
                let source = match made_queues.next() {
                    Some(made) => made.into(),
                    None => End::Resource(ResourceType::Queue, (&trigger.queue).into()),
                };
                let edge = triggers(source, Event::Message).allow_loop(spec.part.allow_loop(&trigger.loops));
                graph.connect(Edge { partial: trigger.batch.partial_batch_response, ..edge });
                let slot = source_slot(spec, &trigger.queue, slots);
                let queue = queues.next().expect("a queue for each trigger");
                add_mapping(graph, target, &slot, queue, &trigger.batch);
            }
            Trigger::Stream(trigger) => {
                let source = End::Resource(ResourceType::Stream, (&trigger.stream).into());
                let edge =
                    triggers(source, Event::Record).allow_loop(spec.part.allow_loop(&trigger.records.loops));
                graph.connect(Edge { partial: trigger.records.batch.partial_batch_response, ..edge });
                let slot = source_slot(spec, &trigger.stream, slots);
                add_records(graph, target, &slot, &trigger.stream, &trigger.records);
            }
            Trigger::Table(trigger) => {
                let source = End::Resource(ResourceType::Table, (&trigger.table).into());
                let edge =
                    triggers(source, Event::Change).allow_loop(spec.part.allow_loop(&trigger.records.loops));
                graph.connect(Edge { partial: trigger.records.batch.partial_batch_response, ..edge });
                let slot = source_slot(spec, &trigger.table, slots);
                add_records(graph, target, &slot, &trigger.table, &trigger.records);
            }
            Trigger::Schedule(trigger) => {
                let of_function = SchedulerSpec {
                    part: &spec.part,
                    target: schedule::Target::Function(target.function),
                    dead_letters: Some(target.dead_letters.queue),
                    common: spec.common,
                };
                let scheduler = scheduler.get_or_insert_with(|| Scheduler::add(graph, of_function));
                let on = names::trigger_slot(&spec.part.main("function"));
                let schedule = Schedule {
                    expression: &trigger.schedule,
                    timezone: &trigger.timezone,
                    flexible_window: None,
                    input: trigger.input.as_deref().map(parsed),
                    retry_attempts: (&spec.function.maximum_retry_attempts).into(),
                    maximum_event_age: None,
                    path,
                };
                scheduler.schedule(graph, &slots.unique(&format!("{on}_schedule")), schedule);
            }
            // The checks reported a second one as an error.
            Trigger::Http(_) if endpoint.is_some() => {}
            Trigger::Http(trigger) => {
                let added = endpoint::add_http(graph, spec, target, trigger);
                graph.connect(triggers((&added.source).into(), Event::Request));
                endpoint = Some(added);
            }
            Trigger::Topic(trigger) => {
                let source = || End::Resource(ResourceType::Topic, (&trigger.topic).into());
                graph.connect(
                    triggers(source(), Event::Notification).allow_loop(spec.part.allow_loop(&trigger.loops)),
                );
                // SNS sends what it cannot deliver to the dead-letter queue.
                graph.connect(Edge::new(source(), Verb::FailsTo, target.dead_letters.queue).at(path.clone()));
                add_topic(graph, spec, target, trigger, slots);
            }
            Trigger::Event(_) => {
                let rule = rules.next().expect("a rule for each trigger");
                let slot = rule.key().slot();
                let permission = permission(graph, target, slot, rule::SERVICE, rule.arn());
                let to = Target::Function {
                    function: target.function,
                    permission: &permission,
                    retry_attempts: &spec.function.maximum_retry_attempts,
                };
                rule::deliver(graph, rule, &to, target.dead_letters, triggers(rule.into(), Event::Bus));
            }
        }
    }
    graph.unstable |= slots.unstable;
    endpoint
}

/// The slot of a trigger's event source mapping, after its source.
fn source_slot(spec: &FunctionSpec<'_>, arn: &Scalar<String>, slots: &mut Slots) -> String {
    let source = slots.part(arn);
    slots.unique(&format!("{}_{}", spec.part.slot("on"), names::source(&source)))
}

/// Adds an event source mapping.
fn add_mapping<'g>(
    graph: &'g mut Graph,
    target: &TriggerTarget<'_>,
    slot: &str,
    source: Expr,
    batch: &Batching,
) -> ObjectBuilder<'g> {
    let types: &[&str] = if batch.partial_batch_response { &["ReportBatchItemFailures"] } else { &[] };
    graph
        .add(&lambda::EVENT_SOURCE_MAPPING, slot)
        .set("function_name", target.function.attribute("function_name"))
        .set("event_source_arn", source)
        .set("batch_size", &batch.batch_size)
        .set("maximum_batching_window_in_seconds", &batch.maximum_batching_window)
        .set("function_response_types", Expr::list(types.iter().copied()))
        .set("enabled", true)
        .after(target.role_policy)
}

fn add_bucket(
    graph: &mut Graph,
    spec: &FunctionSpec<'_>,
    target: &TriggerTarget<'_>,
    trigger: &BucketTrigger,
    slots: &mut Slots,
) {
    let part = &spec.part;
    let on = names::trigger_slot(&part.main("function"));
    let (prefix, suffix) = trigger.filter();
    let (bucket, place) = match spec.bucket {
        Some(made) => (made.attribute("bucket"), String::new()),
        None => ((&trigger.bucket).into(), slots.part(&trigger.bucket)),
    };
    let slot = slots.unique(&[&on, &place, &trigger.kinds().join("_"), prefix, suffix].join("_"));
    let permission = permission(graph, target, &slot, "s3.amazonaws.com", common::bucket_arn(bucket.clone()));
    let id = match &part.context.project {
        Some(project) => format!("{}{slot}", notification_prefix(project, part.name)).into(),
        None => Expr::Unknown,
    };
    let entry = graph
        .add(&s3::NOTIFICATION, &slot)
        .set("bucket", bucket)
        .set("id", id)
        .set("lambda_function_arn", target.function.arn())
        .set("events", Expr::list(trigger.events()))
        .after(&permission);
    let entry = if prefix.is_empty() { entry } else { entry.set("filter_prefix", prefix) };
    if !suffix.is_empty() {
        entry.set("filter_suffix", suffix);
    }
}

/// Lets a service invoke the function for a source (its ARN) of this account.
pub(super) fn permission(
    graph: &mut Graph,
    target: &TriggerTarget<'_>,
    slot: &str,
    service: &str,
    source: Expr,
) -> Handle {
    // The ARN of a bucket has no account; all others do. Not every service sends `aws:SourceAccount`.
    let account = (service == "s3.amazonaws.com").then_some(Expr::Ambient(Ambient::Account));
    graph
        .add(&lambda::PERMISSION, slot)
        .set("function_name", target.function.attribute("function_name"))
        .set("statement_id", slot)
        .set("action", "lambda:InvokeFunction")
        .set("principal", service)
        .set("source_arn", source)
        .set_if("source_account", account)
        .handle()
}

fn add_records(
    graph: &mut Graph,
    target: &TriggerTarget<'_>,
    slot: &str,
    source: &Scalar<String>,
    records: &Records,
) {
    add_mapping(graph, target, slot, source.into(), &records.batch)
        .set("starting_position", records.starting_position.as_str())
        .set("bisect_batch_on_function_error", &records.bisect_on_error)
        .set("maximum_retry_attempts", &records.retry_attempts)
        .set("maximum_record_age_in_seconds", &records.maximum_record_age)
        .set("parallelization_factor", &records.parallelization_factor)
        .set("on_failure", target.dead_letters.queue.arn());
}

fn add_topic(
    graph: &mut Graph,
    spec: &FunctionSpec<'_>,
    target: &TriggerTarget<'_>,
    trigger: &TopicTrigger,
    slots: &mut Slots,
) {
    let topic = slots.part(&trigger.topic);
    let slot = slots.unique(&format!("{}_{}", spec.part.slot("on"), names::source(&topic)));
    let permission = permission(graph, target, &slot, "sns.amazonaws.com", (&trigger.topic).into());
    let redrive = Expr::map([("deadLetterTargetArn", target.dead_letters.queue.arn())]);
    let subscription = graph
        .add(&sns::TOPIC_SUBSCRIPTION, &slot)
        .set("topic_arn", &trigger.topic)
        .set("protocol", "lambda")
        .set("endpoint", target.function.arn())
        .set("redrive_policy", redrive)
        .after(&permission)
        .after(target.dead_letters.policy);
    trigger.filter.set(subscription);
}

/// The slots of triggers. A slot follows from the trigger's source, so that a trigger keeps its objects when
/// another one is added or removed. Equal slots get numbers.
#[derive(Default)]
pub(super) struct Slots {
    known: names::Slots,
    unstable: bool,
}

impl Slots {
    /// A part of a slot. With an unknown value, keys can still change at apply: the graph is unstable.
    fn part(&mut self, value: &Scalar<String>) -> String {
        match value {
            Scalar::Known(value) | Scalar::Reference(value) => value.clone(),
            Scalar::Unknown => {
                self.unstable = true;
                String::new()
            }
        }
    }

    fn unique(&mut self, text: &str) -> String {
        self.known.unique(text)
    }
}

/// The prefix of the ids of notifications of a composite. The slot follows.
fn notification_prefix(project: &str, name: &str) -> String {
    format!("tandem-{project}-{name}-")
}

/// The services that triggers allow to invoke a function.
const SENDERS: [&str; 3] = [rule::SERVICE, "s3.amazonaws.com", "sns.amazonaws.com"];

/// The slot of a permission: its statement id.
pub(super) fn slot_of_permission(child: &Child<'_>) -> Option<String> {
    let (id, http) = (child.text("statement_id"), endpoint::http_slot(child.parent));
    let of_trigger = id.starts_with(&format!("{}_", names::trigger_slot(child.parent)))
        && child.text("action") == "lambda:InvokeFunction"
        && SENDERS.contains(&child.text("principal"));
    (of_trigger || id == http || id == format!("{http}_invoke")).then(|| id.to_owned())
}

/// The slot of an event source mapping of an older version, which carries no key.
pub(super) fn slot_of_mapping(child: &Child<'_>) -> String {
    let source = names::source(child.text("event_source_arn"));
    names::slot(&format!("{}_{source}", names::trigger_slot(child.parent)))
}

/// The slot of a notification: the end of its id.
pub(super) fn slot_of_notification(child: &Child<'_>) -> Option<String> {
    let prefix = notification_prefix(&child.owner.project, &child.owner.name);
    let slot = child.text("id").strip_prefix(&prefix)?;
    // The id of another composite, whose name begins with this one's.
    (!slot.is_empty() && !slot.contains('-')).then(|| slot.to_owned())
}
