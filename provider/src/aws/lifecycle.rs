//! The lifecycle of a bucket. S3 replaces all rules at once: those of other owners stay.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, Transition,
    TransitionDefaultMinimumObjectSize, TransitionStorageClass,
};
use serde_json::{Value as Json, json};
use tandem_engine::driver::Failure;
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::s3;

use super::failure::{call, found, gone};

/// The lifecycle of a bucket.
#[derive(Default)]
struct Lifecycle {
    rules: Vec<LifecycleRule>,
    /// The size below which rules move no objects to another storage class. A call without it resets it for the rules
    /// of all owners.
    minimum_size: Option<TransitionDefaultMinimumObjectSize>,
}

/// Returns true for a lifecycle rule of another owner.
fn is_foreign(rule: &LifecycleRule) -> bool {
    !rule.id().is_some_and(|id| id == s3::ABORT_RULE || id.starts_with(s3::RULE_PREFIX))
}

/// The lifecycle of a bucket; empty without one.
async fn read(client: &Client, bucket: &str) -> Result<Lifecycle, Failure> {
    let request = client.get_bucket_lifecycle_configuration().bucket(bucket);
    let answer = found(call!("s3:GetBucketLifecycleConfiguration", request))?;
    let lifecycle = answer.map(|answer| Lifecycle {
        rules: answer.rules.unwrap_or_default(),
        minimum_size: answer.transition_default_minimum_object_size,
    });
    Ok(lifecycle.unwrap_or_default())
}

/// Replaces the lifecycle of a bucket. It must have a rule.
async fn write(client: &Client, bucket: &str, lifecycle: Lifecycle) -> Result<(), Failure> {
    let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(lifecycle.rules));
    let configuration = configuration.build().expect("the rules are set");
    let request = client
        .put_bucket_lifecycle_configuration()
        .bucket(bucket)
        .set_transition_default_minimum_object_size(lifecycle.minimum_size)
        .lifecycle_configuration(configuration);
    call!("s3:PutBucketLifecycleConfiguration", request).map(|_| ())
}

/// The rule that ends uploads.
fn abort_rule(days: Option<i32>) -> LifecycleRule {
    let abort = AbortIncompleteMultipartUpload::builder().set_days_after_initiation(days).build();
    LifecycleRule::builder()
        .id(s3::ABORT_RULE)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .abort_incomplete_multipart_upload(abort)
        .build()
        .expect("the status is set")
}

fn days(value: &Json) -> Option<i32> {
    value.as_i64().and_then(|days| i32::try_from(days).ok())
}

/// A rule of the user, in the form of hashicorp/aws.
fn rule(json: &Json) -> LifecycleRule {
    let expiration = days(&json["expiration"]["days"]);
    let noncurrent = days(&json["noncurrent_version_expiration"]["noncurrent_days"]);
    let transition = days(&json["transition"]["days"]);
    let class = json["transition"]["storage_class"].as_str();
    let transition =
        transition.map(|days| Transition::builder().days(days).set_storage_class(class.map(Into::into)));
    LifecycleRule::builder()
        .set_id(json["id"].as_str().map(ToOwned::to_owned))
        .status(ExpirationStatus::Enabled)
        .filter(
            LifecycleRuleFilter::builder()
                .prefix(json["filter"]["prefix"].as_str().unwrap_or_default())
                .build(),
        )
        .set_expiration(expiration.map(|days| LifecycleExpiration::builder().days(days).build()))
        .set_noncurrent_version_expiration(
            noncurrent.map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build()),
        )
        .set_transitions(transition.map(|transition| vec![transition.build()]))
        .build()
        .expect("the status is set")
}

