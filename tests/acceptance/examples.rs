//! The examples, run: applied, driven with real input, and destroyed; with the generated module, and by hand.

use std::sync::OnceLock;

use tandem_tests::environment::private;
use tandem_tests::examples::{ALL, Applied, Example, Result};
use tandem_tests::rekognition::{self, Rekognition};

use crate::stage::{On, Stage, base_image, for_containers};

/// An example in a stage, with one of its configurations, not applied yet.
fn stage(example: &Example, configuration: &str) -> Stage {
    let mut stage = Stage::new(On::MiniStack);
    example
        .copy(stage.terraform.path())
        .unwrap_or_else(|error| panic!("{error}: run `cargo xtask test`, which builds it"));
    if example.container.is_some() {
        let variables = for_containers(&stage);
        stage.terraform.set("TF_VAR_base_image", base_image());
        stage.terraform.set("TF_VAR_task_environment", &variables.to_string());
    }
    stage.terraform.set("TF_VAR_function_environment", &rekognition().environment().to_string());
    let folder = configuration.strip_suffix("main.tf").expect("a configuration");
    stage.terraform.enter(&format!("examples/{}/{folder}", example.name));
    // The modules; the provider itself comes by an override.
    stage.terraform.run(&["get"]).expect_success();
    stage
}

/// Rekognition's double, which all tests of this process share.
fn rekognition() -> &'static Rekognition {
    static SHARED: OnceLock<Rekognition> = OnceLock::new();
    SHARED.get_or_init(|| rekognition::start().expect("Rekognition's double"))
}

fn drive(example: &Example, stage: &Stage) -> Result<Vec<String>> {
    let folder = private().join("examples").join(example.name);
    let applied = Applied { account: &stage.account, outputs: stage.terraform.outputs(), folder: &folder };
    (example.drive)(&applied)
}

/// Runs every configuration of an example.
fn run(name: &str) {
    let example = Example::find(name).expect("an example");
    for configuration in example.configurations {
        let stage = stage(example, configuration);
        let before = stage.aws.everything();
        stage.terraform.apply().expect_success();
        stage.terraform.expect_empty_plan();
        let said = drive(example, &stage);
        said.unwrap_or_else(|error| panic!("{name}/{configuration}: {error}"));
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before, "{name}/{configuration}");
    }
}

macro_rules! run {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { run($name); })*

        #[test]
        fn every_example_is_run() {
            let run = [$($name),*];
            let all: Vec<&str> = ALL.iter().map(|example| example.name).collect();
            assert_eq!(run[..], all[..]);
        }
    };
}

run! {
    content_moderation "content-moderation"
    function_chaining "function-chaining"
    image_thumbnail "image-thumbnail"
    queues "queues"
    ray_tracing "ray-tracing"
    route_counter "route-counter"
    scheduled_task "scheduled-task"
    stream_analysis "stream-analysis"
    upload_notice "upload-notice"
    video_thumbnailer "video-thumbnailer"
}
