//! With policies enforced, a function has exactly the permissions of its role: each statement is needed, and
//! no other call is allowed.
//!
//! The emulator writes logs, reads queues and fills dead-letter queues itself, and does not check the
//! function's role for that. So the function returns its credentials, and the test makes these calls with
//! them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use tandem_model::access::{Part, deployment};
use tandem_model::composite::Settings as Fields;
use tandem_model::context::Context;
use tandem_model::value::Value;
use tandem_testkit::emulator::{Emulator, Settings};
use terraform_provider_tandem::aws::{Clients, Connection};

use crate::proxy::Proxy;
use crate::stage::{REGION, Stage};
use tandem_crash::fixture::Fixture;

/// A function that returns its credentials. It is in Python, which every machine with tests has.
const PROBE: &str = r#"
import json, os, urllib.request
base = "http://%s/2018-06-01/runtime/invocation/" % os.environ["AWS_LAMBDA_RUNTIME_API"]
names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
while True:
    with urllib.request.urlopen(base + "next") as event:
        request = event.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = json.dumps({name: os.environ[name] for name in names}).encode()
    urllib.request.urlopen(base + request + "/response", answer)
"#;

/// Writes a zip with the probe. Python makes it, since another zip program may be missing.
fn write_probe(folder: &Path) {
    let python =
        Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().expect("python3");
    let script = format!("#!{}\n{PROBE}", String::from_utf8_lossy(&python.stdout).trim());
    std::fs::write(folder.join("probe.py"), script).expect("a file");
    let make = "import zipfile\ninfo = zipfile.ZipInfo('bootstrap')\ninfo.external_attr = 0o755 << 16\n\
        info.create_system = 3\nzipfile.ZipFile('probe.zip', 'w').writestr(info, open('probe.py').read())";
    let made = Command::new("python3").args(["-c", make]).current_dir(folder).status().expect("python3");
    assert!(made.success());
}

/// Makes the calls that a statement allows, with the function's credentials.
fn allowed(stage: &Stage, role: &Clients, sid: &str) -> Result<(), String> {
    let group = "/aws/lambda/test-probe";
    let text = |error: &dyn std::fmt::Debug| format!("{error:?}");
    stage.aws.wait(async {
        match sid {
            "WriteLogs" => {
                let stream = "probe";
                let created =
                    role.logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await;
                if let Err(error) = created
                    && !text(&error).contains("ResourceAlreadyExists")
                {
                    return Err(text(&error));
                }
                put_log(role, group, stream).await
            }
            "SendMessages" => send(role, "test-probe--dead-letters").await,
            "ConsumeQueue" => {
                let url = url(role, "jobs");
                let got = role.sqs.receive_message().queue_url(&url).send().await;
                got.map(|_| ()).map_err(|error| text(&error))
            }
            other => panic!("no call is known for the statement {other}"),
        }
    })
}

fn url(role: &Clients, queue: &str) -> String {
    let (endpoint, account) = role.place.split_once('|').expect("set by the test");
    format!("{endpoint}/{account}/{queue}")
}

async fn send(role: &Clients, queue: &str) -> Result<(), String> {
    let sent = role.sqs.send_message().queue_url(url(role, queue)).message_body("x").send().await;
    sent.map(|_| ()).map_err(|error| format!("{error:?}"))
}

async fn put_log(role: &Clients, group: &str, stream: &str) -> Result<(), String> {
    let event = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder().timestamp(1).message("x").build();
    let put = role.logs.put_log_events().log_group_name(group).log_stream_name(stream);
    let put = put.log_events(event.expect("an event")).send().await;
    put.map(|_| ()).map_err(|error| format!("{error:?}"))
}

fn is_denied(result: &Result<(), String>) -> bool {
    result.as_ref().is_err_and(|error| error.contains("AccessDenied"))
}

