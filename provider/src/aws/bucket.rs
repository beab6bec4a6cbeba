//! S3 buckets.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketNamespace, CreateBucketConfiguration, Delete, ObjectIdentifier, Tag,
    Tagging,
};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::s3;
use tandem_model::names;

use super::failure::{call, found, gone};
use super::{of_project, pages};

pub(super) struct Buckets {
    pub(super) s3: Client,
    pub(super) region: String,
    /// The account that must own the bucket: bucket names are shared by all accounts.
    pub(super) account: Option<String>,
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("key and value are set")
}

impl Buckets {
    async fn tags(&self, id: &str) -> Result<Tags, Failure> {
        let tagging = found(call!("s3:GetBucketTagging", self.s3.get_bucket_tagging().bucket(id)))?;
        let tags = tagging.map(|tagging| tagging.tag_set).unwrap_or_default();
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    async fn put_tags(&self, id: &str, tags: &Tags) -> Result<(), Failure> {
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().expect("the tags are set");
        call!("s3:PutBucketTagging", self.s3.put_bucket_tagging().bucket(id).tagging(tagging)).map(|_| ())
    }
}

#[async_trait]
impl Driver for Buckets {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let head = self.s3.head_bucket().bucket(id).set_expected_bucket_owner(self.account.clone());
        match found(call!("s3:HeadBucket", head)) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(failure) if failure.message.contains("403") || failure.code == "Forbidden" => {
                let message = format!(
                    "the bucket `{id}` belongs to another account, or these credentials lack `s3:ListBucket`"
                );
                return Err(Failure { message, ..failure });
            }
            Err(failure) => return Err(failure),
        }
        // S3 tells the namespace by the name alone.
        let namespace = id.ends_with(names::OWN_BUCKET).then_some(s3::OWN_NAMESPACE);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<s3::Bucket>::default().bucket(id).bucket_namespace(namespace).settings(),
            tags: self.tags(id).await?,
            ..Observed::default()
        }))
    }

    /// Lists the buckets of this region only: S3 redirects calls for buckets of other regions.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let buckets = pages(|token| async {
            let request = self.s3.list_buckets().prefix(names::prefix(project)).bucket_region(&self.region);
            let page = call!("s3:ListBuckets", request.set_continuation_token(token))?;
            Ok((page.buckets.unwrap_or_default(), page.continuation_token))
        });
        let here = buckets.await?.into_iter().filter(|bucket| {
            // Some S3 implementations do not return the region of a bucket.
            bucket.bucket_region().is_none_or(|region| region == self.region)
        });
        Ok(of_project(project, here.filter_map(|bucket| bucket.name)))
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let bucket = View::<s3::Bucket>::of(settings);
        let name = bucket.bucket();
        let tag_list = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(tag_list));
        if self.region != "us-east-1" {
            configuration =
                configuration.location_constraint(BucketLocationConstraint::from(self.region.as_str()));
        }
        let request = self.s3.create_bucket().bucket(name).create_bucket_configuration(configuration.build());
        let request = request.set_bucket_namespace(bucket.bucket_namespace().map(BucketNamespace::from));
        call!("s3:CreateBucket", request)?;
        // Some S3 implementations ignore the tags of CreateBucket.
        if self.tags(name).await? != *tags {
            self.put_tags(name, tags).await?;
        }
        Ok(Created { id: name.to_owned(), ..Created::default() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], _settings: &Settings) -> Result<(), Failure> {
        Ok(())
    }

    /// PutBucketTagging replaces all tags, so foreign tags are read first and written back.
    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let mut tags = self.tags(id).await?;
        tags.retain(|key, _| !remove.contains(key));
        tags.extend(set.clone());
        self.put_tags(id, &tags).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("s3:DeleteBucket", self.s3.delete_bucket().bucket(id)))
    }

    /// Deletes one page of object versions and delete markers; returns `false` if there were none.
    async fn empty(&self, id: &str) -> Result<bool, Failure> {
        let listed = found(call!("s3:ListObjectVersions", self.s3.list_object_versions().bucket(id)))?;
        let Some(listed) = listed else { return Ok(false) };
        let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .map(|(key, version)| {
                let object = ObjectIdentifier::builder().key(key.unwrap_or_default());
                object.set_version_id(version.map(ToOwned::to_owned)).build().expect("the key is set")
            })
            .collect();
        if objects.is_empty() {
            return Ok(false);
        }
        let delete =
            Delete::builder().set_objects(Some(objects)).quiet(true).build().expect("the objects are set");
        let deleted = call!("s3:DeleteObjects", self.s3.delete_objects().bucket(id).delete(delete))?;
        match deleted.errors().first() {
            None => Ok(true),
            Some(error) => Err(Failure::local(
                "s3:DeleteObjects",
                format!(
                    "{}: {}",
                    error.key().unwrap_or_default(),
                    error.message().or(error.code()).unwrap_or("refused")
                ),
            )),
        }
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        let request = self.s3.list_object_versions().bucket(id).max_keys(2);
        let Some(listed) = found(call!("s3:ListObjectVersions", request))? else { return Ok(None) };
        let keys = listed.versions().iter().filter_map(|version| version.key());
        let key = keys.chain(listed.delete_markers().iter().filter_map(|marker| marker.key())).next();
        Ok(key.map(|key| format!("objects, such as `{key}`")))
    }
}
