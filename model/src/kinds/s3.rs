//! S3.

use serde_json::Value as Json;

use crate::composite::Settings;
use crate::finding::Code;
use crate::kind::declare::{Document, Flag, Number, Text, Texts, kind};
use crate::kind::documented::{Fault, at_most, documented, json_length, text};
use crate::kind::place::{Given, Resource, Shared, Written, beside, constant};
use crate::kind::{Form, Look, access};

/// The IAM actions of calls whose actions have other names.
pub(super) const ACTIONS: &[(&str, &[&str])] = &[
    ("s3:DeleteBucketCors", &["s3:PutBucketCORS"]),
    ("s3:DeleteBucketEncryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:DeleteBucketLifecycle", &["s3:PutLifecycleConfiguration"]),
    ("s3:DeleteBucketOwnershipControls", &["s3:PutBucketOwnershipControls"]),
    ("s3:DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("s3:DeletePublicAccessBlock", &["s3:PutBucketPublicAccessBlock"]),
    ("s3:GetBucketCors", &["s3:GetBucketCORS"]),
    ("s3:GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("s3:GetBucketLifecycleConfiguration", &["s3:GetLifecycleConfiguration"]),
    ("s3:GetBucketNotificationConfiguration", &["s3:GetBucketNotification"]),
    ("s3:GetPublicAccessBlock", &["s3:GetBucketPublicAccessBlock"]),
    ("s3:HeadBucket", &["s3:ListBucket"]),
    ("s3:ListBuckets", &["s3:ListAllMyBuckets"]),
    ("s3:ListObjectVersions", &["s3:ListBucketVersions"]),
    ("s3:PutBucketCors", &["s3:PutBucketCORS"]),
    ("s3:PutBucketEncryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:PutBucketLifecycleConfiguration", &["s3:PutLifecycleConfiguration"]),
    ("s3:PutBucketNotificationConfiguration", &["s3:PutBucketNotification"]),
    ("s3:PutPublicAccessBlock", &["s3:PutBucketPublicAccessBlock"]),
];

kind! {
    /// A bucket.
    Bucket, BUCKET {
        bucket: Text => immutable().sets("CreateBucket.Bucket").property("BucketName"),
        /// `account-regional` for a name that only the account can take; without it, names are shared by all accounts.
        bucket_namespace: Option<Text> => immutable().optional().sets("CreateBucket.BucketNamespace"),
    }
    name: "s3_bucket",
    title: "S3 bucket",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    attributes: &[("arn", Some("arn:{partition}:s3:::{bucket}")), ("bucket", None)],
    tags: true,
    tags_member: Some("CreateBucket.CreateBucketConfiguration.Tags"),
    // In us-east-1, CreateBucket succeeds for a bucket that the account owns already.
    exclusive: false,
    data: true,
    hashed_name: true,
    access: &[
        access(
            "arn:{partition}:s3:::{bucket}",
            &[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:GetBucketTagging",
                "s3:ListBucket",
                "s3:ListBucketVersions",
                "s3:PutBucketTagging",
                // CreateBucket with tags needs it.
                "s3:TagResource",
            ],
        ),
        access("arn:{partition}:s3:::{bucket}/*", &["s3:DeleteObject", "s3:DeleteObjectVersion"]).to_empty(),
        access("*", &["s3:ListAllMyBuckets"]).to_sweep(),
    ],
    beside: &[
        beside("force_destroy", Given::ForceDestroy),
    ],
    look: Some(Look::Bucket),
    documented: &[
        documented(&["bucket"], reserved_name, "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"),
    ],
}

kind! {
    /// The public access block: four settings.
    PublicAccessBlock, PUBLIC_ACCESS_BLOCK {
        bucket: Text => parent().sets("PutPublicAccessBlock.Bucket"),
        block_public_acls: Flag => property("PublicAccessBlockConfiguration.BlockPublicAcls"),
        block_public_policy: Flag => property("PublicAccessBlockConfiguration.BlockPublicPolicy"),
        ignore_public_acls: Flag => property("PublicAccessBlockConfiguration.IgnorePublicAcls"),
        restrict_public_buckets: Flag => property("PublicAccessBlockConfiguration.RestrictPublicBuckets"),
    }
    name: "s3_bucket_public_access_block",
    title: "S3 public access block",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"],
    )],
}

