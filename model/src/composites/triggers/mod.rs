//! Triggers of functions, workflows, tasks and queues: one file per source of events, with its inputs, checks,
//! objects, grants, edge and keys.
//!
//! A trigger implements [`EventSource`] for each [target](target) that it can trigger. [`Triggers`] adds the objects of
//! all triggers of a target.

pub(super) mod bucket;
pub(super) mod event;
pub(super) mod http;
pub(super) mod queue;
pub(super) mod records;
pub(super) mod schedule;
pub(super) mod target;
pub(super) mod topic;

use std::collections::{BTreeMap, BTreeSet};

use self::bucket::{BucketStart, BucketTrigger};
use self::event::{EventStart, EventTrigger};
use self::http::{Endpoint, HttpTrigger};
use self::queue::QueueTrigger;
use self::records::{StreamTrigger, TableTrigger};
use self::schedule::{ScheduleStart, ScheduleTrigger, Scheduler};
use self::target::{FunctionTarget, MachineTarget, Target};
use self::topic::TopicTrigger;
use super::part::Part;
use super::rule;
use crate::checks::filters::{self, Filter};
use crate::composite::item_path;
use crate::context::Context;
use crate::edge::{Edge, End, ResourceType, Verb};
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule};
use crate::names;
use crate::policy::{Grant, On};
use crate::scalar::Scalar;
use crate::value::Value;

/// A trigger of a function.
#[derive(Debug, Inputs)]
pub(super) enum Trigger {
    /// Invokes the function for objects that are created in a bucket or removed from it.
    Bucket(BucketTrigger),
    /// Invokes the function for messages of an SQS queue.
    Queue(QueueTrigger),
    /// Invokes the function on a schedule.
    Schedule(ScheduleTrigger),
    /// Invokes the function for HTTPS requests.
    Http(HttpTrigger),
    /// Invokes the function for records of a Kinesis stream.
    Stream(StreamTrigger),
    /// Invokes the function for changes of a table's items.
    Table(TableTrigger),
    /// Invokes the function for messages of an SNS topic.
    Topic(TopicTrigger),
    /// Invokes the function for events of EventBridge.
    Event(EventTrigger),
}

/// A trigger of a workflow.
#[derive(Debug, Inputs)]
pub(super) enum Start {
    /// New objects in a bucket.
    Bucket(BucketStart),
    /// Times of EventBridge Scheduler.
    Schedule(ScheduleStart),
    /// Events of EventBridge.
    Event(EventStart),
}

/// The input of a trigger that can be part of a loop.
#[derive(Debug, Default, Inputs)]
pub(super) struct AllowLoop {
    /// Accepts an endless loop through this trigger, e.g. of a function that ends the loop itself. Default: `false`.
    pub(super) allow_loop: Option<bool>,
}

/// A source of events for targets of type `T`. Each method with a default returns what most sources have.
pub(super) trait EventSource<T> {
    /// The input with the source, e.g. `bucket`.
    fn input(&self) -> &'static str;

    /// Checks the trigger by itself, and against the earlier triggers of the target.
    fn check(&self, _check: &Check<'_, T>, _findings: &mut Findings) {}

    /// The ARN of the source, if a target can have at most one trigger on it.
    fn exclusive(&self) -> Option<&Scalar<String>> {
        None
    }

    /// The objects of a bucket whose notifications trigger the target.
    fn notifications(&self, _path: &Path) -> Option<Filter<'_>> {
        None
    }

    /// The events of the rule through which EventBridge delivers them. `made` is the source, if it is in the same
    /// graph.
    fn rule(&self, _made: Option<&Handle>) -> Option<rule::Events> {
        None
    }

