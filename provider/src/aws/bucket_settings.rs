//! Bucket settings of S3 that have an API call of their own.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule,
    LifecycleRuleFilter, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kinds::s3;

use super::failure::{call, found, gone};
use super::{flag, number, only_child, optional, parse_policy, policy_text, settings, text};

/// A setting of a bucket that is an object of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    PublicAccessBlock,
    OwnershipControls,
    Encryption,
    Lifecycle,
    Policy,
}

/// Every setting and its kind.
pub(super) const ALL: [(&Kind, Setting); 5] = [
    (&s3::PUBLIC_ACCESS_BLOCK, Setting::PublicAccessBlock),
    (&s3::OWNERSHIP_CONTROLS, Setting::OwnershipControls),
    (&s3::ENCRYPTION, Setting::Encryption),
    (&s3::LIFECYCLE, Setting::Lifecycle),
    (&s3::POLICY, Setting::Policy),
];

/// The id of the only lifecycle rule that Tandem owns.
const LIFECYCLE_RULE: &str = "abort-incomplete-uploads";

pub(super) struct BucketSettings {
    pub(super) s3: Client,
    pub(super) setting: Setting,
}

impl BucketSettings {
    async fn lifecycle_rules(&self, bucket: &str) -> Result<Vec<LifecycleRule>, Failure> {
        let request = self.s3.get_bucket_lifecycle_configuration().bucket(bucket);
        let answer = found(call!("s3:GetLifecycleConfiguration", request))?;
        Ok(answer.and_then(|answer| answer.rules).unwrap_or_default())
    }

