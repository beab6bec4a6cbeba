//! Hashtags of posts are counted.
//!
//! MiniStack delivers records of a stream in batches, and ignores the response of the function. It does not
//! read `batchItemFailures`, does not bisect or retry, and has no dead-letter queue for streams. The rest of
//! a failed batch is lost. [`Lambda`] replaces that part of AWS: it delivers unhandled records again, with
//! the settings of the stored event source mapping.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "stream-analysis",
    title: "Hashtags of posts are counted, an invalid record is skipped: a stream, a function and a table",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// Number of posts, and number of posts before the invalid record.
const POSTS: usize = 60;
const BEFORE: usize = 30;
/// Number of partition keys. Posts with the same key stay in order.
const WRITERS: usize = 7;

/// A record that is not a post: invalid JSON.
const POISON: &str = "{\"text\": \"#poison";

/// Hashtags as users write them, and as the table counts them.
const HASHTAGS: [(&str, &str); 4] =
    [("#Rust", "rust"), ("#RUST", "rust"), ("#Überall", "überall"), ("#snake_case", "snake_case")];

/// A record of the stream.
struct Record {
    data: String,
    /// A hashtag that only this record has; empty for the invalid record.
    own: String,
    /// All its hashtags, as the table counts them.
    hashtags: BTreeSet<String>,
}

/// Position of a record in the stream.
struct Place {
    shard: String,
    number: String,
}

impl Record {
    fn post(number: usize) -> Self {
        let (first, one) = HASHTAGS[number % HASHTAGS.len()];
        let (second, other) = HASHTAGS[number / HASHTAGS.len() % HASHTAGS.len()];
        let own = format!("n{number}");
        let text = format!("{first} and {second}, and {first} once more: a post counts once. #{own}");
        let hashtags = [one, other, &own].map(ToOwned::to_owned).into();
        Self { data: json!({ "text": text }).to_string(), own, hashtags }
    }

    /// A post with only its own hashtag: if that is counted, the whole post is.
    fn late(number: usize) -> Self {
        let own = format!("late{number}");
        let data = json!({ "text": format!("#{own}") }).to_string();
        Self { data, hashtags: BTreeSet::from([own.clone()]), own }
    }

    fn poison() -> Self {
        Self { data: POISON.to_owned(), own: String::new(), hashtags: BTreeSet::new() }
    }
}

/// Writes posts and an invalid record to the stream. Checks that every post is counted once, and that the
/// dead-letter queue has the position of the invalid record.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let mut records: Vec<Record> = (0..POSTS).map(Record::post).collect();
    records.insert(BEFORE, Record::poison());
    let mut places = put(applied, &records)?;
    wait("the count of the last post before the invalid record", || {
        Ok(counts(applied)?.contains_key(&records[BEFORE - 1].own).then_some(()))
    })?;
    let mut asked = 0;
    wait("the count of a post after the invalid record", || {
        // MiniStack loses a post in the batch of the invalid record, so another post follows.
        if asked % 20 == 0 {
            let late = Record::late(records.len());
            places.extend(put(applied, std::slice::from_ref(&late))?);
            records.push(late);
        }
        asked += 1;
        let counted = counts(applied)?;
        Ok(records.last().is_some_and(|last| counted.contains_key(&last.own)).then_some(()))
    })?;

    // The last post is counted, so MiniStack is done: a post that is not counted now never will be.
    let counted = counts(applied)?;
    let is_lost = |record: &Record| !counted.contains_key(&record.own);
    let first = records.iter().position(is_lost);
    expect("the first record that is not counted", first, Some(BEFORE))?;
    let last = records.iter().rposition(is_lost).unwrap_or(BEFORE);
    let poison = &places[BEFORE];
    let lost = places[BEFORE..=last].iter().filter(|place| place.shard == poison.shard).count();
    let lambda = Lambda::of(applied, &poison.shard)?;
    lambda.deliver(&stored(applied, poison, lost)?)?;

    expect("the counts in the table", counts(applied)?, expected(&records))?;
    dead_letter(applied, poison)?;
    let (posts, hashtags) = (records.len() - 1, expected(&records).len());
    Ok(vec![
        format!("{posts} posts with {WRITERS} partition keys, and an invalid record among them"),
        format!("every post is counted once, also those after it: {hashtags} hashtags in the table"),
        format!("the dead-letter queue has one record, {} in {}", poison.number, poison.shard),
    ])
}

