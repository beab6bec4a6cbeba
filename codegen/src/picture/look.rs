//! The look of nodes and edges: a shape, a color and a name for each kind of object.

use tandem_model::edge::ResourceType;
use tandem_model::flow::StepForm;
use tandem_model::graph::Object;
use tandem_model::kind;

/// The look of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Bucket,
    Bus,
    Choice,
    Container,
    DeadLetters,
    End,
    Event,
    Fail,
    Function,
    Queue,
    Step,
    Stream,
    Table,
    Topic,
    Workflow,
}

/// The names of a look in the formats.
pub(super) struct Style {
    /// The class in Mermaid and SVG.
    pub(super) class: &'static str,
    /// The delimiters of a node in Mermaid.
    pub(super) mermaid: (&'static str, &'static str),
    /// The shape in Graphviz.
    pub(super) dot: &'static str,
    /// The color of the node: on a light and on a dark background.
    pub(super) fill: (&'static str, &'static str),
}

impl From<kind::Look> for Look {
    fn from(look: kind::Look) -> Self {
        match look {
            kind::Look::Bucket => Self::Bucket,
            kind::Look::Bus => Self::Bus,
            kind::Look::Container => Self::Container,
            kind::Look::Event => Self::Event,
            kind::Look::Function => Self::Function,
            kind::Look::Queue => Self::Queue,
            kind::Look::Stream => Self::Stream,
            kind::Look::Table => Self::Table,
            kind::Look::Topic => Self::Topic,
            kind::Look::Workflow => Self::Workflow,
        }
    }
}

impl Look {
    /// The look of an object; `None` if it is not drawn.
    pub(super) fn of(object: &Object) -> Option<Self> {
        object.kind.look.map(Self::from)
    }

    /// The look of an existing resource, and its kind in words.
    pub(super) fn of_type(ty: ResourceType) -> (Self, &'static str) {
        match ty {
            ResourceType::Bucket => (Self::Bucket, "S3 bucket"),
            ResourceType::EventBus => (Self::Bus, "EventBridge event bus"),
            ResourceType::Function => (Self::Function, "Lambda function"),
            ResourceType::Queue => (Self::Queue, "SQS queue"),
            ResourceType::Stream => (Self::Stream, "Kinesis stream"),
            ResourceType::Table => (Self::Table, "DynamoDB table"),
            ResourceType::Task => (Self::Container, "ECS task"),
            ResourceType::Topic => (Self::Topic, "SNS topic"),
            ResourceType::Workflow => (Self::Workflow, "Step Functions state machine"),
        }
    }

    /// The look of a step, and its form in words.
    pub(super) fn of_step(form: StepForm) -> (Self, &'static str) {
        match form {
            StepForm::Callback => (Self::Step, "callback"),
            StepForm::Choice => (Self::Choice, "choice"),
            StepForm::Fail => (Self::Fail, "fail"),
            StepForm::Function => (Self::Step, "function"),
            StepForm::Map => (Self::Step, "map"),
            StepForm::Parallel => (Self::Step, "parallel"),
            StepForm::Task => (Self::Step, "task"),
            StepForm::Wait => (Self::Step, "wait"),
        }
    }

    /// True for nodes that stay in the background: they have one small line of text.
    pub(super) fn is_small(self) -> bool {
        matches!(self, Self::DeadLetters | Self::End | Self::Fail)
    }

    pub(super) fn style(self) -> Style {
        let (class, mermaid, dot, fill) = match self {
            Self::Bucket => ("bucket", ("[\\", "/]"), "invtrapezium", ("#e2f0d9", "#2f4d24")),
            Self::Bus => ("bus", ("[\\", "\\]"), "rarrow", ("#e6ead0", "#3f4522")),
            Self::Choice => ("choice", ("{", "}"), "diamond", ("#ffffff", "#3a3a3a")),
            Self::Container => ("container", ("{{", "}}"), "hexagon", ("#dbe8f8", "#22405f")),
            Self::DeadLetters => ("dead_letters", ("[/", "\\]"), "trapezium", ("#f9dcdc", "#5a2727")),
            Self::End => ("end_of", ("((", "))"), "circle", ("#ececec", "#4a4a4a")),
            Self::Event => ("event", ("([", "])"), "ellipse", ("#f0e2f5", "#48304f")),
            Self::Fail => ("fail", ("(((", ")))"), "doublecircle", ("#f9dcdc", "#5a2727")),
            Self::Function => ("function", ("[[", "]]"), "component", ("#fde9d3", "#5b3d18")),
            Self::Queue => ("queue", (">", "]"), "cds", ("#fbe0ea", "#5a2a3f")),
            Self::Step => ("step", ("(", ")"), "box", ("#ffffff", "#3a3a3a")),
            Self::Stream => ("stream", ("[/", "/]"), "parallelogram", ("#e3e0fa", "#37326b")),
            Self::Table => ("table", ("[(", ")]"), "cylinder", ("#d8eef0", "#1f4a4f")),
            Self::Topic => ("topic", ("[", "]"), "tab", ("#fdf6cc", "#55501d")),
            Self::Workflow => ("workflow", ("[", "]"), "box3d", ("#fbe3e0", "#5d2c26")),
        };
        Style { class, mermaid, dot, fill }
    }
}

/// The line of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Events, and the order of steps.
    Flow,
    /// Reads, writes, calls.
    Use,
    /// Failures.
    Failure,
}