#[test]
fn every_statement_is_needed_and_nothing_else_is_allowed() {
    let log = tempfile::NamedTempFile::new().expect("a log");
    let emulator = Emulator::ministack(log.path(), &Settings { enforce_iam: true, ..Settings::default() })
        .expect("MiniStack");
    let over_tls = Proxy::start(&emulator.endpoint, "", |_, _, _| true);
    let stage = Stage::at(&over_tls.endpoint);
    write_probe(stage.terraform.path());
    stage.aws.create("sqs_queue", &json!({ "name": "jobs", "visibility_timeout_seconds": 360 }));
    let arn = format!("arn:aws:sqs:{REGION}:{}:jobs", stage.account.id);
    stage.configure_with(json!({ "tandem_event_function": { "it": {
        "name": "probe", "code": { "zip": "probe.zip" }, "on": [{ "queue": arn }], "force_destroy": true,
        "launches": [handle(&stage.account.id)],
    } } }));
    stage.terraform.apply().expect_success();

    let invoked = stage.aws.clients.lambda.invoke().function_name("test-probe").send();
    let answer = stage.aws.wait(invoked).expect("an invocation").payload.expect("an answer");
    let credentials: Json = serde_json::from_slice(answer.as_ref()).expect("credentials");
    let credential =
        |name: &str| Some(credentials[name].as_str().unwrap_or_else(|| panic!("{credentials}")).to_owned());
    let clients = |endpoint: &str| {
        let connection = Connection {
            region: Some(REGION.to_owned()),
            access_key: credential("AWS_ACCESS_KEY_ID"),
            secret_key: credential("AWS_SECRET_ACCESS_KEY"),
            token: credential("AWS_SESSION_TOKEN"),
            endpoint: Some(endpoint.to_owned()),
            max_retries: Some(0),
            ..Connection::default()
        };
        let mut clients = stage.aws.wait(connection.clients()).expect("clients");
        clients.place = format!("{}|{}", emulator.endpoint, stage.account.id);
        clients
    };
    let role = clients(&over_tls.endpoint);

    // No other call is allowed, e.g. on another queue or log group.
    stage.aws.create("cloudwatch_log_group", &json!({ "name": "/aws/lambda/other" }));
    assert!(is_denied(&stage.aws.wait(send(&role, "jobs"))), "the role may send to the queue that it reads");
    assert!(
        is_denied(&stage.aws.wait(put_log(&role, "/aws/lambda/other", "x"))),
        "the role may write to any log"
    );

    // Without TLS, even allowed calls are denied.
    let without_tls = clients(&emulator.endpoint);
    assert!(
        is_denied(&allowed(&stage, &without_tls, "SendMessages")),
        "the queue takes messages without TLS"
    );

    // Each statement is needed, and enough.
    let (kind, id) = ("iam_role_policy", format!("test-probe--{REGION}:function"));
    let whole = stage.aws.observe(kind, &id).expect("the policy");
    let statements = whole.settings["policy"]["Statement"].as_array().expect("statements").clone();
    assert_eq!(statements.len(), 5);
    for statement in &statements {
        let sid = statement["Sid"].as_str().expect("a Sid");
        // The emulator checks RunTask against the cluster, and does not check iam:PassRole. So these two
        // statements are compared only.
        let arn = |kind: &str| format!("arn:aws:ecs:{REGION}:{}:{kind}/render", stage.account.id);
        if sid == "RunTask" {
            assert_eq!(statement["Resource"], json!(format!("{}:*", arn("task-definition"))));
            assert_eq!(statement["Condition"], json!({ "ArnEquals": { "ecs:cluster": arn("cluster") } }));
            continue;
        }
        if sid == "PassTaskRoles" {
            let roles = [role_arn(&stage.account.id, "execution"), role_arn(&stage.account.id, "task")];
            assert_eq!(statement["Resource"], json!(roles));
            let service = json!({ "iam:PassedToService": "ecs-tasks.amazonaws.com" });
            assert_eq!(statement["Condition"], json!({ "StringEquals": service }));
            continue;
        }
        let mut enough = whole.settings.clone();
        // CloudWatch Logs demands `:*` after the ARN of a group, and the emulator the ARN alone.
        if sid == "WriteLogs" {
            let group =
                format!("arn:aws:logs:{REGION}:{}:log-group:/aws/lambda/test-probe", stage.account.id);
            assert_eq!(statement["Resource"], json!(format!("{group}:*")));
            let mut statements = statements.clone();
            let place = statements.iter().position(|other| other["Sid"] == sid).expect("the statement");
            statements[place]["Resource"] = json!([group, format!("{group}:*")]);
            enough.insert("policy".to_owned(), json!({ "Version": "2012-10-17", "Statement": statements }));
            stage.aws.update(kind, &id, "policy", &enough).expect("a wider policy");
        }
        assert_eq!(allowed(&stage, &role, sid), Ok(()), "{sid}");
        let rest: Vec<&Json> = statements.iter().filter(|other| other["Sid"] != sid).collect();
        let mut less = whole.settings.clone();
        less.insert("policy".to_owned(), json!({ "Version": "2012-10-17", "Statement": rest }));
        stage.aws.update(kind, &id, "policy", &less).expect("a smaller policy");
        let refused = allowed(&stage, &role, sid);
        assert!(is_denied(&refused), "{sid} is not needed: {refused:?}");
        stage.aws.update(kind, &id, "policy", &whole.settings).expect("the policy");
    }
    stage.terraform.destroy().expect_success();
}

