//! Suggestions for a name that does not exist: by spelling, and by meaning.

/// The guide to settings that no composite has, each with its alternative.
pub const GUIDE: &str = "docs/guides/not-covered.md";

/// Terms of AWS, Terraform and other tools, each with the inputs for the same setting. The first input that
/// exists in the block is suggested.
const TERMS: &[(&[&str], &[&str])] = &[
    (
        &[
            "vpc",
            "vpc_id",
            "vpc_config",
            "network_configuration",
            "subnet",
            "subnets",
            "subnet_ids",
            "assign_public_ip",
        ],
        &["network", "subnets"],
    ),
    (&["security_group", "security_groups", "security_group_ids"], &["security_groups", "network"]),
    (&["memory", "memory_mb", "memory_size", "memory_limit", "ram", "mem"], &["memory_size", "memory"]),
    (&["cpu_units", "vcpu", "vcpus", "cpus"], &["cpu"]),
    (&["disk", "disk_size", "storage"], &["ephemeral_storage"]),
    (&["env", "envs", "vars", "variables", "env_vars", "environment_variables"], &["environment"]),
    (&["timeout_seconds", "timeout_in_seconds", "max_duration"], &["timeout"]),
    (
        &[
            "trigger",
            "triggers",
            "event",
            "events",
            "event_source",
            "event_sources",
            "source",
            "bucket",
            "queue",
            "topic",
            "stream",
            "table",
            "http",
            "api",
            "url",
            "cron",
            "rate",
            "schedule",
            "schedule_expression",
            "event_pattern",
            "starts",
            "start_on",
        ],
        &["on", "schedule"],
    ),
    (&["arch", "architectures", "cpu_architecture", "platform"], &["architecture"]),
    (
        &["alarm", "alarms", "alarm_arn", "alarm_action", "alarm_actions", "sns_topic", "notify"],
        &["alarm_topic_arn"],
    ),
    (
        &["dlq", "dead_letter_queue", "dead_letter_config", "redrive_policy", "on_failure"],
        &["dead_letters", "on_failure"],
    ),
    (&["kms", "kms_key", "kms_key_id", "kms_master_key_id", "encryption", "sse"], &["kms_key_arn"]),
    (
        &["log_retention", "log_retention_in_days", "retention_in_days", "logs", "retention_days"],
        &["log_retention_days"],
    ),
    (
        &["retention", "retention_period", "message_retention_seconds", "retention_seconds"],
        &["message_retention", "retention_hours"],
    ),
    (&["visibility", "visibility_timeout_seconds"], &["visibility_timeout"]),
    (&["delay_seconds"], &["delay"]),
    (&["max_receives", "receive_count", "retries"], &["max_receive_count"]),
    (
        &["retry", "retries", "max_retries", "attempts", "max_attempts"],
        &["maximum_retry_attempts", "retry_attempts"],
    ),
    (&["hash_key", "partition_key", "primary_key", "pk", "id"], &["key"]),
    (&["range_key", "sort", "sk"], &["sort_key"]),
    (&["shards"], &["shard_count"]),
    (&["ttl", "time_to_live", "expires"], &["ttl_attribute"]),
    (&["stream_view_type", "stream_enabled"], &["stream"]),
    (&["image", "image_uri", "image_url", "container_image"], &["image", "code"]),
    (&["zip", "bootstrap", "binary", "filename", "package"], &["code"]),
    (&["secret"], &["secrets"]),
    (&["cors"], &["cors_origins"]),
    (&["cors_rule", "cors_configuration"], &["cors", "cors_origins"]),
    (&["lifecycle", "lifecycle_rules", "lifecycle_configuration"], &["lifecycle_rule"]),
    (&["versioned", "versioning_configuration"], &["versioning"]),
    (&["reserved_concurrent_executions"], &["reserved_concurrency"]),
    (
        &["concurrency", "maximum_concurrency", "scaling_config"],
        &["max_concurrency", "maximum_concurrency", "reserved_concurrency"],
    ),
    (&["dockerfile", "context"], &["build"]),
    (&["entrypoint", "cmd", "args"], &["command"]),
    (&["folder", "directory", "path"], &["context"]),
    (&["launch", "run_task", "starts_task"], &["launches"]),
    (&["permissions", "policy", "policies", "iam", "iam_policies"], &["reads", "bucket_access"]),
    (&["read"], &["reads"]),
    (&["write"], &["writes"]),
    (&["send_to", "sends", "publish", "publishes_to"], &["sends_to"]),
    (&["invoke", "calls_function"], &["invokes"]),
    (&["origins", "allow_origins", "allowed_origins"], &["cors_origins"]),
    (&["methods", "allow_methods", "allowed_methods"], &["cors_methods"]),
    (&["authorizer", "authorization", "authorization_type"], &["auth"]),
    (&["zone", "tz", "time_zone"], &["timezone"]),
    (
        &["batch", "batch_window", "maximum_batching_window_in_seconds"],
        &["maximum_batching_window", "batch_size"],
    ),
    (&["start_at", "position"], &["starting_position"]),
    (&["state_machine", "definition", "states", "steps"], &["step"]),
    (&["destroy", "force_delete", "delete_content"], &["force_destroy"]),
    (&["label", "labels"], &["tags"]),
];

