//! Environment variables: names that are reserved or not allowed, sizes, and what looks like a secret.

use std::collections::BTreeMap;

use crate::finding::{Code, Findings, Path, Step};
use crate::scalar::Scalar;

/// Environment variables as an input holds them.
pub type Variables = Scalar<BTreeMap<String, Scalar<String>>>;

/// Variables that Lambda sets itself, and refuses.
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

/// Checks the environment of a function, beside what is set for it.
pub fn check_function(
    environment: Option<&Variables>,
    set_here: &[&str],
    at: &Path,
    findings: &mut Findings,
) {
    let Some(Scalar::Known(environment)) = environment else { return };
    let mut size = 0;
    for (name, value) in environment {
        let at = at.join(Step::Key(name.clone()));
        let letters = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED.contains(&name.as_str()) {
            findings.error(
                Code::Environment,
                at,
                format!("Lambda sets `{name}` itself and refuses to have it set"),
                "Remove it; the function sees Lambda's value.",
            );
        } else if set_here.contains(&name.as_str()) {
            findings.error(
                Code::Environment,
                at,
                format!("`{name}` tells the function what it starts and uses, and is set by that"),
                "Remove it, and name what the function uses in `launches`, `reads`, `writes`, `sends_to` or `invokes`.",
            );
        } else if !letters || name.len() < 2 {
            findings.error(
                Code::Environment,
                at,
                format!("{name:?} is not a name that Lambda takes for a variable"),
                "Use at least two letters, digits and underscores, beginning with a letter.",
            );
        } else {
            warn_of_secret(
                name,
                at,
                "Put the ARN of a Secrets Manager secret or parameter here, and read it in the handler.",
                findings,
            );
        }
        size += name.len() + value.known().map_or(0, String::len);
    }
    if size > 4096 {
        findings.error(
            Code::Environment,
            at.clone(),
            format!("the variables take {size} bytes, and Lambda allows 4096"),
            "Put large values into a parameter or an object, and name it here.",
        );
    }
}

/// Checks the environment of a container, beside its secrets and what is set for it.
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
                "Keep one of the two: ECS refuses a name that is given twice.",
            );
        } else if set_here.contains(&name.as_str()) {
            findings.error(
                Code::Environment,
                at,
                format!("`{name}` tells the container what it works with, and is set by that"),
                "Remove it; the container sees what the other inputs say.",
            );
        } else {
            warn_of_secret(name, at, "Put it into `secrets`, with the ARN of where it is kept.", findings);
        }
    }
}

fn warn_of_secret(name: &str, at: Path, help: &str, findings: &mut Findings) {
    if looks_secret(name) {
        findings.warning(
            Code::SecretInEnvironment,
            at,
            format!("`{name}` looks like a secret, and would stand readable in the state and in AWS"),
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
