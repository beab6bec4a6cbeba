//! An account that allows few calls.

use serde_json::json;
use tandem_crash::carrier::{Process, World};
use tandem_crash::terraform::{End, Terraform};
use tandem_model::composite::Definition;

use crate::in_virtual_time;

/// The number of composites.
const COMPOSITES: usize = 100;
/// The number of composites that Terraform applies at a time.
const PARALLELISM: usize = 50;
/// The number of calls per second that each service accepts.
const LIMIT: f64 = 20.0;

#[test]
fn a_hundred_composites_waste_few_calls() {
    in_virtual_time(async {
        let world = World::new(1);
        world.limit(LIMIT);
        // Terraform starts one provider for all plans, and one for all applies.
        let process = Process::new(&world);
        let definition = Definition::find("event_function").expect("a composite");
        tandem_crash::scene::enter_folder();
        let providers = Terraform::new(definition).start(&process).await;
        let providers = providers.unwrap_or_else(|end| panic!("{end:?}"));
        let turns = tokio::sync::Semaphore::new(PARALLELISM);
        let applies = (0..COMPOSITES).map(|number| {
            let (process, providers, turns) = (&process, &providers, &turns);
            async move {
                let _turn = turns.acquire().await.expect("open");
                let inputs = json!({
                    "name": format!("worker-{number}"),
                    "code": { "bootstrap": "bootstrap" },
                    "on": [{ "schedule": "rate(5 minutes)" }],
                });
                let mut terraform = Terraform::new(definition);
                terraform.apply_with(providers, process, &inputs).await
            }
        });
        // All applies run in parallel, within the limit of the turns.
        for end in futures_util::future::join_all(applies).await {
            assert_eq!(end, End::Done);
        }
        let (calls, wasted) = (process.made().values().sum::<usize>(), process.wasted());
        println!("{calls} calls, {wasted} of them throttled");
        assert!(wasted > 0, "the account throttled no call");
        assert!(wasted * 10 < calls, "{wasted} of {calls} calls were throttled");
        let functions = world.cloud().everything();
        let functions = functions.iter().filter(|item| item.kind == "function").count();
        assert_eq!(functions, COMPOSITES);
    });
}
