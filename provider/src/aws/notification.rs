//! Entries in the notification document of a bucket.
//!
//! S3 keeps all entries of a bucket in one document, which is read and written as a whole and has no version.
//! So the driver reads the document, changes only the entry with its own id, writes the document and reads it
//! back. A file lock orders the provider processes of one machine.
//!
//! A foreign write between that read and that write can still lose an entry; AWS offers no protection. The
//! driver writes its own lost entry again at once, or a later plan shows it as drift.

use std::fs::{File, OpenOptions, TryLockError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, LambdaFunctionConfiguration, NotificationConfiguration,
    NotificationConfigurationFilter, S3KeyFilter,
};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::checks::filters;
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::{lambda, s3};
use tandem_model::names;

use super::failure::{call, found, not_yet};
use super::permission;
use super::{lock_directory, split};

/// Pause between two attempts to take the lock.
const TURN: Duration = Duration::from_millis(50);
/// Attempts to take the lock before the call fails and is repeated: a Stop takes effect in between.
const TURNS: usize = 100;

pub(super) struct Notifications {
    pub(super) s3: Client,
    pub(super) place: String,
}

/// The rules of a filter: prefix and suffix.
fn filter(filter: Option<&NotificationConfigurationFilter>) -> (Option<String>, Option<String>) {
    let rules = filter
        .and_then(NotificationConfigurationFilter::key)
        .map(S3KeyFilter::filter_rules)
        .unwrap_or_default();
    let value = |wanted: &str| {
        // AWS returns `Prefix` even for an entry that was written with `prefix`.
        let rule = rules
            .iter()
            .find(|rule| rule.name().is_some_and(|name| name.as_str().eq_ignore_ascii_case(wanted)));
        rule.and_then(FilterRule::value).filter(|value| !value.is_empty()).map(s3::decoded)
    };
    (value("prefix"), value("suffix"))
}

fn entry(wanted: &View<'_, s3::Notification>) -> LambdaFunctionConfiguration {
    let rule = |name, value: Option<&str>| {
        value.map(|value| FilterRule::builder().name(name).value(s3::encoded(value)).build())
    };
    let prefix = rule(FilterRuleName::Prefix, wanted.filter_prefix());
    let suffix = rule(FilterRuleName::Suffix, wanted.filter_suffix());
    let rules: Vec<FilterRule> = prefix.into_iter().chain(suffix).collect();
    let filter = (!rules.is_empty()).then(|| {
        let key = S3KeyFilter::builder().set_filter_rules(Some(rules)).build();
        NotificationConfigurationFilter::builder().key(key).build()
    });
    LambdaFunctionConfiguration::builder()
        .id(wanted.id())
        .lambda_function_arn(wanted.lambda_function_arn())
        .set_events(Some(wanted.events().iter().map(|event| Event::from(event.as_str())).collect()))
        .set_filter(filter)
        .build()
        .expect("function and events are set")
}

fn observed(bucket: &str, entry: &LambdaFunctionConfiguration) -> Observed {
    let (prefix, suffix) = filter(entry.filter());
    let events: Vec<&str> = entry.events().iter().map(Event::as_str).collect();
    let id = entry.id().unwrap_or_default();
    Observed {
        id: format!("{bucket}:{id}"),
        settings: Seen::<s3::Notification>::default()
            .bucket(bucket)
            .id(id)
            .lambda_function_arn(entry.lambda_function_arn())
            .events(events)
            .filter_prefix(prefix)
            .filter_suffix(suffix)
            .settings(),
        ..Observed::default()
    }
}

/// The id of a foreign entry that S3 would reject next to this one: a common event and overlapping filters.
fn conflict(document: &NotificationConfiguration, wanted: &View<'_, s3::Notification>) -> Option<String> {
    let events = wanted.events();
    let ours = (wanted.filter_prefix().unwrap_or_default(), wanted.filter_suffix().unwrap_or_default());
    let clashes = |id: Option<&str>, theirs: &[Event], rules: Option<&NotificationConfigurationFilter>| {
        let theirs: Vec<String> = theirs.iter().map(|event| event.as_str().to_owned()).collect();
        let (prefix, suffix) = filter(rules);
        let filter = (prefix.unwrap_or_default(), suffix.unwrap_or_default());
        let overlap =
            filters::share_event(&events, &theirs) && filters::overlap(ours, (&filter.0, &filter.1));
        (overlap && id != Some(wanted.id())).then(|| id.unwrap_or("(without an id)").to_owned())
    };
    let functions = document.lambda_function_configurations().iter();
    let queues = document.queue_configurations().iter();
    let topics = document.topic_configurations().iter();
    functions
        .filter_map(|entry| clashes(entry.id(), entry.events(), entry.filter()))
        .chain(queues.filter_map(|entry| clashes(entry.id(), entry.events(), entry.filter())))
        .chain(topics.filter_map(|entry| clashes(entry.id(), entry.events(), entry.filter())))
        .next()
}

/// The failure of a change to a bucket that does not exist.
pub(super) fn missing(bucket: &str) -> Failure {
    Failure::local(
        "s3:PutBucketNotificationConfiguration",
        format!("there is no bucket `{bucket}` in this account and region"),
    )
}

/// The failure of a change that another writer overwrote.
pub(super) fn lost(bucket: &str, what: &str) -> Failure {
    not_yet(
        "s3:PutBucketNotificationConfiguration",
        format!("{what} of bucket `{bucket}` was overwritten: another process writes its notifications, too"),
    )
}

