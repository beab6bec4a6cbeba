//! Six queues and one function that reads them, and a message that it cannot handle.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "queues",
    title: "Six queues, five of them with a dead-letter queue, and one function that reads them all",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

const QUEUES: [&str; 6] = ["clicks", "invoices", "mails", "orders", "parcels", "payments"];
/// The queue without a dead-letter queue.
const CARELESS: &str = "clicks";
/// The queue with the smallest `max_receive_count`, and that count.
const IMPATIENT: &str = "orders";
const TIMES: usize = 2;

const POISON: &str = "this is not JSON";

/// Sends a message to each queue, and an invalid one to one queue.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let account = applied.account;
    let with_dead_letters: BTreeSet<&str> = QUEUES.into_iter().filter(|name| *name != CARELESS).collect();
    expect("the set of queues", names(applied, "queue_urls"), BTreeSet::from(QUEUES))?;
    expect(
        "the set of dead-letter queues",
        names(applied, "dead_letter_queue_urls"),
        with_dead_letters.clone(),
    )?;

    for name in QUEUES {
        account.send_message(applied.entry("queue_urls", name)?, &json!({ "to": name }).to_string())?;
    }
    for name in QUEUES {
        wait(&format!("the message of {name} in the consumer's log"), || {
            Ok(received(applied, name, &json!({ "to": name }))?.then_some(()))
        })?;
    }

    // One call puts both into one batch: a failed message must not cause another delivery of the good one.
    let good = json!({ "to": IMPATIENT, "after": POISON });
    let entries = json!([
        { "Id": "poison", "MessageBody": POISON },
        { "Id": "good", "MessageBody": good.to_string() },
    ]);
    let body = json!({ "QueueUrl": applied.entry("queue_urls", IMPATIENT)?, "Entries": entries });
    let sent = account.json("sqs", "AmazonSQS.SendMessageBatch", &body)?;
    let accepted = sent["Successful"].as_array().cloned().unwrap_or_default();
    expect("the number of accepted messages", accepted.len(), 2)?;
    let poison = accepted.iter().find(|message| message["Id"] == "poison");
    let poison =
        poison.and_then(|message| message["MessageId"].as_str()).ok_or("the invalid message has no id")?;
    let dead = wait("the invalid message in the dead-letter queue", || {
        let dead = account.messages(applied.entry("dead_letter_queue_urls", IMPATIENT)?)?;
        Ok((!dead.is_empty()).then_some(dead))
    })?;
    expect("the content of the dead-letter queue", dead, vec![POISON.to_owned()])?;
    wait("the message after the invalid one in the consumer's log", || {
        Ok(received(applied, IMPATIENT, &good)?.then_some(()))
    })?;
    let log = account.log_messages(applied.output("log_group")?)?;
    let tries = log.iter().filter(|line| line.contains(poison)).count();
    expect("the number of tries of the invalid message", tries, TIMES)?;
    expect("the number of handled messages", handled(applied)?.len(), QUEUES.len() + 1)?;
    for name in with_dead_letters.into_iter().filter(|name| *name != IMPATIENT) {
        let dead = account.messages(applied.entry("dead_letter_queue_urls", name)?)?;
        expect(&format!("the content of the dead-letter queue of {name}"), dead, Vec::new())?;
    }
    Ok(vec![
        format!("one message to each of {}: the consumer received all of them", QUEUES.join(", ")),
        format!(
            "{POISON:?} to {IMPATIENT}: tried {tries} times, now in the DLQ; the next message was handled"
        ),
    ])
}

/// Returns the keys of an output that is a map.
fn names<'a>(applied: &'a Applied<'_>, output: &str) -> BTreeSet<&'a str> {
    applied.outputs[output].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// Returns the log lines of the messages that the consumer handled.
fn handled(applied: &Applied<'_>) -> Result<Vec<Json>> {
    let log = applied.account.log_messages(applied.output("log_group")?)?;
    let notes = log.iter().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    Ok(notes.filter(|note| note["message"] == "received").collect())
}

/// Returns true if the consumer handled this message of the queue.
fn received(applied: &Applied<'_>, name: &str, body: &Json) -> Result<bool> {
    let url = applied.entry("queue_urls", name)?;
    let in_aws = url.rsplit('/').next();
    let of_queue = |note: &Json| note["queue"].as_str().and_then(|arn| arn.rsplit(':').next()) == in_aws;
    Ok(handled(applied)?.iter().any(|note| of_queue(note) && note["body"] == *body))
}
