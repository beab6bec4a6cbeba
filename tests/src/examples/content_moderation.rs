//! Images are moderated by Rekognition.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};
use crate::calls::Account;
use crate::rekognition::{BLOCKED, CLEAN, DOUBTFUL, Image, LABEL};

pub(super) const EXAMPLE: Example = Example {
    name: "content-moderation",
    title: "Images are approved or quarantined: a function that calls Rekognition, a queue and a table",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// Key for a second upload of the clean image: in a folder, with a space, `+` and a non-ASCII character.
const AGAIN: &str = "a folder/my cat+ü.png";

/// Uploads images, and checks the bucket, the table, the queue and the log.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (account, bucket) = (applied.account, applied.output("bucket")?);
    let images = [&CLEAN, &DOUBTFUL, &BLOCKED].map(|image| (image.name, image));
    for (name, image) in images {
        upload(account, bucket, name, image)?;
    }
    for (name, _) in images {
        taken_in(applied, bucket, name)?;
    }
    // If an approved or blocked image triggered the function, that invocation came before this one.
    upload(account, bucket, AGAIN, &CLEAN)?;
    taken_in(applied, bucket, AGAIN)?;

    objects(account, bucket)?;
    results(account, applied.output("table")?)?;
    review(account, applied.output("queue")?)?;
    let verdicts = wait("a line of the log for each image", || {
        let lines = account.log_messages(applied.output("log_group")?)?;
        let verdicts = lines.iter().filter(|line| line.contains("\"verdict\"")).count();
        Ok((verdicts > images.len()).then_some(verdicts))
    })?;
    expect("the number of verdicts", verdicts, images.len() + 1)?;
    let said = |image: &Image| match image.confidence {
        Some(confidence) => format!("{LABEL}, {confidence} %"),
        None => "no label".to_owned(),
    };
    Ok(vec![
        format!("{} ({}): approved", CLEAN.name, said(&CLEAN)),
        format!("{} ({}): approved, with its labels in the table", DOUBTFUL.name, said(&DOUBTFUL)),
        format!("{} ({}): in quarantine, with a tag; one message in the queue", BLOCKED.name, said(&BLOCKED)),
    ])
}

fn upload(account: &Account, bucket: &str, name: &str, image: &Image) -> Result<()> {
    account.put_object(bucket, &format!("incoming/{name}"), &image.bytes())
}

/// Waits until an image has left `incoming/`, which is the last step of the function.
fn taken_in(applied: &Applied<'_>, bucket: &str, name: &str) -> Result<()> {
    let waited = wait(&format!("a verdict on {name}"), || {
        let left = applied.account.get_object(bucket, &format!("incoming/{name}"))?;
        Ok(left.is_none().then_some(()))
    });
    waited.map_err(|error| {
        let lines = applied.output("log_group").and_then(|group| applied.account.log_messages(group));
        format!("{error}\n{}", lines.unwrap_or_default().join("\n")).into()
    })
}

/// Checks every object, with its content and its tags.
fn objects(account: &Account, bucket: &str) -> Result<()> {
    let again = format!("approved/{AGAIN}");
    let expected = [
        (again.as_str(), &CLEAN, ""),
        ("approved/clean.png", &CLEAN, ""),
        ("approved/doubtful.png", &DOUBTFUL, ""),
        ("quarantine/blocked.png", &BLOCKED, "<Key>moderation</Key><Value>blocked</Value>"),
    ];
    let listed = s3(account, &format!("{bucket}?list-type=2"))?;
    expect("the list of keys in the bucket", texts(&listed, "Key"), expected.map(|(key, ..)| key).to_vec())?;
    for (key, image, tags) in expected {
        let content = account.get_object(bucket, key)?.unwrap_or_default();
        expect(&format!("equality of {key} with the upload"), content == image.bytes(), true)?;
        let path = key.replace(' ', "%20").replace('+', "%2B").replace('ü', "%C3%BC");
        let tagging = s3(account, &format!("{bucket}/{path}?tagging"))?;
        expect(&format!("the tags of {key}"), texts(&tagging, "Tag").concat(), tags.to_owned())?;
    }
    Ok(())
}

/// Checks that the table has one item per image, with its labels.
fn results(account: &Account, table: &str) -> Result<()> {
    let body = json!({ "TableName": table, "ConsistentRead": true });
    let found = account.json("dynamodb", "DynamoDB_20120810.Scan", &body)?;
    let items = found["Items"].as_array().cloned().unwrap_or_default();
    let found: BTreeMap<String, (Json, Json)> = items
        .iter()
        .map(|item| {
            let image = item["image"]["S"].as_str().unwrap_or_default().to_owned();
            (image, (item["verdict"]["S"].clone(), item["labels"]["L"].clone()))
        })
        .collect();
    let labels = |image: &Image| -> Json {
        let label = |confidence: f64| {
            let confidence = confidence.to_string();
            json!({ "M": { "name": { "S": LABEL }, "confidence": { "N": confidence } } })
        };
        image.confidence.into_iter().map(label).collect()
    };
    let expected = [
        (AGAIN, &CLEAN, "clean"),
        (CLEAN.name, &CLEAN, "clean"),
        (DOUBTFUL.name, &DOUBTFUL, "clean"),
        (BLOCKED.name, &BLOCKED, "blocked"),
    ];
    let expected: BTreeMap<String, (Json, Json)> = expected
        .into_iter()
        .map(|(name, image, verdict)| (format!("incoming/{name}"), (verdict.into(), labels(image))))
        .collect();
    expect("the content of the table", found, expected)
}

/// Checks that the queue has one message for a review.
fn review(account: &Account, queue: &str) -> Result<()> {
    let body = json!({ "QueueUrl": queue, "AttributeNames": ["All"] });
    let counted = account.json("sqs", "AmazonSQS.GetQueueAttributes", &body)?;
    let count = |name: &str| counted["Attributes"][name].as_str().map(ToOwned::to_owned);
    let waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"].map(count);
    expect("the number of messages in the queue", waiting, ["1", "0"].map(|count| Some(count.to_owned())))?;
    let messages = account.messages(queue)?;
    let message: Json = serde_json::from_str(messages.first().ok_or("the queue has no message")?)?;
    let told = [&message["image"], &message["verdict"], &message["moved_to"]];
    let expected = ["incoming/blocked.png", "blocked", "quarantine/blocked.png"].map(Json::from);
    expect("the content of the message", told, expected.each_ref())
}

/// Sends a GET request to S3. Returns the body.
fn s3(account: &Account, path: &str) -> Result<String> {
    let scope = format!("{}/20200101/{}/s3/aws4_request", account.id, account.region);
    let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    let request = ureq::get(format!("{}/{path}", account.endpoint)).header("authorization", signed);
    Ok(request.call()?.body_mut().read_to_string()?)
}

/// Returns the text of each element with that name.
fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(start.as_str()).skip(1);
    parts.filter_map(|part| Some(part.split_once(end.as_str())?.0)).collect()
}
