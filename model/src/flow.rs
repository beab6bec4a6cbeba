//! The flow of a workflow: its steps, and the order in which they run. Diagrams draw it.

use crate::key::Key;

/// The steps of a state machine, and the transitions between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The state machine.
    pub machine: Key,
    /// The steps, in the order of the input.
    pub steps: Vec<FlowStep>,
    /// The transitions between the steps.
    pub transitions: Vec<Transition>,
}

/// A step of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowStep {
    /// Its name.
    pub name: String,
    /// Its form.
    pub form: StepForm,
    /// The `map` or `parallel` step that runs it.
    pub within: Option<Within>,
    /// The retries of a failed attempt; `None` if they are not known.
    pub retries: Option<i64>,
}

/// The step that runs another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Within {
    /// Its name.
    pub step: String,
    /// The branch of a `parallel` step.
    pub branch: Option<String>,
}

/// The form of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepForm {
    /// Sends a message, and waits for an answer.
    Callback,
    /// Selects the next step.
    Choice,
    /// Ends the workflow as failed.
    Fail,
    /// Invokes a function.
    Function,
    /// Runs steps for each item.
    Map,
    /// Runs branches at the same time.
    Parallel,
    /// Runs a container.
    Task,
    /// Waits for a time.
    Wait,
}

/// The transition from one step to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The step that ends; `None` for the start of the workflow.
    pub from: Option<String>,
    /// The step that follows; `None` for the end of the workflow.
    pub to: Option<String>,
    /// The case in which the step follows.
    pub case: Case,
}

/// The case in which a step follows another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Case {
    /// After success.
    Next,
    /// If a condition is true, in JSONata.
    When(String),
    /// If no condition is true.
    Otherwise,
    /// If all attempts failed.
    Caught,
    /// In the `map` or `parallel` step before it: for each item, or as the first step of a branch.
    Inner(Option<String>),
}
