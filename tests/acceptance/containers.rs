//! Container tasks: images, networks and their errors.

use serde_json::{Value as Json, json};

use crate::proxy::Proxy;
use crate::stage::{On, REGION, Stage, ministack};

fn task(extra: &Json) -> Json {
    let mut inputs = json!({ "name": "render", "build": { "context": "context" } });
    inputs.as_object_mut().expect("inputs").extend(extra.as_object().expect("inputs").clone());
    json!({ "tandem_container_task": { "it": inputs } })
}

fn thumbnailer(extra: &Json) -> Json {
    let mut inputs = json!({
        "name": "video", "task": { "image": "busybox" }, "launcher": { "code": { "bootstrap": "bootstrap" } },
    });
    inputs.as_object_mut().expect("inputs").extend(extra.as_object().expect("inputs").clone());
    json!({ "tandem_thumbnailer": { "it": inputs } })
}

#[test]
fn bad_input_is_found_before_anything_is_made() {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    std::fs::create_dir(stage.terraform.path().join("empty")).expect("a folder");
    for (resources, parts) in [
        (
            task(&json!({ "build": null })),
            vec!["one of `image` and `build` is required", "neither is set", "TDM005"],
        ),
        (task(&json!({ "image": "busybox" })), vec!["both are set"]),
        (task(&json!({ "build": { "context": "nothing" } })), vec!["`nothing` does not exist", "TDM015"]),
        (task(&json!({ "build": { "context": "empty" } })), vec!["`empty` does not contain `Dockerfile`"]),
        (
            task(&json!({ "cpu": 256, "memory": 4096 })),
            vec![
                "does not offer `memory = 4096` with `cpu = 256`",
                "`memory = 2048`",
                "`cpu = 512`",
                "TDM016",
            ],
        ),
        (task(&json!({ "cpu": 300 })), vec!["300 is not an allowed value", "256, 512"]),
        (task(&json!({ "secrets": { "A": "plain" } })), vec!["is not the ARN of a Secrets Manager secret"]),
        (
            task(
                &json!({ "secrets": { "A": "arn:aws:ssm:eu-central-1:1:parameter/a" }, "environment": { "A": "x" } }),
            ),
            vec!["in `environment` as well as in `secrets`"],
        ),
        (task(&json!({ "bucket_access": [{ "bucket": "inbox" }] })), vec!["`read` nor `write` is set"]),
        (task(&json!({ "network": { "subnets": ["subnet-0"] } })), vec!["`subnet-0` does not exist"]),
        (
            thumbnailer(&json!({ "video_suffixes": [""] })),
            vec!["an endless loop", "TDM022", "so that no written object matches"],
        ),
        (
            thumbnailer(
                &json!({ "video_suffixes": [".jpg"], "input_prefix": "in/", "output_prefix": "in/out/" }),
            ),
            vec!["video_suffixes[0]: an endless loop"],
        ),
        (thumbnailer(&json!({ "default_timestamp": "3" })), vec!["is not a time such as `00:01:30`"]),
        (thumbnailer(&json!({ "timestamp_pattern": "(" })), vec!["TDM004"]),
    ] {
        stage.configure_with(resources);
        let run = stage.terraform.plan().expect_failure(&parts);
        assert!(!run.text.contains("panicked"), "{}", run.text);
    }
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn a_build_that_fails_shows_the_step_and_the_engines_last_lines() {
    let stage = Stage::new(On::MiniStack);
    stage.terraform.write("context/Dockerfile", "FROM scratch\nCOPY hello /hello\nCOPY nothing /nothing\n");
    stage.configure_with(task(&json!({})));
    stage.terraform.apply().expect_failure(&[
        "the build of `context` failed, at `Step 3/4 : COPY nothing /nothing`",
        "The last lines of its output:",
        "Step 2/4 : COPY hello /hello",
    ]);
    stage.terraform.destroy().expect_success();
}

#[test]
fn without_an_engine_it_is_said_how_to_get_one() {
    let mut stage = Stage::new(On::MiniStack);
    stage.terraform.set("DOCKER_HOST", "unix:///nonexistent");
    stage.configure_with(task(&json!({})));
    stage.terraform.apply().expect_failure(&["looking for a container engine", "apt-get install docker.io"]);
    stage.terraform.destroy().expect_success();
}

#[test]
fn a_registry_that_refuses_is_said_with_what_it_needs() {
    // The host of the registry contains another account, which has no such repository.
    let elsewhere = format!("999999999999.dkr.ecr.{REGION}.amazonaws.com");
    let proxy = Proxy::start(ministack(), &elsewhere, |_, _, _| true);
    let stage = Stage::at(&proxy.endpoint);
    stage.configure_with(task(&json!({})));
    stage.terraform.apply().expect_failure(&["the push of `", "ecr:InitiateLayerUpload"]);
    stage.terraform.destroy().expect_success();
}

#[test]
fn an_unchanged_context_is_not_built_again_and_a_changed_one_changes_the_task_only() {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    stage.configure_with(task(&json!({})));
    stage.terraform.apply().expect_success();
    let first = stage.terraform.resource("tandem_container_task.it");
    // Ignored files do not count.
    stage.terraform.write("context/.dockerignore", "notes\n");
    stage.terraform.apply().expect_success();
    let second = stage.terraform.resource("tandem_container_task.it");
    stage.terraform.write("context/notes", "anything");
    stage.terraform.expect_empty_plan();
    stage.terraform.write("context/hello", "another");
    let run = stage.terraform.apply().expect_success();
    let third = stage.terraform.resource("tandem_container_task.it");
    assert_ne!(second["image_uri"], third["image_uri"]);
    assert_ne!(first["image_uri"], Json::Null);
    for (key, line) in third["components"].as_object().expect("components") {
        let same = second["components"].get(key) == Some(line);
        assert!(
            same || key.starts_with("ecr_image.") || key.starts_with("ecs_task_definition."),
            "{key}: {}",
            run.text
        );
    }
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn a_given_image_takes_the_place_of_a_built_one() {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    stage.configure_with(task(&json!({})));
    stage.terraform.apply().expect_success();
    let image = format!("{}.dkr.ecr.eu-central-1.amazonaws.com/own:1", stage.account.id);
    stage.configure_with(task(&json!({ "build": null, "image": image, "architecture": "arm64" })));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let state = stage.terraform.resource("tandem_container_task.it");
    assert_eq!((&state["image_uri"], &state["repository_url"]), (&json!(image), &Json::Null));
    assert!(!stage.aws.everything().iter().any(|item| item.starts_with("repository ")));
    let definition = stage.aws.observe("ecs_task_definition", "test-render").expect("a task definition");
    assert_eq!(definition.settings["cpu_architecture"], "arm64");
    // The image is in ECR: the policy allows a pull of it and nothing else.
    let policy = state["iam_policies"]["iam_role_policy.execution"].as_str().expect("a policy");
    assert!(policy.contains(":repository/own\"") && policy.contains("ecr:BatchGetImage"), "{policy}");
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn what_is_let_in_behind_the_back_is_named_and_shut_out_again() {
    let stage = Stage::new(On::MiniStack);
    stage.configure_with(task(&json!({ "build": null, "image": "busybox" })));
    stage.terraform.apply().expect_success();
    let group = stage.terraform.output_of("tandem_container_task.it", "security_group_id");
    let let_in = format!(
        "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId={group}\
         &IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort=22\
         &IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"
    );
    stage.account.query("ec2", &let_in).expect("a rule");
    stage.terraform.apply().expect_success().expect_text(&["security_group.task: ingress is"]);
    stage.terraform.expect_empty_plan();
    let now = stage.aws.observe("security_group", &group).expect("the group");
    assert_eq!(now.settings["ingress"], json!([]));
    stage.terraform.destroy().expect_success();
}

#[test]
fn subnets_of_ones_own_are_used() {
    let stage = Stage::new(On::MiniStack);
    let subnets = stage.account.query("ec2", "Action=DescribeSubnets&Version=2016-11-15").expect("subnets");
    let subnet =
        subnets.split("<subnetId>").nth(1).and_then(|rest| rest.split('<').next()).expect("a subnet");
    let inputs = json!({ "build": null, "image": "busybox", "network": { "subnets": [subnet] } });
    stage.configure_with(task(&inputs));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let launch = stage.terraform.output_of("tandem_container_task.it", "launch");
    let launch: Json = serde_json::from_str(&launch).expect("JSON");
    assert_eq!((&launch["subnets"], &launch["assign_public_ip"]), (&json!(subnet), &json!(false)));
    stage.terraform.destroy().expect_success();
}

#[test]
fn a_bucket_of_ones_own_keeps_what_others_put_there() {
    let stage = Stage::new(On::MiniStack);
    let bucket = format!("shared-{}", stage.account.id);
    stage.aws.create("s3_bucket", &json!({ "bucket": bucket }));
    stage.aws.create("sqs_queue", &json!({ "name": "jobs" }));
    crate::foreign::put(&stage, &bucket, &["queue", "topic", "function", "event bridge"]);
    let before = (stage.aws.everything(), stage.aws.notifications(&bucket));
    let inputs = |prefix: &str| json!({ "bucket": bucket, "input_prefix": prefix });
    for prefix in ["in/", "videos/"] {
        stage.configure_with(thumbnailer(&inputs(prefix)));
        stage.terraform.apply().expect_success();
        let now = stage.aws.notifications(&bucket);
        assert!(now["functions"].is_superset(&before.1["functions"]) && now["functions"].len() == 2);
        for sort in ["queues", "topics", "event bridge"] {
            assert_eq!(now[sort], before.1[sort], "{sort}");
        }
    }
    stage.terraform.destroy().expect_success();
    assert_eq!((stage.aws.everything(), stage.aws.notifications(&bucket)), before);
}

/// Each build must end in an image of its own. Otherwise a build that ends would remove the last layer of
/// another one.
#[test]
fn one_context_is_built_by_many_at_once() {
    let stage = Stage::new(On::MiniStack);
    let inputs =
        |number: usize| json!({ "name": format!("render-{number}"), "build": { "context": "context" } });
    let tasks: serde_json::Map<String, Json> =
        (0..8).map(|number| (format!("it_{number}"), inputs(number))).collect();
    stage.configure_with(json!({ "tandem_container_task": tasks }));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    stage.terraform.destroy().expect_success();
}