kind! {
    /// The ownership of objects that other accounts write.
    OwnershipControls, OWNERSHIP_CONTROLS {
        bucket: Text => parent().sets("PutBucketOwnershipControls.Bucket"),
        object_ownership: Text => sets("PutBucketOwnershipControls.OwnershipControls.Rules[].ObjectOwnership").at("rule.object_ownership"),
    }
    name: "s3_bucket_ownership_controls",
    title: "S3 ownership controls",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"],
    )],
}

kind! {
    /// Encryption at rest.
    Encryption, ENCRYPTION {
        bucket: Text => parent().sets("PutBucketEncryption.Bucket"),
        sse_algorithm: Text => sets("PutBucketEncryption.ServerSideEncryptionConfiguration.Rules[].ApplyServerSideEncryptionByDefault.SSEAlgorithm").property("BucketEncryption.ServerSideEncryptionConfiguration[].ServerSideEncryptionByDefault.SSEAlgorithm").at("rule.apply_server_side_encryption_by_default.sse_algorithm"),
        kms_master_key_id: Option<Text> => optional().sets("PutBucketEncryption.ServerSideEncryptionConfiguration.Rules[].ApplyServerSideEncryptionByDefault.KMSMasterKeyID").property("BucketEncryption.ServerSideEncryptionConfiguration[].ServerSideEncryptionByDefault.KMSMasterKeyID").at("rule.apply_server_side_encryption_by_default.kms_master_key_id"),
        bucket_key_enabled: Option<Flag> => sets("PutBucketEncryption.ServerSideEncryptionConfiguration.Rules[].BucketKeyEnabled").property("BucketEncryption.ServerSideEncryptionConfiguration[].BucketKeyEnabled").at("rule.bucket_key_enabled"),
    }
    name: "s3_bucket_server_side_encryption_configuration",
    title: "S3 encryption",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"],
    )],
}

kind! {
    /// The versioning of objects. Once enabled, it can only be suspended, which counts as deleted.
    Versioning, VERSIONING {
        bucket: Text => parent().sets("PutBucketVersioning.Bucket"),
        status: Text => sets("PutBucketVersioning.VersioningConfiguration.Status").at("versioning_configuration.status"),
    }
    name: "s3_bucket_versioning",
    title: "S3 versioning",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access("arn:{partition}:s3:::{bucket}", &["s3:GetBucketVersioning", "s3:PutBucketVersioning"])],
}

/// The namespace of bucket names that only the account can take.
pub const OWN_NAMESPACE: &str = "account-regional";

/// The id of the CORS rule that Tandem owns.
pub const CORS_RULE: &str = "tandem";

kind! {
    /// The CORS rule of a bucket. Rules with other ids belong to other owners.
    Cors, CORS {
        bucket: Text => parent().sets("PutBucketCors.Bucket"),
        allowed_origins: Texts => form(Form::Set).sets("PutBucketCors.CORSConfiguration.CORSRules[].AllowedOrigins").property("CorsConfiguration.CorsRules[].AllowedOrigins").at("cors_rule.allowed_origins"),
        allowed_methods: Texts => form(Form::Set).sets("PutBucketCors.CORSConfiguration.CORSRules[].AllowedMethods").property("CorsConfiguration.CorsRules[].AllowedMethods").at("cors_rule.allowed_methods"),
        allowed_headers: Option<Texts> => form(Form::Set).optional().sets("PutBucketCors.CORSConfiguration.CORSRules[].AllowedHeaders").property("CorsConfiguration.CorsRules[].AllowedHeaders").at("cors_rule.allowed_headers"),
        expose_headers: Option<Texts> => form(Form::Set).optional().sets("PutBucketCors.CORSConfiguration.CORSRules[].ExposeHeaders").property("CorsConfiguration.CorsRules[].ExposedHeaders").at("cors_rule.expose_headers"),
        max_age_seconds: Option<Number> => optional().sets("PutBucketCors.CORSConfiguration.CORSRules[].MaxAgeSeconds").property("CorsConfiguration.CorsRules[].MaxAge").at("cors_rule.max_age_seconds"),
    }
    name: "s3_bucket_cors_configuration",
    title: "S3 CORS rule",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access("arn:{partition}:s3:::{bucket}", &["s3:GetBucketCORS", "s3:PutBucketCORS"])],
    documented: &[
        documented(&["allowed_origins"], has_origins, "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html").code(Code::Missing),
        documented(&["allowed_methods"], has_methods, "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html").code(Code::Missing),
    ],
    beside: &[beside("cors_rule.id", Given::Text(CORS_RULE))],
}