/// Writes records to the stream. Returns their positions.
fn put(applied: &Applied<'_>, records: &[Record]) -> Result<Vec<Place>> {
    let entries = records.iter().enumerate().map(|(index, record)| {
        let writer = format!("writer {}", index % WRITERS);
        json!({ "PartitionKey": writer, "Data": BASE64.encode(record.data.as_bytes()) })
    });
    let body = json!({ "StreamName": applied.output("stream")?, "Records": entries.collect::<Vec<_>>() });
    let answer = applied.account.json("kinesis", "Kinesis_20131202.PutRecords", &body)?;
    expect("the number of rejected records", answer["FailedRecordCount"].as_u64(), Some(0))?;
    let places = answer["Records"].as_array().ok_or("PutRecords returned no positions")?;
    let text = |place: &Json, field: &str| place[field].as_str().unwrap_or_default().to_owned();
    let place = |place: &Json| Place { shard: text(place, "ShardId"), number: text(place, "SequenceNumber") };
    Ok(places.iter().map(place).collect())
}

/// Reads `count` stored records, from a position on.
fn stored(applied: &Applied<'_>, from: &Place, count: usize) -> Result<Vec<Json>> {
    let body = json!({
        "StreamName": applied.output("stream")?, "ShardId": from.shard,
        "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": from.number,
    });
    let at = applied.account.json("kinesis", "Kinesis_20131202.GetShardIterator", &body)?;
    let body = json!({ "ShardIterator": at["ShardIterator"], "Limit": count });
    let found = applied.account.json("kinesis", "Kinesis_20131202.GetRecords", &body)?;
    let records = found["Records"].as_array().cloned().unwrap_or_default();
    expect("the number of stored records", records.len(), count)?;
    Ok(records)
}

/// Returns the counts in the table, by hashtag.
fn counts(applied: &Applied<'_>) -> Result<BTreeMap<String, usize>> {
    let body = json!({ "TableName": applied.output("table")?, "ConsistentRead": true });
    let found = applied.account.json("dynamodb", "DynamoDB_20120810.Scan", &body)?;
    let items = found["Items"].as_array().ok_or("Scan returned no items")?;
    let count = |item: &Json| -> Result<(String, usize)> {
        let hashtag = item["hashtag"]["S"].as_str().ok_or("an item has no hashtag")?;
        let posts = item["posts"]["N"].as_str().ok_or_else(|| format!("no count of {hashtag:?}"))?;
        Ok((hashtag.to_owned(), posts.parse()?))
    };
    items.iter().map(count).collect()
}

/// Returns the counts that the table should have.
fn expected(records: &[Record]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for hashtag in records.iter().flat_map(|record| &record.hashtags) {
        *counts.entry(hashtag.clone()).or_default() += 1;
    }
    counts
}

/// Checks that the dead-letter queue has one message with the position of the invalid record. The message
/// does not contain the record, so this reads the record at that position.
fn dead_letter(applied: &Applied<'_>, poison: &Place) -> Result<()> {
    let letters = applied.account.messages(applied.output("dead_letters")?)?;
    expect("the number of messages in the dead-letter queue", letters.len(), 1)?;
    let letter: Json = serde_json::from_str(&letters[0])?;
    let batch = &letter["KinesisBatchInfo"];
    let told = ["shardId", "startSequenceNumber", "endSequenceNumber"];
    let told = told.map(|field| batch[field].as_str().unwrap_or_default().to_owned());
    let place = [&poison.shard, &poison.number, &poison.number].map(ToOwned::to_owned);
    expect("the position in the message of the dead-letter queue", &told, &place)?;
    let [shard, number, _] = told;
    let found = stored(applied, &Place { shard, number }, 1)?;
    expect(
        "the record at that position",
        found[0]["Data"].as_str(),
        Some(BASE64.encode(POISON.as_bytes()).as_str()),
    )
}

/// The retries of Lambda for the unhandled records of a batch.
struct Lambda<'a> {
    applied: &'a Applied<'a>,
    function: &'a str,
    /// The role of the function, which Lambda assumes to send to the dead-letter queue.
    role: String,
    /// The event source mapping.
    mapping: Json,
    shard: &'a str,
}

impl<'a> Lambda<'a> {
    fn of(applied: &'a Applied<'a>, shard: &'a str) -> Result<Self> {
        let function = applied.output("function")?;
        let path = format!("/2015-03-31/event-source-mappings/?FunctionName={function}");
        let mut found = applied.account.get_json("lambda", &path)?;
        let mut mappings: Vec<Json> = serde_json::from_value(found["EventSourceMappings"].take())?;
        let mapping = mappings.pop().filter(|_| mappings.is_empty());
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let configuration = applied.account.get_json("lambda", &path)?;
        Ok(Self {
            applied,
            function,
            role: configuration["Role"].as_str().ok_or("the function has no role")?.to_owned(),
            mapping: mapping.ok_or("the function does not have exactly one event source mapping")?,
            shard,
        })
    }

