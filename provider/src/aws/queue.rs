//! SQS queues, their policies and their redrive allow policies.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::Value as Json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::sqs;
use tandem_model::names;
use tokio::time::Instant;

use super::failure::{call, found, gone, unseen};
use super::{only_child, pages, parse_policy, policy};

/// Fields and their attributes. SQS represents numbers, booleans and documents as strings.
const ATTRIBUTES: &[(&str, Name)] = &[
    ("fifo_queue", Name::FifoQueue),
    ("content_based_deduplication", Name::ContentBasedDeduplication),
    ("message_retention_seconds", Name::MessageRetentionPeriod),
    ("visibility_timeout_seconds", Name::VisibilityTimeout),
    ("delay_seconds", Name::DelaySeconds),
    ("receive_wait_time_seconds", Name::ReceiveMessageWaitTimeSeconds),
    ("max_message_size", Name::MaximumMessageSize),
    ("redrive_policy", Name::RedrivePolicy),
    ("sqs_managed_sse_enabled", Name::SqsManagedSseEnabled),
    ("kms_master_key_id", Name::KmsMasterKeyId),
];
/// Fields that only a FIFO queue has.
const OF_FIFO: [&str; 2] = ["fifo_queue", "content_based_deduplication"];

pub(super) struct Queues {
    pub(super) client: Client,
    /// See [`Driver::settling`].
    pub(super) settling: Duration,
}

async fn url(client: &Client, name: &str) -> Result<Option<String>, Failure> {
    let queue = found(call!("sqs:GetQueueUrl", client.get_queue_url().queue_name(name)))?;
    Ok(queue.and_then(|queue| queue.queue_url))
}

async fn attributes(client: &Client, url: &str) -> Result<Option<HashMap<Name, String>>, Failure> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(Name::All);
    let queue = found(call!("sqs:GetQueueAttributes", request))?;
    Ok(queue.map(|queue| queue.attributes.unwrap_or_default()))
}

/// The URL of a queue that must exist.
async fn existing(client: &Client, name: &str) -> Result<String, Failure> {
    let url = url(client, name).await?;
    url.ok_or_else(|| unseen("sqs:GetQueueUrl", format!("there is no queue `{name}`")))
}

/// A setting as the string value of an attribute.
pub(super) fn attribute_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn given(settings: &Settings, fields: Option<&[&str]>) -> HashMap<Name, String> {
    let fifo = View::<sqs::Queue>::of(settings).fifo_queue() == Some(true);
    let chosen = ATTRIBUTES
        .iter()
        .filter(|(field, _)| fields.is_none_or(|fields| fields.contains(field)))
        // SQS rejects these on a standard queue, even with the value `false`.
        .filter(|(field, _)| fifo || !OF_FIFO.contains(field));
    let given =
        chosen.filter_map(|(field, name)| Some((name.clone(), attribute_text(settings.get(*field)?))));
    given.collect()
}

/// Parses an attribute as JSON: a number, a boolean or a document. Any other text is a string.
fn value(text: &str) -> Json {
    let mut value: Json = serde_json::from_str(text).unwrap_or_else(|_| Json::from(text));
    // SQS returns this number as a string if it was set as one.
    let count = value["maxReceiveCount"].as_str().and_then(|text| text.parse::<i64>().ok());
    if let Some(count) = count {
        value["maxReceiveCount"] = count.into();
    }
    value
}

impl Queues {
    /// The name in a queue's ARN; an id that is no ARN is the name.
    fn name(id: &str) -> &str {
        id.rsplit(':').next().unwrap_or(id)
    }
}