/// The id of the lifecycle rule that ends incomplete uploads.
pub const ABORT_RULE: &str = "abort-incomplete-uploads";

/// The prefix of the ids of all other lifecycle rules that Tandem owns.
pub const RULE_PREFIX: &str = "tandem-";

kind! {
    /// The lifecycle rules of a bucket.
    Lifecycle, LIFECYCLE {
        bucket: Text => parent().sets("PutBucketLifecycleConfiguration.Bucket"),
        abort_incomplete_multipart_upload_days: Number => sets("PutBucketLifecycleConfiguration.LifecycleConfiguration.Rules[].AbortIncompleteMultipartUpload.DaysAfterInitiation").property("LifecycleConfiguration.Rules[].AbortIncompleteMultipartUpload.DaysAfterInitiation").at("rule.abort_incomplete_multipart_upload.days_after_initiation"),
        /// The rules of the user, in the form of hashicorp/aws. Their ids begin with [`RULE_PREFIX`].
        rules: Option<Document> => optional().property("LifecycleConfiguration.Rules").at("rule#own").written(Written::Blocks),
    }
    name: "s3_bucket_lifecycle_configuration",
    title: "S3 lifecycle",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"],
    )],
    beside: &[
        beside("rule.id", Given::Text(ABORT_RULE)),
        constant("rule.status", "\"Enabled\""),
        beside("rule.filter", Given::Nothing),
    ],
}

kind! {
    /// The bucket policy.
    Policy, POLICY {
        bucket: Text => parent().sets("PutBucketPolicy.Bucket"),
        policy: Document => form(Form::Policy).sets("PutBucketPolicy.Policy").property("PolicyDocument"),
    }
    name: "s3_bucket_policy",
    title: "S3 bucket policy",
    service: "s3",
    cloudformation: Some("AWS::S3::BucketPolicy"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
    )],
    documented: &[documented(&["policy"], policy_size, "https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html")],
}

/// The resource with all notifications of a bucket.
const NOTIFICATIONS: Shared = Shared {
    name: "s3_bucket_notification",
    title: "notification configuration",
    parent: "bucket",
    block: "",
    output: ("bucket_notifications", "Notifications for buckets that this module does not create."),
};

kind! {
    /// One notification of a bucket. S3 keeps all notifications of a bucket in one document. The driver changes
    /// only the entry with this id.
    Notification, NOTIFICATION {
        bucket: Text => immutable().sets("PutBucketNotificationConfiguration.Bucket"),
        id: Text => immutable().sets("PutBucketNotificationConfiguration.NotificationConfiguration.LambdaFunctionConfigurations[].Id").property(""),
        lambda_function_arn: Text => parent().sets("PutBucketNotificationConfiguration.NotificationConfiguration.LambdaFunctionConfigurations[].LambdaFunctionArn").property("NotificationConfiguration.LambdaConfigurations[].Function"),
        events: Texts => form(Form::Set).sets("PutBucketNotificationConfiguration.NotificationConfiguration.LambdaFunctionConfigurations[].Events").property("NotificationConfiguration.LambdaConfigurations[].Event"),
        filter_prefix: Option<Text> => optional().property("NotificationConfiguration.LambdaConfigurations[].Filter.S3Key.Rules#prefix.Value").written(Written::S3Filter).sets("PutBucketNotificationConfiguration.NotificationConfiguration.LambdaFunctionConfigurations[].Filter.Key.FilterRules[].Value"),
        filter_suffix: Option<Text> => optional().property("NotificationConfiguration.LambdaConfigurations[].Filter.S3Key.Rules#suffix.Value").written(Written::S3Filter).sets("PutBucketNotificationConfiguration.NotificationConfiguration.LambdaFunctionConfigurations[].Filter.Key.FilterRules[].Value"),
    }
    name: "s3_bucket_notification",
    resource: Resource::Shared(Shared { block: "lambda_function", ..NOTIFICATIONS }),
    title: "S3 notification",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}:{id}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketNotification", "s3:PutBucketNotification"],
    )],
}

