//! A proxy between provider and emulator: counts mutating calls, and lets a test act on them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tandem_crash::fault::Fault;
use tandem_judges::call::Violation;
use tandem_judges::{figures, models};
use tokio::net::TcpListener;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The progress of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// AWS has not received it.
    Before,
    /// AWS has responded; the provider has not received the response.
    After,
}

/// The action for a call or its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Passes it on.
    Pass,
    /// Keeps it from AWS and responds with HTTP status 502.
    Lose,
    /// Resets the connection.
    Reset,
    /// Keeps it from AWS and responds with an error of its service.
    Refuse(Fault),
    /// Passes it on after a delay.
    Late(Duration),
}

impl From<bool> for Act {
    fn from(pass: bool) -> Self {
        if pass { Self::Pass } else { Self::Lose }
    }
}

/// Chooses the action for a mutating call, by its number (from 1) and its name.
type Hook = Arc<dyn Fn(Phase, usize, &str) -> Act + Send + Sync>;

/// Receives the name and the body of a mutating call.
type Watch = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    mutating: Arc<Mutex<Vec<String>>>,
    limit: Arc<Limit>,
    violations: Arc<Mutex<BTreeSet<Violation>>>,
}

impl Drop for Proxy {
    /// Fails if a call broke the model of its service.
    fn drop(&mut self) {
        figures::keep();
        let violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        let shown: Vec<String> = violations.iter().map(ToString::to_string).collect();
        // A test that already failed keeps its own message.
        assert!(
            shown.is_empty() || std::thread::panicking(),
            "AWS would refuse calls:\n{}",
            shown.join("\n")
        );
    }
}

/// The limit of calls per second, for each service.
#[derive(Default)]
struct Limit {
    per_second: Mutex<Option<f64>>,
    /// The calls left for each service, and the time of the last update.
    left: Mutex<BTreeMap<String, (f64, Instant)>>,
    calls: AtomicUsize,
    refused: AtomicUsize,
}

impl Limit {
    /// Returns true if a call exceeds the limit.
    fn refuses(&self, parts: &hyper::http::request::Parts) -> bool {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let Some(per_second) = *self.per_second.lock().unwrap_or_else(PoisonError::into_inner) else {
            return false;
        };
        let signature = parts.headers.get(hyper::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let service = signature.and_then(|signature| signature.split('/').nth(3)).unwrap_or_default();
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (left, since) = all.entry(service.to_owned()).or_insert((per_second, now));
        *left = (*left + (now - *since).as_secs_f64() * per_second).min(per_second);
        *since = now;
        let refuses = *left < 1.0;
        if refuses {
            self.refused.fetch_add(1, Ordering::SeqCst);
        } else {
            *left -= 1.0;
        }
        refuses
    }
}

impl Proxy {
    /// Starts a proxy. The hook gets every mutating call: its number (from 1) and its name.
    ///
    /// Requests to the registry contain no account: the emulator takes it from the host `registry`.
    pub(crate) fn start<A: Into<Act>>(
        upstream: &str,
        registry: &str,
        hook: impl Fn(Phase, usize, &str) -> A + Send + Sync + 'static,
    ) -> Self {
        Self::with(upstream, registry, hook, |_, _| {})
    }

