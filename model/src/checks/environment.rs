//! Environment variables: reserved and invalid names, and names that look like secrets.

use std::collections::BTreeMap;

use crate::finding::{Code, Findings, Path, Step};
use crate::scalar::Scalar;

/// The type of an input for environment variables.
pub type Variables = Scalar<BTreeMap<String, Scalar<String>>>;

/// Variables that Lambda sets itself and rejects.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Checks the environment of a function. `set_here` names the variables that the composite sets.
pub fn check_function(
    environment: Option<&Variables>,
    set_here: &[&str],
    at: &Path,
    findings: &mut Findings,
) {
    let Some(Scalar::Known(environment)) = environment else { return };
    for name in environment.keys() {
        let at = at.join(Step::Key(name.clone()));
        let letters = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED.contains(&name.as_str()) {
            findings.error(
                Code::Environment,
                at,
                format!("Lambda sets `{name}` itself and rejects another value"),
                "Remove it: the function gets the value of Lambda.",
            );
        } else if set_here.contains(&name.as_str()) {
            findings.error(
                Code::Environment,
                at,
                format!("`{name}` is reserved for the tasks and resources that the function uses"),
                "Remove it, and set `launches`, `reads`, `writes`, `sends_to` or `invokes`.",
            );
        } else if !letters || name.len() < 2 {
            findings.error(
                Code::Environment,
                at,
                format!("{name:?} is not a valid name of a Lambda environment variable"),
                "Use at least two letters, digits and underscores, beginning with a letter.",
            );
        } else {
            warn_of_secret(
                name,
                at,
                "Set the variable to the ARN of a secret or parameter, and read the value in the handler.",
                findings,
            );
        }
    }
}

/// Checks the environment of a container against its secrets and the variables that the composite sets
/// (`set_here`).
pub fn check_container(
    environment: Option<&Variables>,
    secrets: Option<&Variables>,
    set_here: &[&str],
    at: &Path,
    findings: &mut Findings,
) {
    let Some(Scalar::Known(environment)) = environment else { return };
    for name in environment.keys() {
        let at = at.join(Step::Key(name.clone()));
        if secrets.and_then(Scalar::known).is_some_and(|secrets| secrets.contains_key(name)) {
            findings.error(
                Code::Environment,
                at,
                format!("`{name}` is in `environment` as well as in `secrets`"),
                "Remove one of the two: ECS rejects a name that occurs twice.",
            );
        } else if name.is_empty() || name.contains(['=', '\0']) {
            findings.error(
                Code::Environment,
                at,
                format!("{name:?} is not a valid name of an environment variable"),
                "Use letters, digits and underscores.",
            );
        } else if set_here.contains(&name.as_str()) {
            findings.error(
                Code::Environment,
                at,
                format!("`{name}` is reserved: other inputs of the task set it"),
                "Remove it: the container gets the value that follows from the other inputs.",
            );
        } else {
            warn_of_secret(
                name,
                at,
                "Move it to `secrets`, with the ARN of the secret or parameter.",
                findings,
            );
        }
    }
}

fn warn_of_secret(name: &str, at: Path, help: &str, findings: &mut Findings) {
    if looks_secret(name) {
        findings.warning(
            Code::SecretInEnvironment,
            at,
            format!(
                "`{name}` looks like a secret, but the state and AWS store environment variables in \
                 plain text"
            ),
            help,
        );
    }
}

fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let secret = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL"];
    let pointer = ["_ARN", "_NAME", "_ID", "_URL", "_PATH"];
    secret.iter().any(|word| name.contains(word)) && !pointer.iter().any(|word| name.ends_with(word))
}