/// Terms for settings that no composite has, each with the subject of a sentence.
const NOT_COVERED: &[(&[&str], &str)] = &[
    (
        &[
            "vpc",
            "vpc_id",
            "vpc_config",
            "subnets",
            "subnet_ids",
            "security_groups",
            "security_group_ids",
            "network",
        ],
        "a VPC",
    ),
    (&["secret", "secrets"], "secrets"),
    (&["layer", "layers"], "Lambda layers"),
    (&["provisioned_concurrency"], "provisioned concurrency"),
    (&["runtime", "handler"], "another runtime than `provided.al2023`"),
    (&["file_system", "file_systems", "efs", "mount", "mounts", "volume", "volumes"], "a file system"),
    (&["ephemeral_storage"], "another size of `/tmp`"),
    (&["snap_start"], "SnapStart"),
    (&["durable_config"], "durable functions"),
    (&["tracing", "tracing_config", "xray"], "tracing"),
    (
        &[
            "index",
            "indexes",
            "gsi",
            "lsi",
            "global_secondary_index",
            "local_secondary_index",
            "global_secondary_indexes",
        ],
        "secondary indexes",
    ),
    (&["replication"], "replication"),
    (&["website"], "a website"),
    (&["route", "routes", "path", "paths", "method"], "routes"),
    (
        &["domain", "domain_name", "custom_domain", "certificate", "certificate_arn", "waf"],
        "a custom domain or WAF",
    ),
    (&["email", "sms", "subscription", "subscriptions", "subscribers"], "email and SMS subscriptions"),
    (&["load_balancer", "alb", "port", "ports", "service", "desired_count", "autoscaling"], "a service"),
    (&["sidecar", "sidecars", "containers", "health_check"], "a second container"),
    (&["role", "role_arn", "execution_role_arn", "task_role_arn"], "a role of your own"),
];

/// The suggestion for an unknown name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggestion<'a> {
    /// An existing name that is spelt alike or means the same.
    Name(&'a str),
    /// A setting that no composite has, as the object of "Tandem does not support …".
    NotCovered(&'static str),
    /// No suggestion.
    None,
}

/// The best suggestion for an unknown name, from the names that exist in its block.
pub fn for_input<'a>(unknown: &str, names: &[&'a str]) -> Suggestion<'a> {
    let word = snake_case(unknown);
    let find = |wanted: &str| names.iter().copied().find(|name| *name == wanted);
    if let Some(name) = find(&word) {
        return Suggestion::Name(name);
    }
    let meant = TERMS.iter().filter(|(words, _)| words.contains(&word.as_str()));
    if let Some(name) = meant.flat_map(|(_, inputs)| inputs.iter()).find_map(|input| find(input)) {
        return Suggestion::Name(name);
    }
    if let Some((_, subject)) = NOT_COVERED.iter().find(|(words, _)| words.contains(&word.as_str())) {
        return Suggestion::NotCovered(subject);
    }
    // One name extends the other, e.g. `alarm_topic` and `alarm_topic_arn`. Short names extend too many.
    let extends = |short: &str, long: &str| {
        short.len() >= 4 && long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'))
    };
    let extended = names.iter().filter(|name| extends(&word, name) || extends(name, &word));
    if let [one] = extended.copied().collect::<Vec<_>>()[..] {
        return Suggestion::Name(one);
    }
    suggest(&word, names.iter().copied()).map_or(Suggestion::None, Suggestion::Name)
}