    fn with<A: Into<Act>>(
        upstream: &str,
        registry: &str,
        hook: impl Fn(Phase, usize, &str) -> A + Send + Sync + 'static,
        watch: impl Fn(&str, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        let mutating: Arc<Mutex<Vec<String>>> = Arc::default();
        let limit: Arc<Limit> = Arc::default();
        let violations: Arc<Mutex<BTreeSet<Violation>>> = Arc::default();
        let found = violations.clone();
        let limits = limit.clone();
        let (sender, receiver) = std::sync::mpsc::channel::<SocketAddr>();
        let (upstream, registry, calls) = (upstream.to_owned(), registry.to_owned(), mutating.clone());
        let hook: Hook = Arc::new(move |phase, number, name| hook(phase, number, name).into());
        let watch: Watch = Arc::new(watch);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                sender.send(listener.local_addr().expect("an address")).expect("the test waits");
                let client: Client<HttpConnector, Full<Bytes>> =
                    Client::builder(TokioExecutor::new()).build_http();
                while let Ok((stream, _)) = listener.accept().await {
                    let (client, upstream, calls, hook) =
                        (client.clone(), upstream.clone(), calls.clone(), hook.clone());
                    let (registry, watch, limits) = (registry.clone(), watch.clone(), limits.clone());
                    let found = found.clone();
                    let service = service_fn(move |mut request: Request<Incoming>| {
                        if request.uri().path().starts_with("/v2/") {
                            let host = registry.parse().expect("a host");
                            request.headers_mut().insert(hyper::header::HOST, host);
                        }
                        let acts = (hook.clone(), watch.clone(), limits.clone(), found.clone());
                        forward(request, client.clone(), upstream.clone(), calls.clone(), acts)
                    });
                    tokio::spawn(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service),
                    );
                }
            });
        });
        let address = receiver.recv().expect("the proxy's address");
        Self { endpoint: format!("http://{address}"), mutating, limit, violations }
    }

    /// Starts a proxy that passes all calls on, and gives each mutating call and its body to `watch`.
    pub(crate) fn watching(upstream: &str, watch: impl Fn(&str, &[u8]) + Send + Sync + 'static) -> Self {
        Self::with(upstream, "", |_, _, _| true, watch)
    }

    /// Limits the calls per second of each service from now on: the proxy refuses the rest.
    pub(crate) fn limit(&self, per_second: f64) {
        *self.limit.per_second.lock().unwrap_or_else(PoisonError::into_inner) = Some(per_second);
        self.limit.calls.store(0, Ordering::SeqCst);
    }

    /// The number of calls since the limit was set, and the number of refused calls.
    pub(crate) fn limited(&self) -> (usize, usize) {
        (self.limit.calls.load(Ordering::SeqCst), self.limit.refused.load(Ordering::SeqCst))
    }

    /// Names of the mutating calls so far.
    pub(crate) fn mutating(&self) -> Vec<String> {
        self.mutating.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The response of moto for a bucket without notifications; [`NO_NOTIFICATIONS`] is the response of AWS.
const MOTO_NO_NOTIFICATIONS: &str =
    "<GetBucketNotificationResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";
const NO_NOTIFICATIONS: &str =
    "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";

/// The root of moto's response with the versioning of a bucket; [`VERSIONING`] is that of AWS.
const MOTO_VERSIONING: &str = "GetBucketVersioningResponse";
const VERSIONING: &str = "VersioningConfiguration";

async fn forward(
    request: Request<Incoming>,
    client: Client<HttpConnector, Full<Bytes>>,
    upstream: String,
    calls: Arc<Mutex<Vec<String>>>,
    (hook, watch, limit, violations): (Hook, Watch, Arc<Limit>, Arc<Mutex<BTreeSet<Violation>>>),
) -> Result<Response<Full<Bytes>>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let name = operation(&parts, &body);
    violations.lock().unwrap_or_else(PoisonError::into_inner).extend(judged(&parts, &body));
    if !parts.uri.path().starts_with("/v2/") && limit.refuses(&parts) {
        return Ok(refused(&parts, &body, Fault::Throttled));
    }
    let number = is_mutating(&parts.method, &name).then(|| {
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        watch(&name, &body);
        calls.push(name.clone());
        calls.len()
    });
    let act = |phase| match number {
        Some(number) => tokio::task::block_in_place(|| hook(phase, number, &name)),
        None => Act::Pass,
    };
    match act(Phase::Before) {
        Act::Pass => {}
        Act::Late(time) => tokio::time::sleep(time).await,
        Act::Reset => return Err(reset()),
        Act::Refuse(fault) => return Ok(refused(&parts, &body, fault)),
        Act::Lose => {
            let mut lost = Response::new(Full::new(Bytes::new()));
            *lost.status_mut() = StatusCode::BAD_GATEWAY;
            return Ok(lost);
        }
    }
    // As if TLS ended before the emulator: policies that deny requests without TLS must allow this one.
    parts.headers.insert("x-forwarded-proto", hyper::header::HeaderValue::from_static("https"));
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = format!("{upstream}{path}").parse::<Uri>().expect("an address");
    let answer = client.request(Request::from_parts(parts, Full::new(body))).await;
    let answer = match answer {
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            let mut body = body.collect().await?.to_bytes();
            // moto calls the versioning of a bucket by another name than AWS.
            let text = String::from_utf8_lossy(&body);
            if text.contains(MOTO_VERSIONING) {
                body = Bytes::from(text.replace(MOTO_VERSIONING, VERSIONING));
                parts.headers.remove(hyper::header::CONTENT_LENGTH);
            }
            if body.ends_with(MOTO_NO_NOTIFICATIONS.as_bytes()) {
                body = Bytes::from_static(NO_NOTIFICATIONS.as_bytes());
                parts.headers.remove(hyper::header::CONTENT_LENGTH);
            }
            Response::from_parts(parts, Full::new(body))
        }
        Err(error) => {
            let mut failed = Response::new(Full::new(Bytes::from(error.to_string())));
            *failed.status_mut() = StatusCode::BAD_GATEWAY;
            failed
        }
    };
    match act(Phase::After) {
        Act::Late(time) => tokio::time::sleep(time).await,
        Act::Reset => return Err(reset()),
        _ => {}
    }
    Ok(answer)
}