    /// Delivers records until the function has handled them, or the retries are used up.
    fn deliver(&self, records: &[Json]) -> Result<()> {
        let halves = self.mapping["BisectBatchOnFunctionError"] == true;
        let retries = self.mapping["MaximumRetryAttempts"].as_u64();
        for _ in 0..=retries.ok_or("the number of retries is not limited")? {
            match self.first_that_failed(records)? {
                None => return Ok(()),
                Some(0) if halves && records.len() > 1 => {
                    // Bisecting does not count as a retry.
                    let (first, second) = records.split_at(records.len() / 2);
                    self.deliver(first)?;
                    return self.deliver(second);
                }
                Some(0) => {}
                // The records before it were handled.
                Some(at) => return self.deliver(&records[at..]),
            }
        }
        self.give_up(records)
    }

    /// Delivers records. Returns the index of the first one that the function did not handle.
    fn first_that_failed(&self, records: &[Json]) -> Result<Option<usize>> {
        let account = self.applied.account;
        let scope = format!("{}/20200101/{}/lambda/aws4_request", account.id, account.region);
        let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let event = json!({ "Records": records.iter().map(|record| self.event(record)).collect::<Vec<_>>() });
        let url = format!("{}/2015-03-31/functions/{}/invocations", account.endpoint, self.function);
        let mut answer = ureq::post(url).header("authorization", signed).send(event.to_string())?;
        if answer.headers().contains_key("x-amz-function-error") {
            return Ok(Some(0));
        }
        if self.mapping["FunctionResponseTypes"] != json!(["ReportBatchItemFailures"]) {
            return Ok(None);
        }
        let text = answer.body_mut().read_to_string()?;
        let answer: Json = serde_json::from_str(&text)?;
        let failures = answer["batchItemFailures"].as_array();
        let failures = failures.ok_or_else(|| format!("the response has no `batchItemFailures`: {text}"))?;
        let failed = |record: &Json| {
            failures.iter().any(|failure| failure["itemIdentifier"] == record["SequenceNumber"])
        };
        let first = records.iter().position(failed);
        if first.is_none() && !failures.is_empty() {
            return Err(format!("the response reports a record that was not delivered: {text}").into());
        }
        Ok(first)
    }

    /// Converts a record to the format of a Lambda event.
    fn event(&self, record: &Json) -> Json {
        let number = record["SequenceNumber"].as_str().unwrap_or_default();
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": record["PartitionKey"],
                "sequenceNumber": number, "data": record["Data"],
                "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record",
            "eventID": format!("{}:{number}", self.shard), "invokeIdentityArn": self.role,
            "awsRegion": self.applied.account.region, "eventSourceARN": self.mapping["EventSourceArn"],
        })
    }

    /// Sends the position of records to the dead-letter queue of the mapping.
    fn give_up(&self, records: &[Json]) -> Result<()> {
        let account = self.applied.account;
        let queue = self.mapping["DestinationConfig"]["OnFailure"]["Destination"].as_str();
        let queue = queue.ok_or("the mapping has no on-failure destination")?;
        let may = format!(
            "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn={}\
             &ActionNames.member.1=sqs:SendMessage&ResourceArns.member.1={queue}",
            self.role
        );
        let decision = account.query("iam", &may)?;
        expect(&format!("permission of the role to send to {queue}"), decision.contains(">allowed<"), true)?;
        let number = |record: Option<&Json>| record.map(|record| record["SequenceNumber"].clone());
        let letter = json!({
            "requestContext": {
                "functionArn": self.mapping["FunctionArn"], "condition": "RetryAttemptsExhausted",
            },
            "KinesisBatchInfo": {
                "shardId": self.shard, "streamArn": self.mapping["EventSourceArn"],
                "startSequenceNumber": number(records.first()),
                "endSequenceNumber": number(records.last()),
                "batchSize": records.len(),
            },
        });
        let name = queue.rsplit(':').next();
        let found = account.json("sqs", "AmazonSQS.GetQueueUrl", &json!({ "QueueName": name }))?;
        account.send_message(
            found["QueueUrl"].as_str().ok_or("GetQueueUrl returned no URL")?,
            &letter.to_string(),
        )
    }
}