    /// The service that assumes a role to start a target without permissions.
    fn caller(&self) -> Option<&'static str> {
        None
    }

    /// The grant of the target's role to read the source.
    fn grant(&self, _made: Option<&Handle>) -> Option<Grant> {
        None
    }

    /// The service that sends messages to a queue of the target, and for which source: the events themselves if
    /// the target is a queue, otherwise those that the service cannot deliver.
    fn sender(&self) -> Option<(&'static str, On)> {
        None
    }

    /// Adds the objects and the edges.
    fn add(&self, wiring: &mut Wiring<'_, T>, setup: &Setup<'_>);
}

/// A trigger of a target.
pub(super) struct TriggerSpec<'a, T> {
    source: &'a dyn EventSource<T>,
    /// The input that causes the trigger.
    path: Path,
    /// The block of the trigger; `None` if the trigger is not an input of its own, e.g. that of a thumbnailer.
    block: Option<Path>,
    /// The source, if it belongs to the same graph.
    made: Option<Handle>,
}

impl<'a, T> TriggerSpec<'a, T> {
    /// The triggers of the input `on`.
    pub(super) fn of_inputs(sources: impl IntoIterator<Item = &'a dyn EventSource<T>>) -> Vec<Self>
    where
        T: 'a,
    {
        let spec = |(index, source): (usize, &'a dyn EventSource<T>)| {
            let block = item_path("on", index);
            let path = block.join(Step::Field(source.input().to_owned()));
            Self { source, path, block: Some(block), made: None }
        };
        sources.into_iter().enumerate().map(spec).collect()
    }

    /// A trigger that follows from another input.
    pub(super) fn inner(source: &'a dyn EventSource<T>, path: Path, made: Option<&Handle>) -> Self {
        Self { source, path, block: None, made: made.cloned() }
    }
}

impl Trigger {
    /// The trigger as a source of events.
    pub(super) fn source<'a>(&self) -> &dyn EventSource<FunctionTarget<'a>> {
        match self {
            Self::Bucket(trigger) => trigger,
            Self::Queue(trigger) => trigger,
            Self::Schedule(trigger) => trigger,
            Self::Http(trigger) => trigger,
            Self::Stream(trigger) => trigger,
            Self::Table(trigger) => trigger,
            Self::Topic(trigger) => trigger,
            Self::Event(trigger) => trigger,
        }
    }
}

impl Start {
    /// The trigger as a source of events.
    pub(super) fn source<'a>(&self) -> &dyn EventSource<MachineTarget<'a>> {
        match self {
            Self::Bucket(start) => start,
            Self::Schedule(start) => &start.trigger,
            Self::Event(start) => &start.events,
        }
    }
}

/// The facts about a target that checks of its triggers need.
#[derive(Clone, Copy, Default)]
pub(super) struct Facts<'a> {
    /// The timeout of a function.
    pub(super) timeout: Option<&'a Scalar<i64>>,
    /// True for a FIFO queue.
    pub(super) fifo: bool,
}

/// A trigger and its surroundings, for its checks.
pub(super) struct Check<'a, T> {
    pub(super) context: &'a Context,
    pub(super) target: Facts<'a>,
    /// The block of the trigger.
    block: &'a Path,
    index: usize,
    all: &'a [TriggerSpec<'a, T>],
}

impl<T> Check<'_, T> {
    /// The path of an input of the trigger.
    pub(super) fn at(&self, field: &str) -> Path {
        self.block.join(Step::Field(field.to_owned()))
    }

    /// The first earlier trigger with that source.
    pub(super) fn earlier(&self, is_such: impl Fn(&dyn EventSource<T>) -> bool) -> Option<usize> {
        self.all[..self.index].iter().position(|trigger| is_such(trigger.source))
    }
}

