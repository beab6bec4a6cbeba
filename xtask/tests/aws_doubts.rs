//! `cargo xtask aws-doubts` runs to its end on an emulator, and leaves nothing.

use std::process::Command;

use tandem_testkit::emulator::{Emulator, Settings};
use tandem_testkit::environment::Packages;

/// Questions that the emulator cannot answer, with the reason.
const UNKNOWN: &[(&str, &str)] = &[("tags with ABAC", "the emulator has no PutBucketAbac")];

fn with_credentials(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ACCESS_KEY_ID", "000000000042").env("AWS_SECRET_ACCESS_KEY", "test")
}

#[test]
fn all_questions_are_asked_and_nothing_is_left() {
    let log = tempfile::NamedTempFile::new().expect("a log");
    let emulator = Emulator::ministack(log.path(), &Settings::default()).expect("MiniStack");
    let mut ask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    ask.args(["aws-doubts", "--yes", "--region", "eu-central-1", "--endpoint-url", &emulator.endpoint]);
    ask.args(["--kms-key-arn", "arn:aws:kms:eu-central-1:000000000042:key/doubts"]);
    let asked = with_credentials(&mut ask).output().expect("xtask");
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    let all = format!("{text}{}", String::from_utf8_lossy(&asked.stderr));
    assert!(asked.status.success(), "{all}");
    assert!(text.contains("Everything that was made is removed."), "{all}");
    let rows: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(" | ")).collect();
    // The first row is the head of the table.
    assert_eq!(rows.len(), 10, "{all}");
    for (name, answer) in &rows[1..] {
        let is_known = UNKNOWN.iter().all(|(unknown, _)| *unknown != name.trim());
        assert_eq!(!answer.starts_with("no answer"), is_known, "{name}: {answer}");
    }
    for list in [
        ["s3api", "list-buckets"],
        ["sqs", "list-queues"],
        ["kinesis", "list-streams"],
        ["iam", "list-roles"],
        ["ecs", "list-clusters"],
        ["ecs", "list-tasks"],
        ["ecs", "list-task-definitions"],
        ["logs", "describe-log-groups"],
        ["apigatewayv2", "get-apis"],
        ["lambda", "list-functions"],
    ] {
        let mut aws = Command::new(Packages::AwsCli.program("aws"));
        aws.args(list).args(["--region", "eu-central-1", "--endpoint-url", &emulator.endpoint]);
        let listed = with_credentials(&mut aws).output().expect("aws");
        assert!(listed.status.success(), "{list:?}: {}", String::from_utf8_lossy(&listed.stderr));
        let listed = String::from_utf8_lossy(&listed.stdout);
        assert!(!listed.contains("tandem-doubts"), "{list:?}: {listed}");
    }
}
