//! SQS queues and their policies.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::names;

use super::failure::{call, found, gone};
use super::{pages, parse_policy, policy_text, settings, text};

/// Fields and the attributes that hold them. Numbers and booleans are texts to SQS.
const ATTRIBUTES: &[(&str, Name)] = &[
    ("message_retention_seconds", Name::MessageRetentionPeriod),
    ("visibility_timeout_seconds", Name::VisibilityTimeout),
    ("sqs_managed_sse_enabled", Name::SqsManagedSseEnabled),
    ("kms_master_key_id", Name::KmsMasterKeyId),
];

pub(super) struct Queues(pub(super) Client);

async fn url(client: &Client, name: &str) -> Result<Option<String>, Failure> {
    let queue = found(call!("sqs:GetQueueUrl", client.get_queue_url().queue_name(name)))?;
    Ok(queue.and_then(|queue| queue.queue_url))
}

async fn attributes(client: &Client, url: &str) -> Result<Option<HashMap<Name, String>>, Failure> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(Name::All);
    let queue = found(call!("sqs:GetQueueAttributes", request))?;
    Ok(queue.map(|queue| queue.attributes.unwrap_or_default()))
}

fn given(settings: &Settings, fields: Option<&[&str]>) -> HashMap<Name, String> {
    let chosen = ATTRIBUTES.iter().filter(|(field, _)| fields.is_none_or(|fields| fields.contains(field)));
    let given = chosen.filter_map(|(field, name)| {
        let text = match settings.get(*field)? {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((name.clone(), text))
    });
    given.collect()
}

impl Queues {
    /// The name in a queue's ARN; an id that is no ARN is the name.
    fn name(id: &str) -> &str {
        id.rsplit(':').next().unwrap_or(id)
    }

    async fn existing(&self, id: &str) -> Result<String, Failure> {
        let url = url(&self.0, Self::name(id)).await?;
        url.ok_or_else(|| Failure::local("sqs:GetQueueUrl", format!("the queue `{id}` is gone")))
    }
}

#[async_trait]
impl Driver for Queues {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let name = Self::name(id);
        let Some(url) = url(&self.0, name).await? else { return Ok(None) };
        let Some(attributes) = attributes(&self.0, &url).await? else { return Ok(None) };
        let tags = found(call!("sqs:ListQueueTags", self.0.list_queue_tags().queue_url(&url)))?;
        let mut settings = settings([("name", json!(name))]);
        for (field, attribute) in ATTRIBUTES {
            if let Some(text) = attributes.get(attribute).filter(|text| !text.is_empty()) {
                // What reads as a number or boolean is one.
                let value = serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.clone()));
                settings.insert((*field).to_owned(), value);
            }
        }
        let mut known = std::collections::BTreeMap::from([("url".to_owned(), Json::from(url))]);
        if let Some(arn) = attributes.get(&Name::QueueArn) {
            known.insert("arn".to_owned(), arn.clone().into());
        }
        Ok(Some(Observed {
            id: name.to_owned(),
            settings,
            attributes: known,
            tags: tags.and_then(|tags| tags.tags).unwrap_or_default().into_iter().collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let urls = pages(|token| async {
            let request = self.0.list_queues().queue_name_prefix(names::prefix(project));
            // Without a number there is one page only.
            let request = request.max_results(1000).set_next_token(token);
            let page = call!("sqs:ListQueues", request)?;
            Ok((page.queue_urls.unwrap_or_default(), page.next_token))
        });
        let urls = urls.await?.into_iter();
        Ok(urls.filter_map(|url| Some(url.rsplit_once('/')?.1.to_owned())).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let name = text(settings, "name");
        let request = self
            .0
            .create_queue()
            .queue_name(name)
            .set_attributes(Some(given(settings, None)))
            .set_tags(Some(tags.clone().into_iter().collect()));
        let created = call!("sqs:CreateQueue", request)?;
        let url = created.queue_url.unwrap_or_default();
        Ok(Created { id: name.to_owned(), attributes: [("url".to_owned(), url.into())].into() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let url = self.existing(id).await?;
        let mut attributes = given(settings, Some(fields));
        if fields.contains(&"kms_master_key_id") {
            // Without a value the key is taken off.
            attributes.entry(Name::KmsMasterKeyId).or_default();
        }
        let attributes = Some(attributes);
        let request = self.0.set_queue_attributes().queue_url(url).set_attributes(attributes);
        call!("sqs:SetQueueAttributes", request).map(|_| ())
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let url = self.existing(id).await?;
        if !set.is_empty() {
            let tags = Some(set.clone().into_iter().collect());
            call!("sqs:TagQueue", self.0.tag_queue().queue_url(&url).set_tags(tags))?;
        }
        if !remove.is_empty() {
            let request = self.0.untag_queue().queue_url(&url).set_tag_keys(Some(remove.to_vec()));
            call!("sqs:UntagQueue", request)?;
        }
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let Some(url) = url(&self.0, Self::name(id)).await? else { return Ok(()) };
        gone(call!("sqs:DeleteQueue", self.0.delete_queue().queue_url(url)))
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        let Some(url) = url(&self.0, Self::name(id)).await? else { return Ok(None) };
        let Some(attributes) = attributes(&self.0, &url).await? else { return Ok(None) };
        let count = |name: &Name| attributes.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let messages = count(&Name::ApproximateNumberOfMessages)
            + count(&Name::ApproximateNumberOfMessagesNotVisible)
            + count(&Name::ApproximateNumberOfMessagesDelayed);
        Ok((messages > 0).then(|| format!("{messages} messages")))
    }
}

pub(super) struct QueuePolicies(pub(super) Client);

impl QueuePolicies {
    async fn put(&self, queue: &str, policy: String) -> Result<(), Failure> {
        let url = url(&self.0, queue).await?;
        let url =
            url.ok_or_else(|| Failure::local("sqs:GetQueueUrl", format!("the queue `{queue}` is gone")))?;
        self.put_at(url, policy).await
    }

    async fn put_at(&self, url: String, policy: String) -> Result<(), Failure> {
        let request = self.0.set_queue_attributes().queue_url(url).attributes(Name::Policy, policy);
        call!("sqs:SetQueueAttributes", request).map(|_| ())
    }
}

#[async_trait]
impl Driver for QueuePolicies {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(url) = url(&self.0, id).await? else { return Ok(None) };
        let Some(attributes) = attributes(&self.0, &url).await? else { return Ok(None) };
        let Some(policy) = attributes.get(&Name::Policy).filter(|policy| !policy.is_empty()) else {
            return Ok(None);
        };
        let settings = settings([("queue", json!(id)), ("policy", parse_policy(policy))]);
        Ok(Some(Observed { id: id.to_owned(), settings, ..Observed::default() }))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let queue = text(settings, "queue");
        self.put(queue, policy_text(settings, "policy")).await?;
        Ok(Created { id: queue.to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(id, policy_text(settings, "policy")).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let Some(url) = url(&self.0, id).await? else { return Ok(()) };
        match self.put_at(url, String::new()).await {
            // A queue that was just deleted has a URL for a while.
            Err(failure)
                if failure.code.contains("NonExistentQueue") || failure.code == "QueueDoesNotExist" =>
            {
                Ok(())
            }
            result => result,
        }
    }
}