/// Checks the triggers of a target, each by itself and against the others.
pub(super) fn check<T: Target>(
    triggers: &[TriggerSpec<'_, T>],
    context: &Context,
    target: Facts<'_>,
    findings: &mut Findings,
) {
    let mut notifications = Vec::new();
    for (index, trigger) in triggers.iter().enumerate() {
        // A trigger that is not an input is checked by its composite.
        let Some(block) = &trigger.block else { continue };
        let check = Check { context, target, block, index, all: triggers };
        check_exclusive(&check, trigger.source, findings);
        trigger.source.check(&check, findings);
        notifications.extend(trigger.source.notifications(block));
    }
    filters::check(&notifications, findings);
}

fn check_exclusive<T: Target>(check: &Check<'_, T>, source: &dyn EventSource<T>, findings: &mut Findings) {
    let Some(own) = source.exclusive() else { return };
    let earlier = check.earlier(|other| other.exclusive().is_some_and(|other| other.surely_equals(own)));
    if let Some(earlier) = earlier {
        let (field, target) = (source.input(), T::NAME);
        findings.error(
            Code::OverlappingFilters,
            check.at(field),
            format!("`on[{earlier}]` has the same `{field}`: a {target} has at most one trigger per {field}"),
            "Remove one of the two.",
        );
    }
}

/// The triggers of a target, while their objects are added.
pub(super) struct Triggers<'a, T> {
    part: &'a Part<'a>,
    specs: &'a [TriggerSpec<'a, T>],
    /// The rules of EventBridge, by the index of their trigger.
    rules: BTreeMap<usize, Handle>,
    slots: Slots,
}

impl<'a, T: Target> Triggers<'a, T> {
    /// Adds the rules of EventBridge. The policies of queues refer to them.
    pub(super) fn new(graph: &mut Graph, part: &'a Part<'a>, specs: &'a [TriggerSpec<'a, T>]) -> Self {
        let mut slots = Slots::new::<T>(part);
        let mut rules = BTreeMap::new();
        for (index, trigger) in specs.iter().enumerate() {
            let Some(events) = trigger.source.rule(trigger.made.as_ref()) else { continue };
            let slot = slots.of(index, "event");
            let name = slots.name(index, &slot);
            rules.insert(index, rule::add(graph, part, (&slot, &name), events).named_by_inputs().handle());
        }
        Self { part, specs, rules, slots }
    }

    /// The services that send to a queue of the target, with their sources.
    pub(super) fn senders(&self) -> Vec<(&'static str, On)> {
        let others = self.specs.iter().filter_map(|trigger| trigger.source.sender());
        self.rules.values().map(rule::sender).chain(others).collect()
    }

    /// The services that assume a role to start the target.
    pub(super) fn callers(&self) -> BTreeSet<&'static str> {
        self.specs.iter().filter_map(|trigger| trigger.source.caller()).collect()
    }

    /// The grants of the target's role to read the sources.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let grant = |trigger: &TriggerSpec<'_, T>| trigger.source.grant(trigger.made.as_ref());
        self.specs.iter().filter_map(grant).collect()
    }

    /// Adds the objects and edges of all triggers. Returns the endpoint of an `http` trigger.
    pub(super) fn add(self, graph: &mut Graph, target: &T) -> Option<Endpoint> {
        let known = self.specs.iter().filter_map(|trigger| known(trigger.source.exclusive()?));
        let mut wiring = Wiring {
            graph,
            part: self.part,
            target,
            sources: known.collect(),
            slots: self.slots,
            scheduler: None,
            endpoint: None,
        };
        for (index, trigger) in self.specs.iter().enumerate() {
            let setup = Setup {
                index,
                path: &trigger.path,
                is_input: trigger.block.is_some(),
                made: trigger.made.as_ref(),
                rule: self.rules.get(&index),
            };
            trigger.source.add(&mut wiring, &setup);
        }
        wiring.graph.unstable |= wiring.slots.unstable;
        wiring.endpoint
    }
}

/// The graph and the target to which triggers add their objects.
pub(super) struct Wiring<'a, T> {
    pub(super) graph: &'a mut Graph,
    pub(super) part: &'a Part<'a>,
    pub(super) target: &'a T,
    /// The known ARNs of all exclusive sources of the target.
    sources: Vec<&'a str>,
    slots: Slots,
    /// The objects that all schedules share, after the first schedule.
    scheduler: Option<Scheduler>,
    endpoint: Option<Endpoint>,
}

