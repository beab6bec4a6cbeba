//! Conflicts between the resources of one configuration, found at plan: two resources that would own the same
//! object, and loops through several resources. Whatever plans one resource twice is no conflict.

use crate::stage::{On, Stage};

fn write(stage: &Stage, resources: &str) {
    let providers =
        "terraform {\n  required_providers {\n    tandem = { source = \"tandem/tandem\" }\n  }\n}\n";
    stage.terraform.write("main.tf", format!("{providers}{resources}"));
}

/// A queue with this name, and further arguments.
fn queue(label: &str, name: &str, more: &str) -> String {
    format!(
        "resource \"tandem_queue\" \"{label}\" {{\n  name = \"{name}\"\n  force_destroy = true\n{more}\n}}\n"
    )
}

/// A function with the code of the fixtures, and further arguments.
fn function(label: &str, more: &str) -> String {
    format!(
        "resource \"tandem_event_function\" \"{label}\" {{\n  name = \"{label}\"\n  \
         code {{ bootstrap = \"bootstrap\" }}\n{more}\n}}\n"
    )
}

const CONFLICT: &str = "[TDM134]";

#[test]
fn two_resources_of_one_name_are_an_error_at_plan() {
    let stage = Stage::new(On::MiniStack);
    write(&stage, &(queue("a", "jobs", "") + &queue("b", "jobs", "")));
    stage.terraform.plan().expect_failure(&["queue/jobs", CONFLICT]);
    // One of them exists, and the other one is new.
    write(&stage, &queue("a", "jobs", ""));
    stage.terraform.apply().expect_success();
    write(&stage, &(queue("a", "jobs", "") + &queue("b", "jobs", "")));
    stage.terraform.plan().expect_failure(&["queue/jobs", CONFLICT]);
    // Different types can have objects of one name.
    let task = "resource \"tandem_container_task\" \"b\" {\n  name = \"same\"\n  image = \"busybox\"\n}\n";
    let function = function("same", "");
    write(&stage, &(queue("a", "jobs", "") + &function + task));
    stage.terraform.plan().expect_failure(&["sqs_queue", "same--dead-letters", CONFLICT]);
    write(&stage, "");
    stage.terraform.apply().expect_success();
}

#[test]
fn what_terraform_plans_twice_is_no_conflict() {
    let stage = Stage::new(On::MiniStack);
    let both = queue("a", "jobs", "") + &queue("b", "others", "");
    write(&stage, &both);
    stage.terraform.apply().expect_success();
    let address = "tandem_queue.a";
    stage.terraform.run(&["plan", "-input=false", &format!("-replace={address}")]).expect_success();
    stage
        .terraform
        .run(&["apply", "-auto-approve", "-input=false", &format!("-replace={address}")])
        .expect_success();
    stage.terraform.run(&["taint", address]).expect_success();
    stage.terraform.plan().expect_success();
    stage.terraform.apply().expect_success();
    // The name is part of the identity: the resource is replaced, and the two swap their names.
    let swapped = queue("a", "others-2", "") + &queue("b", "jobs", "");
    write(&stage, &swapped);
    stage.terraform.plan().expect_success();
    let moved = queue("c", "jobs", "")
        + &queue("b", "others", "")
        + "moved {\n  from = tandem_queue.a\n  to = tandem_queue.c\n}\n";
    write(&stage, &moved);
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let early =
        queue("c", "new-jobs", "  lifecycle { create_before_destroy = true }") + &queue("b", "others", "");
    write(&stage, &early);
    stage.terraform.apply().expect_success();
    let each = "resource \"tandem_queue\" \"each\" {\n  for_each = toset([\"x\", \"y\"])\n  name = each.key\n  \
                force_destroy = true\n}\n";
    write(&stage, &(early.clone() + each));
    stage.terraform.apply().expect_success();
    write(&stage, &(early + &each.replace("name = each.key", "name = \"same\"")));
    stage.terraform.plan().expect_failure(&[CONFLICT]);
    write(&stage, "");
    stage.terraform.apply().expect_success();
}

#[test]
fn a_loop_through_several_resources_is_an_error_at_plan() {
    let stage = Stage::new(On::MiniStack);
    let topic = "resource \"tandem_topic\" \"news\" {\n  name = \"news\"\n}\n";
    let subscribed = queue("jobs", "jobs", "  on { topic = tandem_topic.news.arn }");
    let reader = |allow: &str| {
        function(
            "reader",
            &format!(
                "  on {{\n    queue = tandem_queue.jobs.arn\n{allow}  }}\n  \
                 sends_to {{ topic = tandem_topic.news.arn }}"
            ),
        )
    };
    write(&stage, &(topic.to_owned() + &subscribed + &reader("")));
    stage.terraform.plan().expect_failure(&["an endless loop", "[TDM022]"]);
    write(&stage, &(topic.to_owned() + &subscribed + &reader("    allow_loop = true\n")));
    stage.terraform.plan().expect_success();
}
