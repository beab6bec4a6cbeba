//! The rights that parameters of calls require, besides the rights for the calls themselves.

use tandem_model::kind::{Kind, KindField};
use tandem_model::kinds;

/// Returns true if the access of a kind has such an action on this resource.
fn grants(kind: &Kind, resource: &str, action: impl Fn(&str) -> bool) -> bool {
    let mut access = kind.access.iter().filter(|access| access.resource.contains(resource));
    access.any(|access| access.actions.iter().any(|name| action(name)))
}

/// Actions that put tags on a new object.
fn puts_tags(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    let tags = ["TagResource", "TagQueue", "TagRole", "CreateTags", "AddTagsToStream"].contains(&name);
    // The actions of API Gateway are the verbs of HTTP.
    tags || action == "apigateway:POST"
}

#[test]
fn tags_of_a_create_call_need_the_right_to_tag() {
    for kind in kinds::ALL.iter().filter(|kind| kind.tags) {
        assert!(grants(kind, "", puts_tags), "no action puts tags on a {}", kind.title);
    }
}

/// The last part of the member that a field sets, e.g. `RoleArn`.
fn member(field: &KindField) -> &str {
    let member = field.member.or(field.property).unwrap_or_default();
    member.rsplit_once('.').map_or(member, |(_, last)| last)
}

#[test]
fn a_role_as_a_parameter_needs_pass_role() {
    let mut roles = 0;
    for kind in kinds::ALL.iter().filter(|kind| kind.service != "iam") {
        for field in kind.fields.iter().filter(|field| member(field).to_lowercase().contains("role")) {
            let resource = format!("{{{}}}", field.name);
            assert!(
                grants(kind, &resource, |action| action == "iam:PassRole"),
                "`{}` of the {} needs iam:PassRole on {resource}",
                field.name,
                kind.title
            );
            roles += 1;
        }
    }
    assert!(roles >= 5, "{roles}");
}

/// Calls that take a key and do not use it. The services use it later, with rights of their own.
const KEYS_THAT_ARE_ONLY_STORED: &[(&str, &str)] = &[
    (
        "cloudwatch_log_group",
        "AssociateKmsKey asks for the key policy of the service, not for rights of the caller",
    ),
    (
        "s3_bucket_server_side_encryption_configuration",
        "S3 does not look at the key: readers and writers use it",
    ),
    ("sns_topic", "SNS uses the key for those who publish"),
    ("sqs_queue", "SQS uses the key for those who send and receive"),
];

#[test]
fn a_key_as_a_parameter_needs_rights_for_the_key() {
    let mut keys = 0;
    for kind in kinds::ALL {
        for field in kind.fields.iter().filter(|field| field.name.starts_with("kms_")) {
            let resource = format!("{{{}}}", field.name);
            let granted = grants(kind, &resource, |action| action.starts_with("kms:"));
            let stored = KEYS_THAT_ARE_ONLY_STORED.iter().any(|(name, _)| *name == kind.name);
            assert!(
                granted != stored,
                "`{}` of the {} needs kms: actions on {resource}",
                field.name,
                kind.title
            );
            keys += 1;
        }
    }
    assert!(keys > KEYS_THAT_ARE_ONLY_STORED.len(), "{keys}");
}
