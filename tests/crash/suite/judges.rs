//! The judge of calls is judged: it must refuse calls with one fault each.

use std::collections::BTreeMap;

use tandem_crash::carrier::Process;
use tandem_crash::double::ACCOUNT;
use tandem_crash::fixture::Fixture;
use tandem_crash::matrix::in_virtual_time;
use tandem_crash::scene::Scene;
use tandem_judges::call::Call;
use tandem_judges::{figures, models, mutants};

/// The calls that create and destroy a composite.
async fn calls(composite: &str) -> Vec<Call> {
    let mut scene = Scene::new(composite, 1).await;
    scene.world.record();
    let process = Process::new(&scene.world);
    let inputs = scene.fixture.inputs(ACCOUNT);
    scene.terraform.apply(&process, &inputs).await;
    scene.terraform.destroy(&Process::new(&scene.world)).await;
    scene.world.recorded()
}

#[test]
fn the_models_refuse_calls_with_one_fault() {
    let mut shapes: BTreeMap<String, Call> = BTreeMap::new();
    for fixture in Fixture::all() {
        for call in in_virtual_time(calls(fixture.definition.type_name)) {
            // One call per operation and set of members is enough.
            let members: Vec<&String> =
                call.input.as_object().into_iter().flat_map(|input| input.keys()).collect();
            shapes.entry(format!("{}:{} {members:?}", call.service, call.operation)).or_insert(call);
        }
    }
    let (mut made, mut missed) = (0_u64, Vec::new());
    for call in shapes.values() {
        assert_eq!(models::judge(call), [], "a recorded call");
        for mutant in mutants::of(call) {
            made += 1;
            if models::judge(&mutant.call).is_empty() {
                missed.push(format!("{}:{} {}", call.service, call.operation, mutant.fault));
            }
        }
    }
    let unnoticed = u64::try_from(missed.len()).expect("a small number");
    figures::add("calls with a planted fault, judged by the models of botocore", made, made - unnoticed);
    figures::keep();
    println!("{made} mutants of {} calls, {unnoticed} accepted: {missed:#?}", shapes.len());
    assert!(made > 1_000, "{made} mutants are no measure");
    assert!(unnoticed * 100 <= made, "{unnoticed} of {made} are accepted: {missed:#?}");
}
