//! S3.

use crate::kind::{Form, Kind, access, field};

/// A bucket.
pub static BUCKET: Kind = Kind {
    name: "s3_bucket",
    title: "S3 bucket",
    service: "s3",
    fields: &[field("bucket").immutable()],
    id: Some("{bucket}"),
    attributes: &[("arn", Some("arn:{partition}:s3:::{bucket}")), ("bucket", None)],
    tags: true,
    // In us-east-1, creating a bucket that one has already succeeds.
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
            ],
        ),
        access("arn:{partition}:s3:::{bucket}/*", &["s3:DeleteObject", "s3:DeleteObjectVersion"]).to_empty(),
        access("*", &["s3:ListAllMyBuckets"]).to_sweep(),
    ],
};

/// The four switches against public access.
pub static PUBLIC_ACCESS_BLOCK: Kind = Kind {
    name: "s3_bucket_public_access_block",
    title: "S3 public access block",
    service: "s3",
    fields: &[
        field("bucket").parent(),
        field("block_public_acls"),
        field("block_public_policy"),
        field("ignore_public_acls"),
        field("restrict_public_buckets"),
    ],
    id: Some("{bucket}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"],
    )],
};

/// Who owns objects that others write.
pub static OWNERSHIP_CONTROLS: Kind = Kind {
    name: "s3_bucket_ownership_controls",
    title: "S3 ownership controls",
    service: "s3",
    fields: &[field("bucket").parent(), field("object_ownership")],
    id: Some("{bucket}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"],
    )],
};

/// Encryption at rest.
pub static ENCRYPTION: Kind = Kind {
    name: "s3_bucket_server_side_encryption_configuration",
    title: "S3 encryption",
    service: "s3",
    fields: &[
        field("bucket").parent(),
        field("sse_algorithm"),
        field("kms_master_key_id").optional(),
        field("bucket_key_enabled"),
    ],
    id: Some("{bucket}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"],
    )],
};

/// What happens to objects as they age.
pub static LIFECYCLE: Kind = Kind {
    name: "s3_bucket_lifecycle_configuration",
    title: "S3 lifecycle",
    service: "s3",
    fields: &[field("bucket").parent(), field("abort_incomplete_multipart_upload_days")],
    id: Some("{bucket}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"],
    )],
};

/// The bucket policy.
pub static POLICY: Kind = Kind {
    name: "s3_bucket_policy",
    title: "S3 bucket policy",
    service: "s3",
    fields: &[field("bucket").parent(), field("policy").form(Form::Policy)],
    id: Some("{bucket}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
    )],
};

/// One entry of a bucket's notifications. AWS keeps all entries in one document per bucket: only
/// ours, by its exact id, is touched.
pub static NOTIFICATION: Kind = Kind {
    name: "s3_bucket_notification",
    title: "S3 notification",
    service: "s3",
    fields: &[
        field("bucket").immutable(),
        field("id").immutable(),
        field("lambda_function_arn").parent(),
        field("events").form(Form::Set),
        field("filter_prefix").optional(),
        field("filter_suffix").optional(),
    ],
    id: Some("{bucket}:{id}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketNotification", "s3:PutBucketNotification"],
    )],
};

/// Whether a bucket tells EventBridge what happens to its objects. It stands in the document of the
/// bucket's notifications, beside the entries of others.
pub static EVENT_BRIDGE: Kind = Kind {
    name: "s3_bucket_eventbridge",
    title: "S3 events to EventBridge",
    service: "s3",
    fields: &[field("bucket").parent()],
    id: Some("{bucket}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:s3:::{bucket}",
        &["s3:GetBucketNotification", "s3:PutBucketNotification"],
    )],
};

/// A prefix or suffix as S3 takes it in the filter of a notification: a space is a plus, and what is special is
/// percent-encoded (S3's guide to notifications says so).
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

/// What [`encoded`] made a filter of; one that it cannot have made stays as it is.
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