/// `memorySize` and `Memory-Size` as `memory_size`.
fn snake_case(name: &str) -> String {
    let mut word = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            word.push('_');
        }
        lower = c.is_lowercase() || c.is_ascii_digit();
        word.extend(c.to_lowercase().map(|c| if c == '-' || c == ' ' { '_' } else { c }));
    }
    word
}

/// The name with the least edits to a misspelt one, if they are at most a third of its length.
pub fn suggest<'a>(misspelt: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (distance(misspelt, name), name)).min()?;
    (near.0 <= misspelt.len().div_ceil(3)).then_some(near.1)
}

fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let substitute = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composites;
    use crate::input::{Body, Field, Shape, union};

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(suggest("memroy_size", ["timeout", "memory_size"]), Some("memory_size"));
        assert_eq!(suggest("color", ["timeout", "memory_size"]), None);
    }

    #[test]
    fn names_are_suggested_by_meaning() {
        let function: Vec<&str> = fields("event_function").iter().map(|field| field.name).collect();
        let task: Vec<&str> = fields("container_task").iter().map(|field| field.name).collect();
        for (names, word, expected) in [
            (&function, "alarm_topic", Suggestion::Name("alarm_topic_arn")),
            (&function, "memorySize", Suggestion::Name("memory_size")),
            (&function, "memory", Suggestion::Name("memory_size")),
            (&function, "env", Suggestion::Name("environment")),
            (&function, "triggers", Suggestion::Name("on")),
            (&function, "vpc", Suggestion::NotCovered("a VPC")),
            (&function, "secrets", Suggestion::NotCovered("secrets")),
            (&function, "on_failure", Suggestion::None),
            (&function, "role", Suggestion::NotCovered("a role of your own")),
            (&function, "code_signing_config_arn", Suggestion::Name("code")),
            (&function, "image", Suggestion::Name("code")),
            (&task, "vpc", Suggestion::Name("network")),
            (&task, "subnets", Suggestion::Name("network")),
            (&task, "assign_public_ip", Suggestion::Name("network")),
            (&task, "memory_size", Suggestion::Name("memory")),
            (&function, "color", Suggestion::None),
        ] {
            assert_eq!(for_input(word, names), expected, "{word}");
        }
    }

    /// Without this test, terms for removed inputs would stay in the list.
    #[test]
    fn every_term_leads_to_inputs_that_exist() {
        let mut names = Vec::new();
        for definition in composites::ALL {
            collect(&(definition.fields)(), &mut names);
        }
        let inputs = TERMS.iter().flat_map(|(_, inputs)| inputs.iter());
        let gone: Vec<_> = inputs.filter(|input| !names.contains(input)).collect();
        assert!(gone.is_empty(), "{gone:?}");
    }

    /// Messages send the reader to the guide, to look for the word that was not found.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test compares the words with the guide")]
    fn the_guide_contains_every_word_that_is_not_covered() {
        let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(GUIDE);
        let guide = std::fs::read_to_string(guide).expect("the guide");
        for word in NOT_COVERED.iter().flat_map(|(words, _)| words.iter()) {
            assert!(guide.contains(&format!("`{word}`")), "{GUIDE} does not contain `{word}`");
        }
    }

    fn fields(composite: &str) -> Vec<Field> {
        (crate::composite::Definition::find(composite).expect("a composite").fields)()
    }

    fn collect(fields: &[Field], names: &mut Vec<&'static str>) {
        for field in fields {
            names.push(field.name);
            match &field.shape {
                Shape::Block(Body::Fields(inner)) | Shape::Blocks(Body::Fields(inner)) => {
                    collect(inner, names);
                }
                Shape::Block(Body::Choice(variants)) | Shape::Blocks(Body::Choice(variants)) => {
                    collect(&union(variants), names);
                }
                _ => {}
            }
        }
    }
}
