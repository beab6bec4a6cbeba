//! What is wrong with the triggers of a function, before their objects are made.

use super::event_function::Spec;
use super::triggers::{HttpTrigger, QueueTrigger, Trigger};
use crate::checks::{filters, visibility};
use crate::composite::item_path;
use crate::finding::{Code, Findings, Path, Step};
use crate::names;
use crate::scalar::Scalar;

/// What is wrong with the triggers of a function.
pub(super) fn check(spec: &Spec<'_>, findings: &mut Findings) {
    let mut bucket_filters = Vec::new();
    let mut first_http: Option<usize> = None;
    for (index, trigger) in spec.on.iter().enumerate() {
        let at = item_path("on", index);
        match trigger {
            Trigger::Bucket(trigger) => {
                let (prefix, suffix) = trigger.filter();
                bucket_filters.push(filters::Filter {
                    path: at,
                    bucket: &trigger.bucket,
                    events: trigger.events(),
                    prefix,
                    suffix,
                });
            }
            Trigger::Queue(queue) => {
                let twice = at.join(Step::Field("queue".to_owned()));
                check_twice(spec, index, "queue", findings);
                check_order(queue, index, findings);
                visibility::check(spec.part.context, &queue.queue, &spec.function.timeout, twice, findings);
                if let (Some(size), Some(0)) =
                    (queue.batch_size.known(), queue.maximum_batching_window.known())
                    && *size > 10
                    && !keeps_order(queue)
                {
                    findings.error(
                        Code::OutOfRange,
                        at.join(Step::Field("batch_size".to_owned())),
                        format!("batches of {size} messages need time to gather"),
                        "Set `maximum_batching_window` to at least 1, or `batch_size` to 10 or less.",
                    );
                }
            }
            Trigger::Stream(_) => check_twice(spec, index, "stream", findings),
            Trigger::Table(_) => check_twice(spec, index, "table", findings),
            Trigger::Topic(trigger) => {
                check_twice(spec, index, "topic", findings);
                if trigger.topic.known().is_some_and(|topic| names::keeps_order(topic)) {
                    findings.error(
                        Code::Choice,
                        at.join(Step::Field("topic".to_owned())),
                        "a topic that keeps its order sends to queues alone",
                        "Give the topic to a `queue` with `fifo`, and that queue to the function.",
                    );
                }
            }
            Trigger::Http(http) => {
                if let Some(earlier) = first_http {
                    findings.error(
                        Code::Choice,
                        at.join(Step::Field("http".to_owned())),
                        format!("`on[{earlier}]` takes the requests already"),
                        "Remove one of the two: a function has one address.",
                    );
                }
                first_http.get_or_insert(index);
                check_http(http, index, findings);
            }
            Trigger::Schedule(_) | Trigger::Event(_) => {}
        }
    }
    // A part of another composite has no triggers of its own among the inputs.
    if spec.at == Path::default() {
        filters::check(&bucket_filters, findings);
    }
}

/// What a trigger reads, when it is a source that a function has once.
fn source(trigger: &Trigger) -> Option<&Scalar<String>> {
    match trigger {
        Trigger::Queue(trigger) => Some(&trigger.queue),
        Trigger::Stream(trigger) => Some(&trigger.stream),
        Trigger::Table(trigger) => Some(&trigger.table),
        Trigger::Topic(trigger) => Some(&trigger.topic),
        _ => None,
    }
}

fn check_twice(spec: &Spec<'_>, index: usize, field: &str, findings: &mut Findings) {
    let Some(own) = source(&spec.on[index]) else { return };
    let mut others = spec.on[..index].iter();
    let earlier = others.position(|other| source(other).is_some_and(|other| other.surely_equals(own)));
    if let Some(earlier) = earlier {
        findings.error(
            Code::OverlappingFilters,
            item_path("on", index).join(Step::Field(field.to_owned())),
            format!("`on[{earlier}]` is on the same {field}, and a function reads a {field} once"),
            "Remove one of the two.",
        );
    }
}

fn keeps_order(trigger: &QueueTrigger) -> bool {
    trigger.queue.known().is_some_and(|queue| names::keeps_order(queue))
}

/// What a queue that keeps its order does not allow.
fn check_order(queue: &QueueTrigger, index: usize, findings: &mut Findings) {
    if !keeps_order(queue) {
        return;
    }
    let at = |field: &str| item_path("on", index).join(Step::Field(field.to_owned()));
    let message = "a queue that keeps its order gives out at most 10 messages at once, and gathers none";
    if queue.batch_size.known().is_some_and(|size| *size > 10) {
        findings.error(Code::OutOfRange, at("batch_size"), message, "Set `batch_size` to 10 or less.");
    }
    if queue.maximum_batching_window.known().is_some_and(|window| *window > 0) {
        findings.error(
            Code::OutOfRange,
            at("maximum_batching_window"),
            message,
            "Set `maximum_batching_window` to 0.",
        );
    }
}

fn check_http(trigger: &HttpTrigger, index: usize, findings: &mut Findings) {
    let at = |field: &str| item_path("on", index).join(Step::Field(field.to_owned()));
    let jwt = trigger.auth == "jwt";
    if jwt && trigger.http == "url" {
        findings.error(
            Code::Choice,
            at("auth"),
            "a function's own address knows no tokens",
            "Set `http` to `api`, or `auth` to `iam` or `none`.",
        );
    } else if jwt && (trigger.jwt_issuer.is_none() || trigger.jwt_audience.is_empty()) {
        findings.error(
            Code::Missing,
            at(if trigger.jwt_issuer.is_none() { "jwt_issuer" } else { "jwt_audience" }),
            "`auth = \"jwt\"` needs `jwt_issuer` and `jwt_audience`",
            "Give the URL of who gives out the tokens, and for whom they must be given out.",
        );
    }
    let given = [
        ("jwt_issuer", trigger.jwt_issuer.is_some()),
        ("jwt_audience", !trigger.jwt_audience.is_empty()),
        ("jwt_scopes", !trigger.jwt_scopes.is_empty()),
    ];
    for (field, _) in given.into_iter().filter(|(_, given)| *given && !jwt) {
        let message = format!("`{field}` does not go with `auth = \"{}\"`", trigger.auth);
        findings.error(Code::Choice, at(field), message, "Remove it, or set `auth` to `jwt`.");
    }
    let options =
        trigger.cors_methods.iter().any(|method| method.known().is_some_and(|name| name == "OPTIONS"));
    if options && trigger.http == "url" {
        let message = "a function's own address answers OPTIONS by itself";
        findings.error(Code::OutOfRange, at("cors_methods"), message, "Remove `OPTIONS`.");
    }
    let browsers = [
        ("cors_methods", !trigger.cors_methods.is_empty()),
        ("cors_headers", !trigger.cors_headers.is_empty()),
    ];
    for (field, _) in browsers.into_iter().filter(|(_, given)| *given && trigger.cors_origins.is_empty()) {
        let message = format!("`{field}` says nothing without `cors_origins`");
        findings.error(
            Code::Missing,
            at("cors_origins"),
            message,
            "Give the origins of the pages that may call.",
        );
    }
}
