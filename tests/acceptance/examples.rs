//! Runs the examples: apply, real input, destroy; with the generated module and with hand-written resources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tandem_testkit::cargo::quickly;
use tandem_testkit::environment::{copy, private, root};
use tandem_testkit::examples::{ALL, Applied, Example, Result};
use tandem_testkit::rekognition::{self, Rekognition};

use crate::stage::{On, Stage, base_image, for_containers, is_full};

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
    // Installs the modules; the provider comes from an override.
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

/// Builds the route counter's handler with another `handler.rs`, in a copy of the example's crate.
fn other_counter(handler: &str, to: &Path) -> PathBuf {
    let handlers = to.join("handlers");
    let own = "examples/route-counter/handlers";
    copy(&[&format!("{own}/Cargo.toml"), &format!("{own}/Cargo.lock"), &format!("{own}/counter")], to)
        .expect("the handlers");
    std::fs::rename(to.join(own), &handlers).expect("a folder");
    let write = |path: &str, change: &dyn Fn(String) -> String| {
        let path = handlers.join(path);
        let text = change(std::fs::read_to_string(&path).expect("a file"));
        std::fs::write(path, text).expect("a file");
    };
    // Another name, so that the example's own binary stays.
    let renamed = |text: String| text.replace("name = \"counter\"", "name = \"other-counter\"");
    write("counter/Cargo.toml", &renamed);
    write("Cargo.lock", &renamed);
    write("counter/src/handler.rs", &|_| handler.to_owned());
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked"]).current_dir(&handlers);
    let built = quickly(&mut cargo, "handlers").output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    root().join("target/handlers/release/other-counter")
}

/// The example's driver detects an error: with get and put in place of one call, counts are lost. The test builds a
/// handler, so it runs with `TANDEM_FULL=1` only.
#[test]
fn a_count_that_is_read_and_put_back_loses_some() {
    if !is_full() {
        return;
    }
    let example = Example::find("route-counter").expect("an example");
    let stage = stage(example, "resources/main.tf");
    let folder = tempfile::tempdir().expect("a folder");
    let handler = include_str!("../data/route-counter/get_then_put.rs");
    let binary = other_counter(handler, folder.path());
    let path = stage.terraform.path().join("examples/route-counter/resources/main.tf");
    let text = std::fs::read_to_string(&path).expect("the configuration");
    let text = text
        .replace("${path.module}/../handlers/target/lambda/counter/bootstrap", &binary.display().to_string())
        .replace("  writes {", "  reads {\n    table = tandem_table.routes.arn\n  }\n\n  writes {");
    std::fs::write(&path, text).expect("a configuration");
    stage.terraform.apply().expect_success();
    let wrong = drive(example, &stage).expect_err("no count is lost").to_string();
    assert!(wrong.contains("the largest returned count"), "{wrong}");
    stage.terraform.destroy().expect_success();
}
