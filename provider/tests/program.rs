//! The provider's program, started without Terraform.

use std::process::Command;

/// Runs the program and returns its exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_terraform-provider-tandem"));
    let output = program.args(arguments).env_clear().output().expect("the program runs");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn who_calls_it_by_hand_is_told_what_it_is() {
    let (code, out, error) = run(&[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.contains("Terraform starts it") && error.contains("required_providers"), "{error}");
    let (code, help, error) = run(&["--help"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(help.contains("sweep") && help.contains("--debug"), "{help}");
    let (code, version, _) = run(&["--version"]);
    assert_eq!((code, version.trim().ends_with(env!("CARGO_PKG_VERSION"))), (Some(0), true), "{version}");
}

#[test]
fn a_sweep_says_what_it_needs() {
    let (code, _, error) = run(&["sweep"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("--project <PROJECT>"), "{error}");
    let (code, help, _) = run(&["sweep", "--help"]);
    assert_eq!(code, Some(0));
    assert!(
        help.contains("--state") && help.contains("--yes") && help.contains("s3:ListAllMyBuckets"),
        "{help}"
    );
}
