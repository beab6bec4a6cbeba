//! The checks of a task definition before ECS registers it.

use serde_json::Value as Json;

use super::super::{Cloud, Refusal, text, text_list};
use super::{client, well_named};

/// The longest stop timeout of a container on Fargate, in seconds.
const LONGEST_STOP: u64 = 120;

pub(super) fn check(cloud: &Cloud, input: &Json) -> Result<(), Refusal> {
    if !well_named(text(input, "family")) {
        return client("Family contains invalid characters.");
    }
    let containers = input["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        return client("Container list cannot be empty.");
    }
    let volumes = input["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    for container in containers {
        for member in ["name", "image"] {
            if text(container, member).is_empty() {
                return client(format!("Container.{member} should not be null or empty."));
            }
        }
        for mount in container["mountPoints"].as_array().into_iter().flatten() {
            let name = text(mount, "sourceVolume");
            if !volumes.iter().any(|volume| text(volume, "name") == name) {
                return client(format!("Unknown volume '{name}'."));
            }
        }
    }
    for member in ["executionRoleArn", "taskRoleArn"] {
        let arn = text(input, member);
        if !input[member].is_null() && !cloud.iam.roles.values().any(|role| role.arn == arn) {
            return client("Role is not valid");
        }
    }
    let fargate = text_list(&input["requiresCompatibilities"]).iter().any(|name| name == "FARGATE");
    if fargate { check_fargate(input, containers) } else { Ok(()) }
}

fn check_fargate(input: &Json, containers: &[Json]) -> Result<(), Refusal> {
    if text(input, "networkMode") != "awsvpc" {
        return client("Fargate only supports network mode ‘awsvpc’.");
    }
    for size in ["cpu", "memory"] {
        if text(input, size).is_empty() {
            return client(format!("Fargate requires that '{size}' be defined at the task level."));
        }
    }
    let size = |member| text(input, member).parse::<u64>().unwrap_or_default();
    if !offered(size("cpu"), size("memory")) {
        return client("No Fargate configuration exists for given values.");
    }
    let storage = &input["ephemeralStorage"];
    if !storage.is_null() && storage["sizeInGiB"].as_u64().is_none_or(|size| !(21..=200).contains(&size)) {
        return client("The ephemeral storage of a task is between 21 and 200 GiB.");
    }
    for container in containers {
        if container["stopTimeout"].as_u64().is_some_and(|seconds| seconds > LONGEST_STOP) {
            return client(format!("The max stop timeout is {LONGEST_STOP} seconds."));
        }
        check_needs_execution_role(input, container)?;
    }
    Ok(())
}

/// Fargate pulls images, reads secrets and creates log streams with the execution role.
fn check_needs_execution_role(input: &Json, container: &Json) -> Result<(), Refusal> {
    if !text(input, "executionRoleArn").is_empty() {
        return Ok(());
    }
    if container["secrets"].as_array().is_some_and(|secrets| !secrets.is_empty()) {
        return client(
            "When you are specifying container secrets, you must also specify a value for \
             'executionRoleArn'.",
        );
    }
    let needing = match text(&container["logConfiguration"], "logDriver") {
        "awslogs" => "log driver awslogs",
        _ if text(container, "image").contains(".dkr.ecr.") => "ECR images",
        _ => return Ok(()),
    };
    client(format!("Fargate requires task definition to have execution role ARN to support {needing}."))
}

/// Returns true if Fargate offers this combination of CPU units and memory in MiB.
fn offered(cpu: u64, memory: u64) -> bool {
    let (sizes, step) = match cpu {
        256 => return matches!(memory, 512 | 1024 | 2048),
        512 => (1024..=4096, 1024),
        1024 => (2048..=8192, 1024),
        2048 => (4096..=16384, 1024),
        4096 => (8192..=30720, 1024),
        8192 => (16384..=61440, 4096),
        16384 => (32768..=122_880, 8192),
        _ => return false,
    };
    sizes.contains(&memory) && memory.is_multiple_of(step)
}
