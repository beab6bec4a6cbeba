//! The number of AWS objects in the root README is that of the plan.

use serde_json::Value as Json;
use tandem_testkit::environment::root;

use crate::stage::{On, Stage};

#[test]
fn the_first_resource_of_the_readme_creates_the_objects_that_it_states() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let (before, rest) = readme.split_once("```terraform\n").expect("a resource");
    let (resource, _) = rest.split_once("```").expect("its end");
    let stated = before.rsplit_once(" AWS objects").and_then(|(text, _)| text.rsplit(' ').next());
    let stated: usize = stated.and_then(|number| number.parse().ok()).expect("`N AWS objects`");

    let stage = Stage::new(On::MiniStack);
    let folder = stage.terraform.path();
    let code = folder.join("handlers/target/lambda/videos-launcher");
    std::fs::create_dir_all(&code).expect("a folder");
    std::fs::copy(folder.join("bootstrap"), code.join("bootstrap")).expect("code");
    std::fs::rename(folder.join("context"), folder.join("container")).expect("a context");
    let provider = "terraform {\n  required_providers {\n    tandem = { source = \"tandem/tandem\" }\n  }\n}\n\n\
                    provider \"tandem\" {\n  project = \"test\"\n}\n\n";
    stage.terraform.write("main.tf", format!("{provider}{resource}"));
    stage.terraform.run(&["plan", "-no-color", "-input=false", "-out=plan"]).expect_success();
    let shown = stage.terraform.run(&["show", "-json", "plan"]).expect_success();
    let json = shown.text.lines().find(|line| line.starts_with('{')).expect("JSON");
    let plan: Json = serde_json::from_str(json).expect("JSON");
    let after = &plan["resource_changes"][0]["change"]["after"]["components"];
    let unknown = &plan["resource_changes"][0]["change"]["after_unknown"]["components"];
    let mut keys: Vec<&String> =
        [after, unknown].iter().filter_map(|map| map.as_object()).flatten().map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), stated, "{keys:#?}");
}