impl Notifications {
    pub(super) async fn document(&self, bucket: &str) -> Result<Option<NotificationConfiguration>, Failure> {
        let request = self.s3.get_bucket_notification_configuration().bucket(bucket);
        let answer = found(call!("s3:GetBucketNotificationConfiguration", request))?;
        Ok(answer.map(|answer| {
            NotificationConfiguration::builder()
                .set_topic_configurations(answer.topic_configurations)
                .set_queue_configurations(answer.queue_configurations)
                .set_lambda_function_configurations(answer.lambda_function_configurations)
                .set_event_bridge_configuration(answer.event_bridge_configuration)
                .build()
        }))
    }

    /// Writes or removes the entry with this id and keeps the rest of the document.
    async fn merge(
        &self,
        bucket: &str,
        id: &str,
        wanted: Option<&View<'_, s3::Notification>>,
    ) -> Result<(), Failure> {
        let _lock = self.lock(bucket).await?;
        let Some(mut document) = self.document(bucket).await? else {
            // A deleted bucket has no notifications.
            return if wanted.is_some() { Err(missing(bucket)) } else { Ok(()) };
        };
        if let Some(wanted) = wanted
            && let Some(other) = conflict(&document, wanted)
        {
            return Err(Failure::local(
                "s3:PutBucketNotificationConfiguration",
                format!(
                    "the notification `{other}` of bucket `{bucket}` belongs to another owner and matches \
                     some of the same keys, but S3 allows one notification per key. Narrow the prefix or \
                     suffix of one of them"
                ),
            ));
        }
        let mut entries = document.lambda_function_configurations.take().unwrap_or_default();
        let before = entries.len();
        entries.retain(|entry| entry.id() != Some(id));
        if wanted.is_none() && entries.len() == before {
            return Ok(());
        }
        entries.extend(wanted.map(entry));
        document.lambda_function_configurations = Some(entries).filter(|entries| !entries.is_empty());
        let others = document.lambda_function_configurations().iter().any(|entry| entry.id() != Some(id))
            || !document.queue_configurations().is_empty()
            || !document.topic_configurations().is_empty();
        self.write(bucket, document, others).await?;
        let there = self.entry(bucket, id).await?.is_some();
        if there == wanted.is_some() {
            Ok(())
        } else {
            Err(lost(bucket, &format!("the notification `{id}`")))
        }
    }

    /// Writes the document of a bucket; `others` is true if some of its destinations have another owner.
    pub(super) async fn write(
        &self,
        bucket: &str,
        document: NotificationConfiguration,
        others: bool,
    ) -> Result<(), Failure> {
        let put = |skip| {
            let request = self.s3.put_bucket_notification_configuration().bucket(bucket);
            request.notification_configuration(document.clone()).set_skip_destination_validation(skip)
        };
        match call!("s3:PutBucketNotificationConfiguration", put(None)) {
            // A destination of another owner may be missing or reject the test message. That must not block
            // this entry, and AWS does not report which destination failed.
            Err(failure) if failure.message.contains("Unable to validate") && others => {
                call!("s3:PutBucketNotificationConfiguration", put(Some(true))).map(|_| ())
            }
            result => result.map(|_| ()),
        }
    }

    async fn entry(&self, bucket: &str, id: &str) -> Result<Option<LambdaFunctionConfiguration>, Failure> {
        let document = self.document(bucket).await?;
        let entries =
            document.and_then(|document| document.lambda_function_configurations).unwrap_or_default();
        Ok(entries.into_iter().find(|entry| entry.id() == Some(id)))
    }

    /// Takes the lock of a bucket among the processes of this machine; dropping the file releases it. Polls
    /// instead of blocking: many waiters must not hold as many threads.
    pub(super) async fn lock(&self, bucket: &str) -> Result<File, Failure> {
        let fail =
            |error: std::io::Error| Failure::local("locking the bucket's notifications", error.to_string());
        let name = names::hash(&format!("{}/{bucket}", self.place));
        let path = lock_directory().map_err(fail)?.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(fail)?;
        for _ in 0..TURNS {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
        }
        let message = format!("another process on this machine writes the notifications of `{bucket}`");
        Err(not_yet("locking the bucket's notifications", message))
    }
}

#[async_trait]
impl Driver for Notifications {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (bucket, id) = split(id, ':', "s3:GetBucketNotificationConfiguration")?;
        Ok(self.entry(bucket, id).await?.map(|entry| observed(bucket, &entry)))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let wanted = View::<s3::Notification>::of(settings);
        let (bucket, id) = (wanted.bucket(), wanted.id());
        self.merge(bucket, id, Some(&wanted)).await?;
        Ok(Created { id: format!("{bucket}:{id}"), ..Created::default() })
    }

    /// A permission of a function names the bucket that may invoke it.
    async fn children(&self, parent: &'static Kind, permission: &Observed) -> Result<Vec<Observed>, Failure> {
        let seen = View::<lambda::Permission>::of(&permission.settings);
        let of_bucket = seen.principal() == "s3.amazonaws.com";
        let bucket = seen.source_arn().unwrap_or_default().split_once(":s3:::");
        let Some((_, bucket)) = bucket.filter(|_| of_bucket && parent.name == lambda::PERMISSION.name) else {
            return Ok(Vec::new());
        };
        let document = self.document(bucket).await?;
        let entries =
            document.and_then(|document| document.lambda_function_configurations).unwrap_or_default();
        let ours = entries.iter().filter(|entry| permission::is_of(permission, entry.lambda_function_arn()));
        Ok(ours.map(|entry| observed(bucket, entry)).collect())
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let (bucket, id) = split(id, ':', "s3:PutBucketNotificationConfiguration")?;
        self.merge(bucket, id, Some(&View::of(settings))).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (bucket, id) = split(id, ':', "s3:PutBucketNotificationConfiguration")?;
        self.merge(bucket, id, None).await
    }
}