/// Services whose calls the emulator checks against `*`, or against names that AWS does not use.
const COARSE: &[&str] =
    &["apigateway", "dynamodb", "ec2", "ecs", "events", "kinesis", "lambda", "scheduler", "sns", "states"];

/// The policy that `tandem policy` prints is enough to create, change and delete every composite. The policy
/// of another application is not.
#[test]
fn the_policy_of_a_deployment_is_enough() {
    let log = tempfile::NamedTempFile::new().expect("a log");
    let emulator = Emulator::ministack(log.path(), &Settings { enforce_iam: true, ..Settings::default() })
        .expect("MiniStack");
    let over_tls = Proxy::start(&emulator.endpoint, "", |_, _, _| true);
    for fixture in Fixture::all() {
        let mut stage = Stage::at(&over_tls.endpoint);
        let mut inputs = stage.prepare(&fixture);
        // No image is built: a push takes the account from its address.
        fixture.for_moto(&mut inputs, &stage.account.id);
        // The emulator ignores the path of a role, and does not support permissions boundaries.
        for (name, value) in [("role_path", json!("/")), ("permissions_boundary", Json::Null)] {
            if let Some(input) = inputs.get_mut(name) {
                *input = value;
            }
        }
        stage.configure(&fixture, &inputs);

        let root = format!("arn:aws:iam::{}:root", stage.account.id);
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": root }, "Action": "sts:AssumeRole",
        }] });
        let role = json!({ "name": "deployer", "path": "/", "assume_role_policy": trust });
        stage.aws.create("iam_role", &role);
        // Names start with the project: the policy of another project does not match them.
        let policy = |project: &str| {
            let context = Context {
                project: Some(project.to_owned()),
                region: Some(REGION.to_owned()),
                account: Some(stage.account.id.clone()),
                ..Context::default()
            };
            let graph = fixture.definition.expand(&Value::from(&inputs), &context).graph.expect("a graph");
            let mut policy = deployment(&[Part { graph: &graph, takes: BTreeMap::new() }], &context);
            for statement in policy["Statement"].as_array_mut().expect("statements") {
                let service = statement["Action"][0].as_str().and_then(|action| action.split(':').next());
                if project == "test" && COARSE.contains(&service.unwrap_or_default()) {
                    statement["Resource"] = "*".into();
                }
            }
            json!({ "role": "deployer", "name": "deploy", "policy": policy })
        };
        let (other, own) = (policy("other"), policy("test"));
        stage.aws.create("iam_role_policy", &other);
        let taken = stage.aws.clients.sts.assume_role().role_session_name("deploy");
        let taken = taken.role_arn(role_arn(&stage.account.id, "deployer")).send();
        let taken = stage.aws.wait(taken).expect("the role").credentials.expect("credentials");
        stage.terraform.set("AWS_ACCESS_KEY_ID", &taken.access_key_id);
        stage.terraform.set("AWS_SECRET_ACCESS_KEY", &taken.secret_access_key);
        stage.terraform.set("AWS_SESSION_TOKEN", &taken.session_token);
        let refused = stage.terraform.apply();
        assert!(!refused.success && refused.text.contains("not allowed to make"), "{}", refused.text);

        let own: Fields = own.as_object().expect("settings").clone().into_iter().collect();
        stage.aws.update("iam_role_policy", "deployer:deploy", "policy", &own).expect("the policy");
        stage.terraform.apply().expect_success();
        stage.terraform.expect_empty_plan();
        inputs["tags"] = json!({ "team": "b" });
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        stage.terraform.destroy().expect_success();
    }
}

fn role_arn(account: &str, role: &str) -> String {
    format!("arn:aws:iam::{account}:role/{role}")
}

