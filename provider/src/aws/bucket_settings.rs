//! Bucket settings of S3 that have an API call of their own.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, CorsConfiguration, CorsRule, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::s3;

use super::failure::{call, found, gone};
use super::{lifecycle, only_child, parse_policy};

/// A setting of a bucket that is an object of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    PublicAccessBlock,
    OwnershipControls,
    Encryption,
    Versioning,
    Cors,
    Lifecycle,
    Policy,
}

/// Every setting and its kind.
pub(super) const ALL: [(&Kind, Setting); 7] = [
    (&s3::PUBLIC_ACCESS_BLOCK, Setting::PublicAccessBlock),
    (&s3::OWNERSHIP_CONTROLS, Setting::OwnershipControls),
    (&s3::ENCRYPTION, Setting::Encryption),
    (&s3::VERSIONING, Setting::Versioning),
    (&s3::CORS, Setting::Cors),
    (&s3::LIFECYCLE, Setting::Lifecycle),
    (&s3::POLICY, Setting::Policy),
];

pub(super) struct BucketSettings {
    pub(super) s3: Client,
    pub(super) setting: Setting,
}

impl BucketSettings {
    async fn cors_rules(&self, bucket: &str) -> Result<Vec<CorsRule>, Failure> {
        let answer = found(call!("s3:GetBucketCors", self.s3.get_bucket_cors().bucket(bucket)))?;
        Ok(answer.and_then(|answer| answer.cors_rules).unwrap_or_default())
    }

    /// Replaces the rule of Tandem, or removes it. S3 replaces all rules at once: those of other owners stay.
    async fn put_cors(&self, bucket: &str, own: Option<CorsRule>) -> Result<(), Failure> {
        let mut rules = self.cors_rules(bucket).await?;
        rules.retain(|rule| rule.id() != Some(s3::CORS_RULE));
        rules.extend(own);
        // S3 rejects a configuration without rules.
        if rules.is_empty() {
            return gone(call!("s3:DeleteBucketCors", self.s3.delete_bucket_cors().bucket(bucket)));
        }
        let configuration = CorsConfiguration::builder().set_cors_rules(Some(rules)).build();
        let request = self.s3.put_bucket_cors().bucket(bucket);
        let request = request.cors_configuration(configuration.expect("the rules are set"));
        call!("s3:PutBucketCors", request).map(|_| ())
    }

    async fn put_versioning(&self, bucket: &str, status: BucketVersioningStatus) -> Result<(), Failure> {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let request = self.s3.put_bucket_versioning().bucket(bucket);
        call!("s3:PutBucketVersioning", request.versioning_configuration(configuration)).map(|_| ())
    }

