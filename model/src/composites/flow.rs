//! The flow of a workflow, from its steps.

use super::steps::Step;
use crate::flow::{Case, Flow, FlowStep, StepForm, Transition, Within};
use crate::graph::Key;
use crate::scalar::Scalar;

/// The flow of a state machine with these steps.
pub(super) fn flow(machine: Key, steps: &[Step]) -> Flow {
    let mut transitions = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let name = &step.inner().name;
        let is_outer = step.chain() == (None, None);
        let mut link = |from: Option<&str>, to: Option<&str>, case| {
            transitions.push(Transition { from: from.map(str::to_owned), to: to.map(str::to_owned), case });
        };
        if steps[..index].iter().all(|earlier| earlier.chain() != step.chain()) {
            match step.chain() {
                (Some(within), branch) => {
                    link(Some(within), Some(name), Case::Inner(branch.map(str::to_owned)));
                }
                (None, _) => link(None, Some(name), Case::Next),
            }
        }
        let mut others = steps[index + 1..].iter().filter(|other| other.chain() == step.chain());
        let after = step.after(others.next().map(|other| other.inner().name.as_str()));
        match step {
            Step::Choice(step) => {
                for condition in &step.choice {
                    link(Some(name), Some(&condition.next), Case::When(condition.when.clone()));
                }
                link(Some(name), Some(&step.otherwise), Case::Otherwise);
            }
            Step::Fail(_) => {}
            // A branch and an item end where the step around them continues.
            _ if after.is_none() && !is_outer => {}
            _ => link(Some(name), after, Case::Next),
        }
        if let Some(catch) = step.on_error().and_then(|on_error| on_error.catch.as_deref()) {
            link(Some(name), Some(catch), Case::Caught);
        }
    }
    Flow { machine, steps: steps.iter().map(drawn).collect(), transitions }
}

fn drawn(step: &Step) -> FlowStep {
    let form = match step {
        Step::Function(_) => StepForm::Function,
        Step::Task(_) => StepForm::Task,
        Step::Wait(_) => StepForm::Wait,
        Step::Callback(_) => StepForm::Callback,
        Step::Choice(_) => StepForm::Choice,
        Step::Parallel(_) => StepForm::Parallel,
        Step::Map(_) => StepForm::Map,
        Step::Fail(_) => StepForm::Fail,
    };
    let inner = step.inner();
    let within = inner.within.clone().map(|step| Within { step, branch: inner.branch.clone() });
    let retries = step.on_error().map_or(Some(0), |on_error| match on_error.retry_attempts {
        Scalar::Known(attempts) => Some(attempts),
        Scalar::Unknown | Scalar::Reference(_) => None,
    });
    FlowStep { name: inner.name.clone(), form, within, retries }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::composite::Definition;
    use crate::context::Context;
    use crate::value::Value;

    #[test]
    fn steps_are_linked_as_they_run() {
        let function = "arn:aws:lambda:eu-central-1:123456789012:function:f";
        let inputs = json!({ "name": "w", "step": [
            { "name": "size", "choice": [{ "when": "{% $states.input.size > 1 %}", "next": "tiles" }], "otherwise": "both" },
            { "name": "tiles", "map": { "count": 2 }, "catch": "failed" },
            { "name": "tile", "within": "tiles", "function": function, "retry_attempts": 3 },
            { "name": "merge", "within": "tiles", "function": function },
            { "name": "both", "parallel": ["a", "b"], "end": true },
            { "name": "one", "within": "both", "branch": "a", "function": function },
            { "name": "two", "within": "both", "branch": "b", "wait": 1 },
            { "name": "failed", "fail": "it failed" },
        ] });
        let definition = Definition::find("workflow").expect("a composite");
        let expansion = definition.expand(&Value::from(&inputs), &Context::default());
        let graph = expansion.graph.unwrap_or_else(|| panic!("{:?}", expansion.findings));
        let [flow] = graph.flows() else { panic!("{:?}", graph.flows()) };
        let shown: Vec<String> = flow
            .transitions
            .iter()
            .map(|Transition { from, to, case }| {
                let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
                format!("{} {} {case:?}", name(from), name(to))
            })
            .collect();
        let expected = [
            "- size Next",
            "size tiles When(\"{% $states.input.size > 1 %}\")",
            "size both Otherwise",
            "tiles both Next",
            "tiles failed Caught",
            "tiles tile Inner(None)",
            "tile merge Next",
            "both - Next",
            "both one Inner(Some(\"a\"))",
            "both two Inner(Some(\"b\"))",
        ];
        assert_eq!(shown, expected);
        assert_eq!(flow.steps[2].retries, Some(3));
        let within = |index: usize| flow.steps[index].within.clone();
        assert_eq!(within(3), Some(Within { step: "tiles".to_owned(), branch: None }));
        assert_eq!(within(6), Some(Within { step: "both".to_owned(), branch: Some("b".to_owned()) }));
    }
}
