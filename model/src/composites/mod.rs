//! The composites, one file each. To add one, write its file and add a line to `ALL`.

mod bucket;
mod child;
mod common;
mod container_task;
mod definition;
mod event_bus;
mod event_function;
mod flow;
mod function;
pub mod keys;
mod launch;
mod part;
mod queue;
mod queues;
mod rule;
mod state_machine;
mod step_checks;
mod steps;
mod stream;
mod table;
mod task;
mod thumbnailer;
mod topic;
mod triggers;
mod uses;
pub(crate) mod variables;
mod workflow;

pub(crate) use self::variables::{LAUNCHES, RESOURCES};
use crate::composite::Definition;

/// Every composite.
pub static ALL: &[Definition] = &[
    Definition::of::<bucket::Bucket>(),
    Definition::of::<container_task::ContainerTask>(),
    Definition::of::<event_bus::EventBus>(),
    Definition::of::<event_function::EventFunction>(),
    Definition::of::<queue::Queue>(),
    Definition::of::<queues::Queues>(),
    Definition::of::<stream::Stream>(),
    Definition::of::<table::Table>(),
    Definition::of::<thumbnailer::Thumbnailer>(),
    Definition::of::<topic::Topic>(),
    Definition::of::<workflow::Workflow>(),
];

impl Definition {
    /// The composite with that type.
    pub fn find(type_name: &str) -> Option<&'static Definition> {
        ALL.iter().find(|definition| definition.type_name == type_name)
    }
}