#[async_trait]
impl Driver for Queues {
    fn settling(&self) -> Duration {
        self.settling
    }

    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let name = Self::name(id);
        let Some(url) = url(&self.client, name).await? else { return Ok(None) };
        let Some(attributes) = attributes(&self.client, &url).await? else { return Ok(None) };
        let Some(tags) = found(call!("sqs:ListQueueTags", self.client.list_queue_tags().queue_url(&url)))?
        else {
            return Ok(None);
        };
        let fifo = attributes.get(&Name::FifoQueue).is_some_and(|text| text == "true");
        let mut settings = Seen::<sqs::Queue>::default().name(name).settings();
        for (field, attribute) in ATTRIBUTES.iter().filter(|(field, _)| fifo || !OF_FIFO.contains(field)) {
            if let Some(text) = attributes.get(attribute).filter(|text| !text.is_empty()) {
                settings.insert((*field).to_owned(), value(text));
            }
        }
        let mut known = BTreeMap::from([("url".to_owned(), Json::from(url))]);
        if let Some(arn) = attributes.get(&Name::QueueArn) {
            known.insert("arn".to_owned(), arn.clone().into());
        }
        Ok(Some(Observed {
            id: name.to_owned(),
            settings,
            attributes: known,
            tags: tags.tags.unwrap_or_default().into_iter().collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let urls = pages(|token| async {
            let request = self.client.list_queues().queue_name_prefix(names::prefix(project));
            // Without MaxResults, SQS returns one page only.
            let request = request.max_results(1000).set_next_token(token);
            let page = call!("sqs:ListQueues", request)?;
            Ok((page.queue_urls.unwrap_or_default(), page.next_token))
        });
        let urls = urls.await?.into_iter();
        Ok(urls.filter_map(|url| Some(url.rsplit_once('/')?.1.to_owned())).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let name = View::<sqs::Queue>::of(settings).name();
        let request = self
            .client
            .create_queue()
            .queue_name(name)
            .set_attributes(Some(given(settings, None)))
            .set_tags(Some(tags.clone().into_iter().collect()));
        let created = call!("sqs:CreateQueue", request)?;
        let url = created.queue_url.unwrap_or_default();
        Ok(Created { id: name.to_owned(), attributes: [("url".to_owned(), url.into())].into() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let url = existing(&self.client, Self::name(id)).await?;
        let mut attributes = given(settings, Some(fields));
        for (field, name) in
            [("kms_master_key_id", Name::KmsMasterKeyId), ("redrive_policy", Name::RedrivePolicy)]
        {
            if fields.contains(&field) {
                // An empty value removes the attribute.
                attributes.entry(name).or_default();
            }
        }
        put_attributes(&self.client, &url, attributes).await
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        existing(&self.client, Self::name(id)).await
    }

    async fn add_tags(&self, url: &str, set: &Tags) -> Result<(), Failure> {
        let tags = Some(set.clone().into_iter().collect());
        call!("sqs:TagQueue", self.client.tag_queue().queue_url(url).set_tags(tags)).map(|_| ())
    }

    async fn remove_tags(&self, url: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.client.untag_queue().queue_url(url).set_tag_keys(Some(remove.to_vec()));
        call!("sqs:UntagQueue", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let Some(url) = url(&self.client, Self::name(id)).await? else { return Ok(()) };
        gone(call!("sqs:DeleteQueue", self.client.delete_queue().queue_url(url)))
    }

    /// SQS needs at least one second after CreateQueue before a queue can be used.
    async fn ready(&self, id: &str) -> Result<(), Failure> {
        let name = Self::name(id);
        let url = existing(&self.client, name).await?;
        let seen = attributes(&self.client, &url).await?;
        seen.map(|_| ())
            .ok_or_else(|| unseen("sqs:GetQueueAttributes", format!("`{name}` is not visible yet")))
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        let Some(url) = url(&self.client, Self::name(id)).await? else { return Ok(None) };
        let Some(attributes) = attributes(&self.client, &url).await? else { return Ok(None) };
        let count = |name: &Name| attributes.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let messages = count(&Name::ApproximateNumberOfMessages)
            + count(&Name::ApproximateNumberOfMessagesNotVisible)
            + count(&Name::ApproximateNumberOfMessagesDelayed);
        Ok((messages > 0).then(|| format!("{messages} messages")))
    }
}

/// The policy document in an attribute of a queue, with the ARN of the queue; `None` when it is not set.
async fn document(client: &Client, queue: &str, name: &Name) -> Result<Option<(Json, String)>, Failure> {
    let Some(url) = url(client, queue).await? else { return Ok(None) };
    let mut attributes = attributes(client, &url).await?.unwrap_or_default();
    let arn = attributes.remove(&Name::QueueArn).unwrap_or_default();
    let document = attributes.get(name).filter(|text| !text.is_empty());
    Ok(document.map(|text| (parse_policy(text), arn)))
}

async fn put_document(client: &Client, url: String, name: Name, text: String) -> Result<(), Failure> {
    put_attributes(client, &url, HashMap::from([(name, text)])).await
}

/// Longest time for which reads return old attributes: SQS documents up to a minute for most of them.
pub(super) const SETTLING: Duration = Duration::from_secs(60);

/// Returns true if an attribute has the wanted value; an empty value means unset. Policies are compared by meaning: SQS
/// may write them in another way.
fn says(name: &Name, now: Option<&String>, wanted: &str) -> bool {
    let (now, wanted) = (value(now.map(String::as_str).unwrap_or_default()), value(wanted));
    match name {
        Name::Policy => policy::canonical(&now) == policy::canonical(&wanted),
        Name::RedriveAllowPolicy => sorted(now) == sorted(wanted),
        _ => now == wanted,
    }
}

/// Sets attributes, and waits for up to [`SETTLING`] until reads return them. A value that still differs then
/// shows as drift.
async fn put_attributes(client: &Client, url: &str, wanted: HashMap<Name, String>) -> Result<(), Failure> {
    let request = client.set_queue_attributes().queue_url(url).set_attributes(Some(wanted.clone()));
    call!("sqs:SetQueueAttributes", request)?;
    let end = Instant::now() + SETTLING;
    let mut pause = Duration::from_millis(200);
    while Instant::now() < end {
        let Some(now) = attributes(client, url).await? else { return Ok(()) };
        if wanted.iter().all(|(name, text)| says(name, now.get(name), text)) {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    Ok(())
}

async fn remove_document(client: &Client, queue: &str, name: Name) -> Result<(), Failure> {
    let Some(url) = url(client, queue).await? else { return Ok(()) };
    match put_document(client, url, name, String::new()).await {
        // A deleted queue keeps its URL for a while.
        Err(failure) if failure.code.contains("NonExistentQueue") || failure.code == "QueueDoesNotExist" => {
            Ok(())
        }
        result => result,
    }
}

/// The attribute of a queue policy with the ARN of its queue.
pub(super) const QUEUE: &str = "queue_arn";

/// A JSON document that is an attribute of a queue and an object of its own.
pub(super) struct Documents {
    client: Client,
    settling: Duration,
    /// The attribute of the queue.
    attribute: Name,
    /// Reads the queue and the document.
    read: fn(&Settings) -> (&str, String),
    /// The settings with this queue and this document.
    seen: fn(&str, Json) -> Settings,
}

impl Documents {
    /// Policies of queues.
    pub(super) fn policies(client: Client, settling: Duration) -> Self {
        Self {
            client,
            settling,
            attribute: Name::Policy,
            read: |settings| {
                let view = View::<sqs::QueuePolicy>::of(settings);
                (view.queue(), view.policy())
            },
            seen: |queue, document| {
                Seen::<sqs::QueuePolicy>::default().queue(queue).policy(document).settings()
            },
        }
    }

    /// Redrive allow policies of dead-letter queues.
    pub(super) fn redrive_allow_policies(client: Client, settling: Duration) -> Self {
        Self {
            client,
            settling,
            attribute: Name::RedriveAllowPolicy,
            read: |settings| {
                let view = View::<sqs::QueueRedriveAllowPolicy>::of(settings);
                (view.queue(), view.redrive_allow_policy())
            },
            seen: |queue, document| {
                let seen = Seen::<sqs::QueueRedriveAllowPolicy>::default().queue(queue);
                seen.redrive_allow_policy(document).settings()
            },
        }
    }

    async fn put(&self, queue: &str, document: String) -> Result<(), Failure> {
        let url = existing(&self.client, queue).await?;
        put_document(&self.client, url, self.attribute.clone(), document).await
    }
}

/// Sorts the source queues of a redrive allow policy: their order has no meaning.
fn sorted(mut document: Json) -> Json {
    if let Some(queues) = document.get_mut("sourceQueueArns").and_then(Json::as_array_mut) {
        queues.sort_by_key(ToString::to_string);
    }
    document
}

#[async_trait]
impl Driver for Documents {
    fn settling(&self) -> Duration {
        self.settling
    }

    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let found = document(&self.client, id, &self.attribute).await?;
        Ok(found.map(|(document, queue)| Observed {
            id: id.to_owned(),
            settings: (self.seen)(id, sorted(document)),
            attributes: [(QUEUE.to_owned(), queue.into())].into(),
            ..Observed::default()
        }))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let (queue, document) = (self.read)(settings);
        self.put(queue, document).await?;
        Ok(Created { id: queue.to_owned(), ..Created::default() })
    }

    async fn children(&self, parent: &'static Kind, queue: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &sqs::QUEUE, queue).await
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let (_, document) = (self.read)(settings);
        self.put(id, document).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        remove_document(&self.client, id, self.attribute.clone()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_seen_however_it_is_written() {
        let says = |now: &str, wanted| says(&Name::RedrivePolicy, Some(&now.to_owned()), wanted);
        // A value that is not recognized would cost a wait of one minute.
        assert!(says(
            r#"{"maxReceiveCount":"5", "deadLetterTargetArn":"a"}"#,
            r#"{"deadLetterTargetArn":"a","maxReceiveCount":5}"#
        ));
        assert!(says("30", "30") && says("true", "true") && says("arn:aws:kms:key/1", "arn:aws:kms:key/1"));
        assert!(!says("30", "60") && !says("", "60") && says("", ""));
        let unset = |wanted| super::says(&Name::DelaySeconds, None, wanted);
        assert!(unset("") && !unset("30"));
        // SQS may write a policy with lists, and in another order.
        let policy = |now: &str, wanted| super::says(&Name::Policy, Some(&now.to_owned()), wanted);
        let wanted =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage"}]}"#;
        let now = r#"{"Statement":{"Action":["sqs:SendMessage"],"Effect":"Allow"},"Version":"2012-10-17"}"#;
        assert!(policy(now, wanted) && !policy("", wanted) && policy("", ""));
    }
}