    async fn put(&self, bucket: &str, settings: &Settings) -> Result<(), Failure> {
        match self.setting {
            Setting::PublicAccessBlock => {
                let block = PublicAccessBlockConfiguration::builder()
                    .set_block_public_acls(flag(settings, "block_public_acls"))
                    .set_block_public_policy(flag(settings, "block_public_policy"))
                    .set_ignore_public_acls(flag(settings, "ignore_public_acls"))
                    .set_restrict_public_buckets(flag(settings, "restrict_public_buckets"))
                    .build();
                let request = self.s3.put_public_access_block().bucket(bucket);
                call!("s3:PutPublicAccessBlock", request.public_access_block_configuration(block)).map(|_| ())
            }
            Setting::OwnershipControls => {
                let ownership = ObjectOwnership::from(text(settings, "object_ownership"));
                let rule = OwnershipControlsRule::builder().object_ownership(ownership).build();
                let controls =
                    OwnershipControls::builder().rules(rule.expect("the ownership is set")).build();
                let request = self.s3.put_bucket_ownership_controls().bucket(bucket);
                let controls = controls.expect("a rule is set");
                call!("s3:PutBucketOwnershipControls", request.ownership_controls(controls)).map(|_| ())
            }
            Setting::Encryption => {
                let default = ServerSideEncryptionByDefault::builder()
                    .sse_algorithm(ServerSideEncryption::from(text(settings, "sse_algorithm")))
                    .set_kms_master_key_id(optional(settings, "kms_master_key_id"))
                    .build()
                    .expect("the algorithm is set");
                let rule = ServerSideEncryptionRule::builder()
                    .apply_server_side_encryption_by_default(default)
                    .set_bucket_key_enabled(flag(settings, "bucket_key_enabled"))
                    .build();
                let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build();
                let request = self.s3.put_bucket_encryption().bucket(bucket);
                let request =
                    request.server_side_encryption_configuration(configuration.expect("a rule is set"));
                call!("s3:PutBucketEncryption", request).map(|_| ())
            }
            Setting::Lifecycle => {
                let abort = AbortIncompleteMultipartUpload::builder()
                    .set_days_after_initiation(number(settings, "abort_incomplete_multipart_upload_days"))
                    .build();
                let rule = LifecycleRule::builder()
                    .id(LIFECYCLE_RULE)
                    .status(ExpirationStatus::Enabled)
                    .filter(LifecycleRuleFilter::builder().prefix("").build())
                    .abort_incomplete_multipart_upload(abort)
                    .build();
                // The call replaces all rules: keep those of another owner.
                let mut rules = self.lifecycle_rules(bucket).await?;
                rules.retain(|rule| rule.id() != Some(LIFECYCLE_RULE));
                rules.push(rule.expect("the status is set"));
                let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules));
                let configuration = configuration.build().expect("a rule is set");
                let request = self.s3.put_bucket_lifecycle_configuration().bucket(bucket);
                call!("s3:PutLifecycleConfiguration", request.lifecycle_configuration(configuration))
                    .map(|_| ())
            }
            Setting::Policy => {
                let request =
                    self.s3.put_bucket_policy().bucket(bucket).policy(policy_text(settings, "policy"));
                call!("s3:PutBucketPolicy", request).map(|_| ())
            }
        }
    }

    async fn get(&self, bucket: &str) -> Result<Option<Settings>, Failure> {
        let name = ("bucket", json!(bucket));
        Ok(match self.setting {
            Setting::PublicAccessBlock => {
                let request = self.s3.get_public_access_block().bucket(bucket);
                let answer = found(call!("s3:GetPublicAccessBlock", request))?;
                answer.and_then(|answer| answer.public_access_block_configuration).map(|block| {
                    settings([
                        name,
                        ("block_public_acls", json!(block.block_public_acls())),
                        ("block_public_policy", json!(block.block_public_policy())),
                        ("ignore_public_acls", json!(block.ignore_public_acls())),
                        ("restrict_public_buckets", json!(block.restrict_public_buckets())),
                    ])
                })
            }
            Setting::OwnershipControls => {
                let request = self.s3.get_bucket_ownership_controls().bucket(bucket);
                let answer = found(call!("s3:GetBucketOwnershipControls", request))?;
                let rules =
                    answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules);
                rules.and_then(|rules| {
                    let ownership = rules.first()?.object_ownership().as_str().to_owned();
                    Some(settings([name, ("object_ownership", json!(ownership))]))
                })
            }
            Setting::Encryption => {
                let answer =
                    found(call!("s3:GetBucketEncryption", self.s3.get_bucket_encryption().bucket(bucket)))?;
                let rules = answer
                    .and_then(|answer| answer.server_side_encryption_configuration)
                    .map(|all| all.rules);
                rules.and_then(|rules| {
                    let rule = rules.first()?;
                    let default = rule.apply_server_side_encryption_by_default()?;
                    let key = default.kms_master_key_id().filter(|key| !key.is_empty());
                    Some(settings([
                        name,
                        ("sse_algorithm", json!(default.sse_algorithm().as_str())),
                        ("kms_master_key_id", json!(key)),
                        ("bucket_key_enabled", json!(rule.bucket_key_enabled())),
                    ]))
                })
            }
            Setting::Lifecycle => {
                let rules = self.lifecycle_rules(bucket).await?;
                rules.iter().find(|rule| rule.id() == Some(LIFECYCLE_RULE)).map(|rule| {
                    let abort = rule.abort_incomplete_multipart_upload();
                    let days = abort.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
                    settings([name, ("abort_incomplete_multipart_upload_days", json!(days))])
                })
            }
            Setting::Policy => {
                let answer = found(call!("s3:GetBucketPolicy", self.s3.get_bucket_policy().bucket(bucket)))?;
                let policy = answer.and_then(|answer| answer.policy);
                policy.map(|policy| settings([name, ("policy", parse_policy(&policy))]))
            }
        })
    }
}

#[async_trait]
impl Driver for BucketSettings {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let settings = self.get(id).await?;
        Ok(settings.map(|settings| Observed { id: id.to_owned(), settings, ..Observed::default() }))
    }

    async fn children(&self, parent: &'static Kind, bucket: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &s3::BUCKET, bucket).await
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let bucket = text(settings, "bucket");
        self.put(bucket, settings).await?;
        Ok(Created { id: bucket.to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(id, settings).await
    }

    /// A deleted encryption setting counts as gone: S3 then returns its own default, never none.
    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(matches!(self.setting, Setting::Encryption) || self.get(id).await?.is_none())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        match self.setting {
            Setting::PublicAccessBlock => {
                gone(call!("s3:DeletePublicAccessBlock", self.s3.delete_public_access_block().bucket(id)))
            }
            Setting::OwnershipControls => {
                let request = self.s3.delete_bucket_ownership_controls().bucket(id);
                gone(call!("s3:DeleteBucketOwnershipControls", request))
            }
            Setting::Encryption => {
                gone(call!("s3:DeleteBucketEncryption", self.s3.delete_bucket_encryption().bucket(id)))
            }
            Setting::Lifecycle => {
                gone(call!("s3:DeleteBucketLifecycle", self.s3.delete_bucket_lifecycle().bucket(id)))
            }
            Setting::Policy => {
                gone(call!("s3:DeleteBucketPolicy", self.s3.delete_bucket_policy().bucket(id)))
            }
        }
    }
}
