//! The limits that AWS publishes, against the graphs of all fixtures.

mod shared;

use std::collections::BTreeSet;

use shared::{Predict, context, steps};
use tandem_model::composites;
use tandem_model::limits;
use tandem_model::value::Value;

#[test]
fn the_graphs_of_all_fixtures_keep_to_the_limits() {
    let mut wrong = BTreeSet::new();
    for definition in composites::ALL {
        for step in steps(definition) {
            let expansion =
                definition.expand(&definition.with_defaults(&Value::from(&step.inputs)), &context());
            let Some(graph) = expansion.graph else { continue };
            let predict = Predict(&graph, context());
            for object in graph.objects() {
                for (field, value) in predict.settings(object) {
                    for limit in limits::of(object.kind.name, &field) {
                        if let Some(violation) =
                            limit.check(object.kind.field(&field).expect("a field").ty, &value)
                        {
                            wrong.insert(format!(
                                "{}: {}.{field}: {}",
                                definition.type_name, object.kind.name, violation.fault
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