/// Returns true if a rule has settings that Tandem never puts.
fn has_more(rule: &LifecycleRule) -> bool {
    let filter = rule.filter().is_some_and(|filter| {
        filter.and().is_some()
            || filter.tag().is_some()
            || filter.object_size_greater_than().is_some()
            || filter.object_size_less_than().is_some()
    });
    let expiration = rule.expiration().is_some_and(|expiration| {
        expiration.date().is_some() || expiration.expired_object_delete_marker() == Some(true)
    });
    let noncurrent =
        rule.noncurrent_version_expiration().is_some_and(|one| one.newer_noncurrent_versions().is_some());
    let transitions =
        rule.transitions().len() > 1 || rule.transitions().iter().any(|one| one.date().is_some());
    filter || expiration || noncurrent || transitions || !rule.noncurrent_version_transitions().is_empty()
}

/// The form of hashicorp/aws of a rule.
fn observed(rule: &LifecycleRule) -> Json {
    let mut json = json!({ "id": rule.id(), "status": rule.status().as_str(), "filter": {} });
    let prefix = rule.filter().and_then(LifecycleRuleFilter::prefix).filter(|prefix| !prefix.is_empty());
    if let Some(prefix) = prefix {
        json["filter"]["prefix"] = prefix.into();
    }
    if let Some(days) = rule.expiration().and_then(LifecycleExpiration::days) {
        json["expiration"] = json!({ "days": days });
    }
    let noncurrent = rule.noncurrent_version_expiration();
    if let Some(days) = noncurrent.and_then(NoncurrentVersionExpiration::noncurrent_days) {
        json["noncurrent_version_expiration"] = json!({ "noncurrent_days": days });
    }
    if has_more(rule) {
        json["other"] = "settings of another owner".into();
    }
    if let [transition] = rule.transitions() {
        let class = transition.storage_class().map(TransitionStorageClass::as_str);
        json["transition"] = json!({ "days": transition.days(), "storage_class": class });
    }
    json
}

/// Puts the rules of Tandem.
pub(super) async fn put(
    client: &Client,
    bucket: &str,
    wanted: &View<'_, s3::Lifecycle>,
) -> Result<(), Failure> {
    let mut lifecycle = read(client, bucket).await?;
    lifecycle.rules.retain(is_foreign);
    lifecycle.rules.push(abort_rule(wanted.abort_incomplete_multipart_upload_days()));
    let own: Vec<Json> = serde_json::from_str(&wanted.rules().unwrap_or_default()).unwrap_or_default();
    lifecycle.rules.extend(own.iter().map(rule));
    write(client, bucket, lifecycle).await
}

/// The rules of Tandem; `None` without the rule that ends uploads.
pub(super) async fn get(client: &Client, bucket: &str) -> Result<Option<Settings>, Failure> {
    let rules = read(client, bucket).await?.rules;
    let Some(first) = rules.iter().find(|rule| rule.id() == Some(s3::ABORT_RULE)) else { return Ok(None) };
    let is_enabled = *first.status() == ExpirationStatus::Enabled;
    let abort = first.abort_incomplete_multipart_upload().filter(|_| is_enabled);
    let days = abort.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
    let own = |rule: &&LifecycleRule| rule.id().is_some_and(|id| id.starts_with(s3::RULE_PREFIX));
    let mut own: Vec<Json> = rules.iter().filter(own).map(observed).collect();
    // The order of rules has no meaning.
    own.sort_by_key(|rule| rule["id"].to_string());
    let seen = Seen::<s3::Lifecycle>::default().bucket(bucket).abort_incomplete_multipart_upload_days(days);
    Ok(Some(seen.rules(Some(own).filter(|own| !own.is_empty())).settings()))
}

/// Removes the rules of Tandem.
pub(super) async fn delete(client: &Client, bucket: &str) -> Result<(), Failure> {
    let mut lifecycle = read(client, bucket).await?;
    lifecycle.rules.retain(is_foreign);
    // S3 rejects a lifecycle without rules.
    if lifecycle.rules.is_empty() {
        gone(call!("s3:DeleteBucketLifecycle", client.delete_bucket_lifecycle().bucket(bucket)))
    } else {
        gone(write(client, bucket, lifecycle).await)
    }
}