fn reset() -> BoxError {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}

/// The violations of a request of the provider. Other programs that tests run are not judged.
fn judged(parts: &hyper::http::request::Parts, body: &Bytes) -> Vec<Violation> {
    let headers =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers: Vec<(&str, &str)> = headers.collect();
    let agent = headers.iter().find(|(name, _)| *name == "user-agent").map_or("", |(_, agent)| agent);
    // The provider's client of EC2 is not that of the SDK, and names none.
    if !agent.is_empty() && !agent.starts_with("aws-sdk-rust") {
        return Vec::new();
    }
    let judged = models::judge_request(&tandem_judges::request::Request {
        method: parts.method.as_str(),
        uri: &parts.uri.to_string(),
        headers: &headers,
        body,
    });
    // The crash suite refuses operations that are not in the data. Here tests make calls of their own, too.
    judged.err().unwrap_or_default().into_iter().filter(|violation| !violation.is_unknown()).collect()
}

/// The error response to a call, in the protocol of its service.
fn refused(parts: &hyper::http::request::Parts, body: &Bytes, fault: Fault) -> Response<Full<Bytes>> {
    let mut request = hyper::http::Request::builder().method(&parts.method).uri(&parts.uri);
    for (name, value) in &parts.headers {
        request = request.header(name, value);
    }
    let answer = fault.answer(request.body(body.to_vec()).expect("the request once more"));
    answer.expect("a fault that refuses").map(|body| Full::new(Bytes::from(body)))
}

/// The name of a call, in any of AWS's protocols.
fn operation(parts: &hyper::http::request::Parts, body: &[u8]) -> String {
    if let Some(target) = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    let path = parts.uri.path();
    if let Some((_, operation)) = path.split_once("/operation/") {
        return operation.to_owned();
    }
    let text = String::from_utf8_lossy(body);
    if let Some(action) = text.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        return action.to_owned();
    }
    let query = parts.uri.query().unwrap_or_default();
    format!("{} {path}?{query}", parts.method)
}

fn is_mutating(method: &Method, name: &str) -> bool {
    const READS: [&str; 7] = ["Get", "List", "Describe", "Head", "Filter", "GET ", "HEAD "];
    !name.contains(" /v2/")
        && *method != Method::GET
        && *method != Method::HEAD
        && !READS.iter().any(|read| name.starts_with(read))
}
