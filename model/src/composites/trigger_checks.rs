//! Checks of the triggers of a function, before expansion creates their objects.

use super::function::FunctionSpec;
use super::triggers::{HttpTrigger, QueueTrigger, Trigger};
use crate::checks::{fifo, filters, visibility};
use crate::composite::item_path;
use crate::finding::{Code, Findings, Path, Step};
use crate::names;
use crate::scalar::Scalar;

/// Checks the triggers of a function, each by itself and against the others.
pub(super) fn check(spec: &FunctionSpec<'_>, findings: &mut Findings) {
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
                    (queue.batch.batch_size.known(), queue.batch.maximum_batching_window.known())
                    && *size > 10
                    && !is_fifo(queue)
                {
                    findings.error(
                        Code::OutOfRange,
                        at.join(Step::Field("batch_size".to_owned())),
                        format!(
                            "`batch_size` is {size}, but `maximum_batching_window` is 0: Lambda gathers more \
                             than 10 messages only with a window"
                        ),
                        "Set `maximum_batching_window` to at least 1, or `batch_size` to 10 or less.",
                    );
                }
            }
            Trigger::Stream(_) => check_twice(spec, index, "stream", findings),
            Trigger::Table(_) => check_twice(spec, index, "table", findings),
            Trigger::Topic(trigger) => {
                check_twice(spec, index, "topic", findings);
                if trigger.topic.known().is_some_and(|topic| names::is_fifo(topic)) {
                    findings.error(
                        Code::Choice,
                        at.join(Step::Field("topic".to_owned())),
                        "`topic` is a FIFO topic, which delivers to queues only",
                        "Subscribe a `queue` with `fifo` to the topic, and set a trigger on that queue.",
                    );
                }
            }
            Trigger::Http(http) => {
                if let Some(earlier) = first_http {
                    findings.error(
                        Code::Choice,
                        at.join(Step::Field("http".to_owned())),
                        format!("`on[{earlier}]` has `http` already: a function has at most one endpoint"),
                        "Remove one of the two.",
                    );
                }
                first_http.get_or_insert(index);
                check_http(http, index, findings);
            }
            Trigger::Schedule(_) | Trigger::Event(_) => {}
        }
    }
    // The triggers of a part, e.g. of a thumbnailer's launcher, are not inputs: that composite checks them.
    if spec.at == Path::default() {
        filters::check(&bucket_filters, findings);
    }
}

/// The source of a trigger, if a function can have at most one trigger on it.
fn source(trigger: &Trigger) -> Option<&Scalar<String>> {
    match trigger {
        Trigger::Queue(trigger) => Some(&trigger.queue),
        Trigger::Stream(trigger) => Some(&trigger.stream),
        Trigger::Table(trigger) => Some(&trigger.table),
        Trigger::Topic(trigger) => Some(&trigger.topic),
        _ => None,
    }
}

fn check_twice(spec: &FunctionSpec<'_>, index: usize, field: &str, findings: &mut Findings) {
    let Some(own) = source(&spec.on[index]) else { return };
    let mut others = spec.on[..index].iter();
    let earlier = others.position(|other| source(other).is_some_and(|other| other.surely_equals(own)));
    if let Some(earlier) = earlier {
        findings.error(
            Code::OverlappingFilters,
            item_path("on", index).join(Step::Field(field.to_owned())),
            format!("`on[{earlier}]` has the same `{field}`: a function has at most one trigger per {field}"),
            "Remove one of the two.",
        );
    }
}

fn is_fifo(trigger: &QueueTrigger) -> bool {
    trigger.queue.known().is_some_and(|queue| names::is_fifo(queue))
}

/// Checks the limits of a FIFO queue.
fn check_order(queue: &QueueTrigger, index: usize, findings: &mut Findings) {
    if !is_fifo(queue) {
        return;
    }
    let at = |field: &str| item_path("on", index).join(Step::Field(field.to_owned()));
    let (size, window) =
        (queue.batch.batch_size.known().copied(), queue.batch.maximum_batching_window.known().copied());
    for (field, help) in fifo::batch(size, window) {
        findings.error(Code::OutOfRange, at(field), fifo::BATCH, help);
    }
}

fn check_http(trigger: &HttpTrigger, index: usize, findings: &mut Findings) {
    let at = |field: &str| item_path("on", index).join(Step::Field(field.to_owned()));
    let jwt = trigger.auth == "jwt";
    if jwt && trigger.http == "url" {
        findings.error(
            Code::Choice,
            at("auth"),
            "`auth` is `jwt`, which a Lambda function URL (`http = \"url\"`) does not support",
            "Set `http` to `api`, or `auth` to `iam` or `none`.",
        );
    } else if jwt && (trigger.jwt_issuer.is_none() || trigger.jwt_audience.is_empty()) {
        findings.error(
            Code::Missing,
            at(if trigger.jwt_issuer.is_none() { "jwt_issuer" } else { "jwt_audience" }),
            "`auth = \"jwt\"` requires `jwt_issuer` and `jwt_audience`",
            "Set `jwt_issuer` to the URL of the token issuer, and `jwt_audience` to the accepted audiences.",
        );
    }
    let given = [
        ("jwt_issuer", trigger.jwt_issuer.is_some()),
        ("jwt_audience", !trigger.jwt_audience.is_empty()),
        ("jwt_scopes", !trigger.jwt_scopes.is_empty()),
    ];
    for (field, _) in given.into_iter().filter(|(_, given)| *given && !jwt) {
        let message = format!("`{field}` requires `auth = \"jwt\"`, but `auth` is `{}`", trigger.auth);
        findings.error(Code::Choice, at(field), message, "Remove it, or set `auth` to `jwt`.");
    }
    let options =
        trigger.cors_methods.iter().any(|method| method.known().is_some_and(|name| name == "OPTIONS"));
    if options && trigger.http == "url" {
        let message = "`cors_methods` contains `OPTIONS`, which a Lambda function URL answers itself";
        findings.error(Code::OutOfRange, at("cors_methods"), message, "Remove `OPTIONS`.");
    }
    let browsers = [
        ("cors_methods", !trigger.cors_methods.is_empty()),
        ("cors_headers", !trigger.cors_headers.is_empty()),
    ];
    for (field, _) in browsers.into_iter().filter(|(_, given)| *given && trigger.cors_origins.is_empty()) {
        let message = format!("`{field}` has no effect without `cors_origins`");
        findings.error(
            Code::Missing,
            at("cors_origins"),
            message,
            "Set `cors_origins` to the origins of the pages that may send requests.",
        );
    }
}
