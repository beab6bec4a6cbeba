//! An account that allows few calls, under the real Terraform.

use serde_json::{Map, json};

use crate::stage::{On, Stage, is_full};

/// The number of composites. A hundred of them meet AWS in memory in every run.
const COMPOSITES: usize = 40;
/// The same with `TANDEM_FULL=1`.
const ALL_COMPOSITES: usize = 100;
/// The calls per second that each service allows.
const LIMIT: f64 = 20.0;

#[test]
fn many_composites_are_made_with_few_wasted_calls() {
    let (stage, proxy) = Stage::proxied(On::MiniStack, |_, _, _| true);
    let before = stage.aws.everything();
    let function = |number: usize| {
        let inputs = json!({
            "name": format!("worker-{number}"),
            "code": { "bootstrap": "bootstrap" },
            "on": [{ "schedule": "rate(1 hour)" }],
        });
        (format!("worker_{number}"), inputs)
    };
    let functions: Map<_, _> =
        (0..if is_full() { ALL_COMPOSITES } else { COMPOSITES }).map(function).collect();
    stage.configure_with(json!({ "tandem_event_function": functions }));
    proxy.limit(LIMIT);
    let parallel = ["-auto-approve", "-no-color", "-input=false", "-parallelism=50"];
    for command in ["apply", "destroy"] {
        stage.terraform.run(&[&[command], &parallel[..]].concat()).expect_success();
        let (calls, refused) = proxy.limited();
        println!("{command}: {refused} of {calls} calls were refused so far");
        assert!(refused > 0, "no call was throttled");
        assert!(refused * 10 < calls, "{refused} of {calls} calls were wasted");
    }
    assert_eq!(stage.aws.everything(), before);
}