/// One trigger among the triggers of its target.
pub(super) struct Setup<'a> {
    index: usize,
    path: &'a Path,
    is_input: bool,
    made: Option<&'a Handle>,
    rule: Option<&'a Handle>,
}

impl Setup<'_> {
    /// The source of the events: the object of this graph, or the given resource.
    fn end(&self, resource: ResourceType, given: &Scalar<String>) -> End {
        self.made.map_or_else(|| End::Resource(resource, given.into()), End::from)
    }

    /// The edge from the source of the events to the target.
    fn edge(&self, source: impl Into<End>, target: &impl Target, loops: &AllowLoop) -> Edge {
        // An inner trigger has no input `allow_loop`.
        let allow_loop = self.is_input.then_some(loops.allow_loop == Some(true));
        Edge::new(source, Verb::Triggers, target.end()).at(self.path.clone()).allow_loop(allow_loop)
    }
}

/// The slots of triggers. A slot follows from the trigger's source, so that a trigger keeps its objects when
/// another one is added or removed. Equal slots get numbers.
struct Slots {
    prefix: String,
    /// The number of a trigger follows from its position.
    numbered: bool,
    known: names::Slots,
    /// True if a slot depends on a value that is not known: it can still change at apply.
    unstable: bool,
}

impl Slots {
    fn new<T: Target>(part: &Part<'_>) -> Self {
        let prefix = part.slot(T::PREFIX);
        Self { prefix, numbered: T::NUMBERED, known: names::Slots::default(), unstable: false }
    }

    /// The slot of a trigger without a source that could name it.
    fn of(&mut self, index: usize, base: &str) -> String {
        match (self.numbered, index) {
            (true, 0) => self.prefix.clone(),
            (true, index) => format!("{}_{}", self.prefix, index + 1),
            (false, _) => self.unique(base),
        }
    }

    /// The slot of a trigger on a source with this ARN.
    fn of_source(&mut self, arn: &Scalar<String>) -> String {
        let source = self.text(arn);
        self.unique(names::source(&source))
    }

    /// The name of the rule of a trigger, within the names of its target.
    fn name(&self, index: usize, slot: &str) -> String {
        match (self.numbered, index) {
            (true, 0) => "start".to_owned(),
            (true, index) => format!("start-{}", index + 1),
            (false, _) => slot.replace('_', "-"),
        }
    }

    fn unique(&mut self, base: &str) -> String {
        let parts = [&*self.prefix, base].into_iter().filter(|part| !part.is_empty());
        self.known.unique(&parts.collect::<Vec<_>>().join("_"))
    }

    /// The value as a part of a slot; empty if it is not known.
    fn text(&mut self, value: &Scalar<String>) -> String {
        let known = known(value);
        self.unstable |= known.is_none();
        known.unwrap_or_default().to_owned()
    }
}

/// The value, or the name of the variable that stands for it.
fn known(value: &Scalar<String>) -> Option<&str> {
    match value {
        Scalar::Known(value) | Scalar::Reference(value) => Some(value),
        Scalar::Unknown => None,
    }
}

impl Rule {
    /// JSON of any type.
    pub(super) const JSON: Self = Self::Check("a string of JSON, e.g. `{ \"full\": true }`", check_json);
}

/// The value of a string of JSON that was checked before.
pub(super) fn parsed(text: &str) -> Expr {
    serde_json::from_str(text).map_or(Expr::Unknown, Expr::Literal)
}

/// Checks a string of JSON.
pub(super) fn check_json(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde_json::Value>(text)
        .map(drop)
        .map_err(|error| format!("{} is not valid JSON: {error}", described(text)))
}

/// A string for a message; a long one is cut.
fn described(text: &str) -> String {
    Value::String(text.to_owned()).describe()
}