    /// The bucket of a new setting.
    fn bucket<'a>(&self, settings: &'a Settings) -> &'a str {
        match self.setting {
            Setting::PublicAccessBlock => View::<s3::PublicAccessBlock>::of(settings).bucket(),
            Setting::OwnershipControls => View::<s3::OwnershipControls>::of(settings).bucket(),
            Setting::Encryption => View::<s3::Encryption>::of(settings).bucket(),
            Setting::Versioning => View::<s3::Versioning>::of(settings).bucket(),
            Setting::Cors => View::<s3::Cors>::of(settings).bucket(),
            Setting::Lifecycle => View::<s3::Lifecycle>::of(settings).bucket(),
            Setting::Policy => View::<s3::Policy>::of(settings).bucket(),
        }
    }

    async fn put(&self, bucket: &str, settings: &Settings) -> Result<(), Failure> {
        match self.setting {
            Setting::PublicAccessBlock => {
                let wanted = View::<s3::PublicAccessBlock>::of(settings);
                let block = PublicAccessBlockConfiguration::builder()
                    .set_block_public_acls(wanted.block_public_acls())
                    .set_block_public_policy(wanted.block_public_policy())
                    .set_ignore_public_acls(wanted.ignore_public_acls())
                    .set_restrict_public_buckets(wanted.restrict_public_buckets())
                    .build();
                let request = self.s3.put_public_access_block().bucket(bucket);
                call!("s3:PutPublicAccessBlock", request.public_access_block_configuration(block)).map(|_| ())
            }
            Setting::OwnershipControls => {
                let wanted = View::<s3::OwnershipControls>::of(settings);
                let ownership = ObjectOwnership::from(wanted.object_ownership());
                let rule = OwnershipControlsRule::builder().object_ownership(ownership).build();
                let controls =
                    OwnershipControls::builder().rules(rule.expect("the ownership is set")).build();
                let request = self.s3.put_bucket_ownership_controls().bucket(bucket);
                let controls = controls.expect("a rule is set");
                call!("s3:PutBucketOwnershipControls", request.ownership_controls(controls)).map(|_| ())
            }
            Setting::Encryption => {
                let wanted = View::<s3::Encryption>::of(settings);
                let default = ServerSideEncryptionByDefault::builder()
                    .sse_algorithm(ServerSideEncryption::from(wanted.sse_algorithm()))
                    .set_kms_master_key_id(wanted.kms_master_key_id().map(ToOwned::to_owned))
                    .build()
                    .expect("the algorithm is set");
                let rule = ServerSideEncryptionRule::builder()
                    .apply_server_side_encryption_by_default(default)
                    .set_bucket_key_enabled(wanted.bucket_key_enabled())
                    .build();
                let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build();
                let request = self.s3.put_bucket_encryption().bucket(bucket);
                let request =
                    request.server_side_encryption_configuration(configuration.expect("a rule is set"));
                call!("s3:PutBucketEncryption", request).map(|_| ())
            }
            Setting::Versioning => {
                let status = View::<s3::Versioning>::of(settings).status();
                self.put_versioning(bucket, status.into()).await
            }
            Setting::Cors => {
                let cors = View::<s3::Cors>::of(settings);
                let rule = CorsRule::builder()
                    .id(s3::CORS_RULE)
                    .set_allowed_origins(Some(cors.allowed_origins()))
                    .set_allowed_methods(Some(cors.allowed_methods()))
                    .set_allowed_headers(cors.allowed_headers())
                    .set_expose_headers(cors.expose_headers())
                    .set_max_age_seconds(cors.max_age_seconds());
                self.put_cors(bucket, Some(rule.build().expect("origins and methods are set"))).await
            }
            Setting::Lifecycle => lifecycle::put(&self.s3, bucket, &View::of(settings)).await,
            Setting::Policy => {
                let policy = View::<s3::Policy>::of(settings).policy();
                let request = self.s3.put_bucket_policy().bucket(bucket).policy(policy);
                call!("s3:PutBucketPolicy", request).map(|_| ())
            }
        }
    }

    async fn get(&self, bucket: &str) -> Result<Option<Settings>, Failure> {
        Ok(match self.setting {
            Setting::PublicAccessBlock => {
                let request = self.s3.get_public_access_block().bucket(bucket);
                let answer = found(call!("s3:GetPublicAccessBlock", request))?;
                answer.and_then(|answer| answer.public_access_block_configuration).map(|block| {
                    Seen::<s3::PublicAccessBlock>::default()
                        .bucket(bucket)
                        .block_public_acls(block.block_public_acls())
                        .block_public_policy(block.block_public_policy())
                        .ignore_public_acls(block.ignore_public_acls())
                        .restrict_public_buckets(block.restrict_public_buckets())
                        .settings()
                })
            }
            Setting::OwnershipControls => {
                let request = self.s3.get_bucket_ownership_controls().bucket(bucket);
                let answer = found(call!("s3:GetBucketOwnershipControls", request))?;
                let rules =
                    answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules);
                rules.and_then(|rules| {
                    let ownership = rules.first()?.object_ownership().as_str();
                    let seen = Seen::<s3::OwnershipControls>::default().bucket(bucket);
                    Some(seen.object_ownership(ownership).settings())
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
                    let seen = Seen::<s3::Encryption>::default()
                        .bucket(bucket)
                        .sse_algorithm(default.sse_algorithm().as_str())
                        .kms_master_key_id(key)
                        .bucket_key_enabled(rule.bucket_key_enabled());
                    Some(seen.settings())
                })
            }
            Setting::Versioning => {
                let request = self.s3.get_bucket_versioning().bucket(bucket);
                let status =
                    found(call!("s3:GetBucketVersioning", request))?.and_then(|answer| answer.status);
                status.filter(|status| *status == BucketVersioningStatus::Enabled).map(|status| {
                    Seen::<s3::Versioning>::default().bucket(bucket).status(status.as_str()).settings()
                })
            }
            Setting::Cors => {
                let rules = self.cors_rules(bucket).await?;
                rules.iter().find(|rule| rule.id() == Some(s3::CORS_RULE)).map(|rule| {
                    let given = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
                    let seen = Seen::<s3::Cors>::default()
                        .bucket(bucket)
                        .allowed_origins(rule.allowed_origins())
                        .allowed_methods(rule.allowed_methods())
                        .allowed_headers(given(rule.allowed_headers()))
                        .expose_headers(given(rule.expose_headers()))
                        .max_age_seconds(rule.max_age_seconds());
                    seen.settings()
                })
            }
            Setting::Lifecycle => lifecycle::get(&self.s3, bucket).await?,
            Setting::Policy => {
                let answer = found(call!("s3:GetBucketPolicy", self.s3.get_bucket_policy().bucket(bucket)))?;
                let policy = answer.and_then(|answer| answer.policy);
                policy.map(|policy| {
                    Seen::<s3::Policy>::default().bucket(bucket).policy(parse_policy(&policy)).settings()
                })
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
        let bucket = self.bucket(settings);
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
            Setting::Versioning => gone(self.put_versioning(id, BucketVersioningStatus::Suspended).await),
            Setting::Cors => gone(self.put_cors(id, None).await),
            Setting::Lifecycle => lifecycle::delete(&self.s3, id).await,
            Setting::Policy => {
                gone(call!("s3:DeleteBucketPolicy", self.s3.delete_bucket_policy().bucket(id)))
            }
        }
    }
}
