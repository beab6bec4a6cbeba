//! Kinesis streams.

use std::cmp::Ordering;
use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{
    EncryptionType, ScalingType, StreamDescriptionSummary, StreamMode, StreamModeDetails, StreamStatus,
};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::kinesis::Stream;

use super::failure::{call, found, gone, not_yet};
use super::table::{outcome, patiently};
use super::{of_project, pages};

/// Fields by the call that changes them. The mode comes first: only a provisioned stream takes a shard count.
const PARTS: [&[&str]; 4] =
    [&["stream_mode"], &["shard_count"], &["retention_period"], &["encryption_type", "kms_key_id"]];

/// The retention of a new stream, in hours.
const RETENTION: i32 = 24;

pub(super) struct Streams(pub(super) Client);

fn mode(stream: &View<'_, Stream>) -> StreamModeDetails {
    let mode = StreamMode::from(stream.stream_mode());
    StreamModeDetails::builder().stream_mode(mode).build().expect("the mode is set")
}

fn is_deleting(stream: &StreamDescriptionSummary) -> bool {
    *stream.stream_status() == StreamStatus::Deleting
}

/// Fields that differ from a new stream's: CreateStream does not take them.
fn later(stream: &View<'_, Stream>) -> Vec<&'static str> {
    let mut later = Vec::new();
    if stream.retention_period().is_some_and(|hours| hours != RETENTION) {
        later.push("retention_period");
    }
    if stream.encryption_type() == "KMS" {
        later.extend(["encryption_type", "kms_key_id"]);
    }
    later
}

impl Streams {
    async fn describe(&self, id: &str) -> Result<Option<StreamDescriptionSummary>, Failure> {
        let request = self.0.describe_stream_summary().stream_name(id);
        let described = found(call!("kinesis:DescribeStreamSummary", request))?;
        Ok(described.and_then(|described| described.stream_description_summary))
    }

    /// The tags of a stream; `None` when there is no stream.
    async fn tags(&self, id: &str) -> Result<Option<Tags>, Failure> {
        let tags = pages(|token| async {
            let request = self.0.list_tags_for_stream().stream_name(id).set_exclusive_start_tag_key(token);
            let page = call!("kinesis:ListTagsForStream", request)?;
            let last = page.tags.last().filter(|_| page.has_more_tags).map(|tag| tag.key.clone());
            Ok((page.tags, last))
        });
        let Some(tags) = found(tags.await)? else { return Ok(None) };
        Ok(Some(tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect()))
    }

    async fn put_retention(&self, id: &str, now: i32, hours: i32) -> Result<(), Failure> {
        match hours.cmp(&now) {
            Ordering::Greater => {
                let request = self.0.increase_stream_retention_period().stream_name(id);
                call!("kinesis:IncreaseStreamRetentionPeriod", request.retention_period_hours(hours))
                    .map(|_| ())
            }
            Ordering::Less => {
                let request = self.0.decrease_stream_retention_period().stream_name(id);
                call!("kinesis:DecreaseStreamRetentionPeriod", request.retention_period_hours(hours))
                    .map(|_| ())
            }
            Ordering::Equal => Ok(()),
        }
    }

    async fn put_encryption(
        &self,
        id: &str,
        now: &StreamDescriptionSummary,
        wanted: &View<'_, Stream>,
    ) -> Result<(), Failure> {
        let kms = EncryptionType::Kms;
        if wanted.encryption_type() == kms.as_str() {
            let request = self.0.start_stream_encryption().stream_name(id).encryption_type(kms);
            let request = request.set_key_id(wanted.kms_key_id().map(ToOwned::to_owned));
            return call!("kinesis:StartStreamEncryption", request).map(|_| ());
        }
        if now.encryption_type() != Some(&kms) {
            return Ok(());
        }
        let request = self.0.stop_stream_encryption().stream_name(id).encryption_type(kms);
        let request = request.set_key_id(now.key_id().map(ToOwned::to_owned));
        call!("kinesis:StopStreamEncryption", request).map(|_| ())
    }

    /// One call at most doubles or halves the number of shards: for more, the update is repeated.
    async fn reshard(&self, id: &str, now: i32, wanted: i32) -> Result<(), Failure> {
        let next = wanted.clamp((now + 1) / 2, now.saturating_mul(2));
        let request = self.0.update_shard_count().stream_name(id).target_shard_count(next);
        call!("kinesis:UpdateShardCount", request.scaling_type(ScalingType::UniformScaling))?;
        if next == wanted {
            return Ok(());
        }
        Err(not_yet(
            "kinesis:UpdateShardCount",
            format!("`{id}` is being resharded from {now} to {wanted} shards, first to {next}"),
        ))
    }

    /// Changes the fields of one part.
    async fn change(&self, id: &str, fields: &[&str], wanted: &View<'_, Stream>) -> Result<(), Failure> {
        let now = self.describe(id).await?.ok_or_else(|| {
            Failure::local("kinesis:DescribeStreamSummary", format!("the stream `{id}` is gone"))
        })?;
        match fields.first().copied() {
            Some("stream_mode") => {
                let request = self.0.update_stream_mode().stream_arn(now.stream_arn());
                call!("kinesis:UpdateStreamMode", request.stream_mode_details(mode(wanted))).map(|_| ())
            }
            Some("shard_count") => {
                let shards = now.open_shard_count();
                self.reshard(id, shards, wanted.shard_count().unwrap_or(shards)).await
            }
            Some("retention_period") => {
                let before = now.retention_period_hours();
                self.put_retention(id, before, wanted.retention_period().unwrap_or(before)).await
            }
            Some(_) => self.put_encryption(id, &now, wanted).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Driver for Streams {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(now) = self.describe(id).await?.filter(|now| !is_deleting(now)) else { return Ok(None) };
        let Some(tags) = self.tags(id).await? else { return Ok(None) };
        let mode = now.stream_mode_details().map(StreamModeDetails::stream_mode);
        // AWS chooses the number of shards of an on-demand stream.
        let shards = Some(now.open_shard_count()).filter(|_| mode != Some(&StreamMode::OnDemand));
        let encryption = now.encryption_type();
        let key = now.key_id().filter(|_| encryption == Some(&EncryptionType::Kms));
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<Stream>::default()
                .name(now.stream_name())
                .stream_mode(mode.map_or("PROVISIONED", StreamMode::as_str))
                .shard_count(shards)
                .retention_period(now.retention_period_hours())
                .encryption_type(encryption.map_or("NONE", EncryptionType::as_str))
                .kms_key_id(key)
                .settings(),
            attributes: [("arn".to_owned(), json!(now.stream_arn()))].into(),
            tags,
        }))
    }

    /// Kinesis cannot filter by prefix: this lists every stream.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let names = pages(|token| async {
            let request = self.0.list_streams().set_exclusive_start_stream_name(token);
            let page = call!("kinesis:ListStreams", request)?;
            let last = page.stream_names.last().filter(|_| page.has_more_streams).cloned();
            Ok((page.stream_names, last))
        });
        Ok(of_project(project, names.await?))
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let stream = View::<Stream>::of(settings);
        let (name, mode) = (stream.name(), mode(&stream));
        let shards = stream.shard_count().filter(|_| *mode.stream_mode() == StreamMode::Provisioned);
        let given: HashMap<String, String> = tags.clone().into_iter().collect();
        let request = self
            .0
            .create_stream()
            .stream_name(name)
            .stream_mode_details(mode)
            .set_shard_count(shards)
            .set_tags(Some(given).filter(|tags| !tags.is_empty()));
        let created = call!("kinesis:CreateStream", request);
        // A stream that is being deleted still holds its name, but not for long.
        if created.is_err()
            && let Ok(Some(before)) = self.describe(name).await
            && is_deleting(&before)
        {
            return Err(not_yet(
                "kinesis:CreateStream",
                format!("an earlier stream `{name}` is still being deleted"),
            ));
        }
        created?;
        // Some Kinesis implementations ignore the tags of CreateStream.
        if self.tags(name).await?.is_some_and(|kept| kept != *tags) {
            patiently(|| self.tag(name, tags, &[])).await?;
        }
        for part in self.parts(&later(&stream)) {
            patiently(|| self.update(name, &part, settings)).await?;
        }
        Ok(Created { id: name.to_owned(), ..Created::default() })
    }

    async fn ready(&self, id: &str) -> Result<(), Failure> {
        let Some(now) = self.describe(id).await? else {
            return Err(not_yet("kinesis:DescribeStreamSummary", format!("`{id}` is not visible yet")));
        };
        if matches!(now.stream_status(), StreamStatus::Creating | StreamStatus::Updating) {
            return Err(not_yet("kinesis:DescribeStreamSummary", format!("`{id}` is not active yet")));
        }
        Ok(())
    }

    /// A stream is busy after each call, and accepts the next one when it is active again.
    fn parts<'a>(&self, fields: &[&'a str]) -> Vec<Vec<&'a str>> {
        let chosen = PARTS.iter().map(|part| {
            let given = fields.iter().filter(|field| part.contains(field));
            given.copied().collect::<Vec<_>>()
        });
        chosen.filter(|part| !part.is_empty()).collect()
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        // A change that an interrupted apply began may still be in progress.
        self.ready(id).await?;
        for part in self.parts(fields) {
            let changed = self.change(id, &part, &View::of(settings)).await;
            outcome(self, id, &part, settings, changed).await?;
        }
        Ok(())
    }

    async fn add_tags(&self, id: &str, set: &Tags) -> Result<(), Failure> {
        let tags = Some(set.clone().into_iter().collect());
        call!("kinesis:AddTagsToStream", self.0.add_tags_to_stream().stream_name(id).set_tags(tags))
            .map(|_| ())
    }

    async fn remove_tags(&self, id: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.remove_tags_from_stream().stream_name(id);
        call!("kinesis:RemoveTagsFromStream", request.set_tag_keys(Some(remove.to_vec()))).map(|_| ())
    }

    /// Kinesis continues to delete a stream after the call, and its name stays taken until then.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let Some(now) = self.describe(id).await? else { return Ok(()) };
        if !is_deleting(&now) {
            gone(call!("kinesis:DeleteStream", self.0.delete_stream().stream_name(id)))?;
        }
        if self.is_gone(id).await? {
            return Ok(());
        }
        Err(not_yet("kinesis:DeleteStream", format!("the stream `{id}` is still being deleted")))
    }

    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.describe(id).await?.is_none())
    }
}
