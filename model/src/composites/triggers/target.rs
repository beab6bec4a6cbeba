//! The targets of triggers: functions, workflows, tasks and queues.

use super::super::child::Child;
use super::super::common::{Caller, Common};
use super::super::rule::{self, DeadLetters};
use super::super::task::TaskPart;
use super::{bucket, http, topic};
use crate::edge::End;
use crate::expr::{Ambient, Expr};
use crate::graph::{Graph, Handle};
use crate::kinds::lambda;
use crate::names;
use crate::scalar::Scalar;

/// A target of triggers.
pub(crate) trait Target {
    /// Its name in messages.
    const NAME: &'static str;
    /// The prefix of the slots of its triggers.
    const PREFIX: &'static str = "on";
    /// True if slots without a source have the number of the trigger: they change if an earlier one is removed.
    const NUMBERED: bool = false;

    /// The target as the end of an edge.
    fn end(&self) -> End;
}

/// A function.
pub(crate) struct FunctionTarget<'a> {
    pub(crate) function: Handle,
    /// The policy of the function's role. Lambda checks it when it creates an event source mapping.
    pub(crate) role_policy: Handle,
    pub(crate) retry_attempts: &'a Scalar<i64>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) common: &'a Common,
}

impl Target for FunctionTarget<'_> {
    const NAME: &'static str = "function";

    fn end(&self) -> End {
        (&self.function).into()
    }
}

impl FunctionTarget<'_> {
    /// Lets a service invoke the function for a source (its ARN) of this account.
    pub(super) fn permit(&self, graph: &mut Graph, slot: &str, service: &str, source: Expr) -> Handle {
        // The ARN of a bucket has no account; all others do. Not every service sends `aws:SourceAccount`.
        let account = (service == bucket::SERVICE).then_some(Expr::Ambient(Ambient::Account));
        graph
            .add(lambda::Permission, slot)
            .function_name(self.function.attribute("function_name"))
            .statement_id(slot)
            .action("lambda:InvokeFunction")
            .principal(service)
            .source_arn(Some(source))
            .source_account(account)
            .handle()
    }
}

/// A workflow.
pub(crate) struct MachineTarget<'a> {
    pub(crate) machine: Handle,
    /// The role with which EventBridge starts executions.
    pub(crate) caller: Caller,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) common: &'a Common,
}

impl Target for MachineTarget<'_> {
    const NAME: &'static str = "workflow";
    const PREFIX: &'static str = "on_start";
    const NUMBERED: bool = true;

    fn end(&self) -> End {
        (&self.machine).into()
    }
}

/// A task of ECS.
pub(crate) struct TaskTarget<'a> {
    pub(crate) task: &'a TaskPart,
    pub(crate) common: &'a Common,
}

impl Target for TaskTarget<'_> {
    const NAME: &'static str = "task";
    const PREFIX: &'static str = "";

    fn end(&self) -> End {
        self.task.launch.end.clone()
    }
}

/// A queue.
pub(crate) struct QueueTarget {
    pub(crate) queue: Handle,
    /// The policy that allows services to send to the queue.
    pub(crate) policy: Handle,
}

impl Target for QueueTarget {
    const NAME: &'static str = "queue";

    fn end(&self) -> End {
        (&self.queue).into()
    }
}

/// The services that triggers allow to invoke a function.
const SENDERS: [&str; 3] = [rule::SERVICE, bucket::SERVICE, topic::SERVICE];

/// The slot of a permission: its statement id.
pub(crate) fn slot_of_permission(child: &Child<'_>) -> Option<String> {
    let (id, http) = (child.text("statement_id"), http::http_slot(child.parent));
    let of_trigger = id.starts_with(&format!("{}_", names::trigger_slot(child.parent)))
        && child.text("action") == "lambda:InvokeFunction"
        && SENDERS.contains(&child.text("principal"));
    (of_trigger || id == http || id == format!("{http}_invoke")).then(|| id.to_owned())
}