kind! {
    /// The setting of a bucket to send events to EventBridge. It is in the document of the bucket's
    /// notifications, next to entries of other owners.
    EventBridge, EVENT_BRIDGE {
        bucket: Text => parent().sets("PutBucketNotificationConfiguration.Bucket"),
    }
    name: "s3_bucket_eventbridge",
    resource: Resource::Shared(NOTIFICATIONS),
    beside: &[constant("eventbridge", "true")],
    title: "S3 events to EventBridge",
    service: "s3",
    cloudformation: Some("AWS::S3::Bucket"),
    id: Some("{bucket}"),
    goes_with: Some("bucket"),
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketNotification", "s3:PutBucketNotification"],
    )],
}

/// Encodes a prefix or suffix for the filter of a notification: a space becomes `+`, and special characters
/// are percent-encoded. Source: the guide to event notifications of Amazon S3.
pub fn encoded(filter: &str) -> String {
    let mut encoded = String::new();
    for byte in filter.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"/!-_.*'()".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Reverses [`encoded`]. A filter that is not encoded stays unchanged.
pub fn decoded(filter: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = filter;
    while let Some(c) = rest.chars().next() {
        let hex = rest.get(1..3).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let hex = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, length) = match (c, hex) {
            ('+', _) => (b' ', 1),
            ('%', Some(byte)) => (byte, 3),
            _ => {
                bytes.extend(rest[..c.len_utf8()].bytes());
                rest = &rest[c.len_utf8()..];
                continue;
            }
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| filter.to_owned())
}

/// Prefixes of names that S3 reserves.
const RESERVED_PREFIXES: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];

/// Suffixes of names that S3 reserves.
const RESERVED_SUFFIXES: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Checks that S3 does not reserve the name of a bucket.
fn reserved_name(settings: &Settings) -> Option<Fault> {
    let bucket = text(settings, "bucket");
    let prefix = RESERVED_PREFIXES.iter().find(|prefix| bucket.starts_with(**prefix));
    let part = prefix.or_else(|| RESERVED_SUFFIXES.iter().find(|suffix| bucket.ends_with(**suffix)))?;
    Some(Fault {
        fault: format!("S3 reserves `{part}` in the name `{bucket}`"),
        help: "Choose another `project` or name.",
    })
}

/// Checks that a CORS rule has an origin.
fn has_origins(settings: &Settings) -> Option<Fault> {
    not_empty(settings, "allowed_origins", "Set `origins` of `cors`, or remove `cors`.")
}

/// Checks that a CORS rule has a method.
fn has_methods(settings: &Settings) -> Option<Fault> {
    not_empty(settings, "allowed_methods", "Set `methods` of `cors`, or remove `cors`.")
}

fn not_empty(settings: &Settings, field: &str, help: &'static str) -> Option<Fault> {
    let is_empty = settings.get(field).and_then(Json::as_array).is_some_and(Vec::is_empty);
    is_empty.then(|| Fault { fault: "it is empty, but S3 requires at least one entry".to_owned(), help })
}

/// The largest policy of a bucket, in bytes.
const LARGEST_POLICY: usize = 20 << 10;

/// Checks the size of a bucket policy.
fn policy_size(settings: &Settings) -> Option<Fault> {
    let help = "Allow fewer principals, or a whole organization.";
    at_most(LARGEST_POLICY, json_length(settings, "policy"), "bytes in a bucket policy", "S3", help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_encoded_as_s3_takes_them() {
        for (text, filter) in [
            ("uploads/", "uploads/"),
            (".mp4", ".mp4"),
            ("my folder/", "my+folder/"),
            ("a+b=ü/", "a%2Bb%3D%C3%BC/"),
        ] {
            assert_eq!(encoded(text), filter);
            assert_eq!(decoded(filter), text);
        }
        for foreign in ["ü", "100%", "%zz", "%FF"] {
            assert_eq!(decoded(foreign), foreign);
        }
    }
}