/// The handle of a task, as a `container_task` gives it.
fn handle(account: &str) -> String {
    let arn = |kind: &str| format!("arn:aws:ecs:{REGION}:{account}:{kind}/render");
    let handle = json!({
        "name": "render", "task_definition": arn("task-definition"), "cluster": arn("cluster"),
        "container": "main", "roles": [role_arn(account, "execution"), role_arn(account, "task")],
        "subnets": "subnet-1", "security_groups": "sg-1", "assign_public_ip": true, "capacity": "fargate",
    });
    handle.to_string()
}

/// The emulator gives containers no credentials: the test assumes the task's role like ECS, and makes the
/// container's calls with it.
#[test]
fn a_container_may_read_and_write_what_it_is_given_and_nothing_else() {
    let log = tempfile::NamedTempFile::new().expect("a log");
    let emulator = Emulator::ministack(log.path(), &Settings { enforce_iam: true, ..Settings::default() })
        .expect("MiniStack");
    let over_tls = Proxy::start(&emulator.endpoint, "", |_, _, _| true);
    let stage = Stage::at(&over_tls.endpoint);
    stage.configure_with(json!({
        "tandem_bucket": { "videos": { "name": "videos", "force_destroy": true } },
        "tandem_container_task": { "it": {
            "name": "render", "image": "busybox",
            "bucket_access": [{ "bucket": "${tandem_bucket.videos.bucket}", "read": ["in/"], "write": ["out/"] }],
        } },
    }));
    stage.terraform.apply().expect_success();
    let bucket = stage.terraform.output_of("tandem_bucket.videos", "bucket");
    for key in ["in/a", "out/a", "else/a"] {
        stage.account.put_object(&bucket, key, b"x").expect("an upload");
    }
    let role = stage.terraform.output_of("tandem_container_task.it", "task_role_arn");
    // Only ECS may assume the role: the test replaces the trust policy.
    let name = stage.terraform.output_of("tandem_container_task.it", "task_role_name");
    let mut open = stage.aws.observe("iam_role", &name).expect("the role").settings;
    let account = format!("arn:aws:iam::{}:root", stage.account.id);
    open.insert(
        "assume_role_policy".to_owned(),
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": account }, "Action": "sts:AssumeRole",
        }] }),
    );
    stage.aws.update("iam_role", &name, "assume_role_policy", &open).expect("another trust");
    let taken = stage.aws.clients.sts.assume_role().role_arn(role).role_session_name("task").send();
    let taken = stage.aws.wait(taken).expect("the role").credentials.expect("credentials");
    let connection = Connection {
        region: Some(REGION.to_owned()),
        access_key: Some(taken.access_key_id),
        secret_key: Some(taken.secret_access_key),
        token: Some(taken.session_token),
        endpoint: Some(over_tls.endpoint.clone()),
        max_retries: Some(0),
        ..Connection::default()
    };
    let task = stage.aws.wait(connection.clients()).expect("clients").s3;
    let get = |key: &str| {
        let got = stage.aws.wait(task.get_object().bucket(&bucket).key(key).send());
        got.map(|_| ()).map_err(|error| format!("{error:?}"))
    };
    let put = |key: &str| {
        let put = stage.aws.wait(task.put_object().bucket(&bucket).key(key).send());
        put.map(|_| ()).map_err(|error| format!("{error:?}"))
    };
    assert_eq!((get("in/a"), put("out/b")), (Ok(()), Ok(())));
    for refused in [get("out/a"), get("else/a"), put("in/b"), put("else/b")] {
        assert!(is_denied(&refused), "{refused:?}");
    }
    // Each statement is needed.
    let (kind, id) = ("iam_role_policy", format!("test-render--{REGION}:task"));
    let whole = stage.aws.observe(kind, &id).expect("the policy");
    let statements = whole.settings["policy"]["Statement"].as_array().expect("statements").clone();
    assert_eq!(statements.len(), 2);
    for statement in &statements {
        let mut one = whole.settings.clone();
        one.insert("policy".to_owned(), json!({ "Version": "2012-10-17", "Statement": [statement] }));
        stage.aws.update(kind, &id, "policy", &one).expect("a smaller policy");
        let reads = statement["Sid"] == "ReadObjects";
        assert_eq!((is_denied(&get("in/a")), is_denied(&put("out/b"))), (!reads, reads));
    }
    stage.aws.update(kind, &id, "policy", &whole.settings).expect("the policy");
    stage.terraform.destroy().expect_success();
}
