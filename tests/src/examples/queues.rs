//! Six queues and one function that reads them; a message that nobody can handle.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "queues",
    title: "Six queues, five of them with dead letters, and one function that reads them all",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

const QUEUES: [&str; 6] = ["clicks", "invoices", "mails", "orders", "parcels", "payments"];
/// The one without dead letters.
const CARELESS: &str = "clicks";
/// The one that gives up soon, and how often it gives a message out before it does.
const IMPATIENT: &str = "orders";
const TIMES: usize = 2;

const POISON: &str = "this is not JSON";

/// Puts a message into each queue, and one into a queue that the function cannot handle.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let account = applied.account;
    let with_dead_letters: BTreeSet<&str> = QUEUES.into_iter().filter(|name| *name != CARELESS).collect();
    expect("the set of queues", names(applied, "queue_urls"), BTreeSet::from(QUEUES))?;
    expect("the set of dead letters", names(applied, "dead_letter_queue_urls"), with_dead_letters.clone())?;

    for name in QUEUES {
        account.send_message(applied.entry("queue_urls", name)?, &json!({ "to": name }).to_string())?;
    }
    for name in QUEUES {
        wait(&format!("the message of {name} in the consumer's log"), || {
            Ok(received(applied, name, &json!({ "to": name }))?.then_some(()))
        })?;
    }

    // In one call, so that one batch has both: what is good is not given out again for what is not.
    let good = json!({ "to": IMPATIENT, "after": POISON });
    let entries = json!([
        { "Id": "poison", "MessageBody": POISON },
        { "Id": "good", "MessageBody": good.to_string() },
    ]);
    let body = json!({ "QueueUrl": applied.entry("queue_urls", IMPATIENT)?, "Entries": entries });
    let sent = account.json("sqs", "AmazonSQS.SendMessageBatch", &body)?;
    let accepted = sent["Successful"].as_array().cloned().unwrap_or_default();
    expect("the number of messages that were taken", accepted.len(), 2)?;
    let poison = accepted.iter().find(|message| message["Id"] == "poison");
    let poison = poison.and_then(|message| message["MessageId"].as_str()).ok_or("the poison has no id")?;
    let dead = wait("the poison in the dead letters", || {
        let dead = account.messages(applied.entry("dead_letter_queue_urls", IMPATIENT)?)?;
        Ok((!dead.is_empty()).then_some(dead))
    })?;
    expect("what is in the dead letters", dead, vec![POISON.to_owned()])?;
    wait("the message after the poison in the consumer's log", || {
        Ok(received(applied, IMPATIENT, &good)?.then_some(()))
    })?;
    let log = account.log_messages(applied.output("log_group")?)?;
    let tries = log.iter().filter(|line| line.contains(poison)).count();
    expect("how often the poison was tried", tries, TIMES)?;
    expect("the number of messages that were handled", handled(applied)?.len(), QUEUES.len() + 1)?;
    for name in with_dead_letters.into_iter().filter(|name| *name != IMPATIENT) {
        let dead = account.messages(applied.entry("dead_letter_queue_urls", name)?)?;
        expect(&format!("what is in the dead letters of {name}"), dead, Vec::new())?;
    }
    Ok(vec![
        format!("one message into each of {}: the consumer had all of them", QUEUES.join(", ")),
        format!(
            "{POISON:?} into {IMPATIENT}: tried {tries} times, now in the dead letters; the next was handled"
        ),
    ])
}

/// The names in an output that is a map.
fn names<'a>(applied: &'a Applied<'_>, output: &str) -> BTreeSet<&'a str> {
    applied.outputs[output].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// What the consumer says that it handled.
fn handled(applied: &Applied<'_>) -> Result<Vec<Json>> {
    let log = applied.account.log_messages(applied.output("log_group")?)?;
    let notes = log.iter().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    Ok(notes.filter(|note| note["message"] == "received").collect())
}

/// Whether the consumer handled a message of a queue.
fn received(applied: &Applied<'_>, name: &str, body: &Json) -> Result<bool> {
    let url = applied.entry("queue_urls", name)?;
    let in_aws = url.rsplit('/').next();
    let of_queue = |note: &Json| note["queue"].as_str().and_then(|arn| arn.rsplit(':').next()) == in_aws;
    Ok(handled(applied)?.iter().any(|note| of_queue(note) && note["body"] == *body))
}
