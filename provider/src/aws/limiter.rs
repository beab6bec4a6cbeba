//! As many calls per service as it takes: shared by everything that this process does.
//!
//! Services limit how many calls an account may make, and a throttled call is a call wasted. So each
//! service's calls begin slowly, become twice as many each second while all is well, and fewer as soon as
//! it throttles; after that they grow by a little. A single composite notices nothing of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tracing::debug;

/// Calls per second at first, and at once.
const FIRST: f64 = 20.0;
/// Calls per second beyond which nothing is gained.
const MOST: f64 = 1000.0;
/// Calls per second that are left whatever the service says.
const LEAST: f64 = 1.0;
/// What is left of the calls per second after a throttled call.
const CUT: f64 = 0.7;
/// What part of the calls per second each second adds, once there is a limit.
const GROWTH: f64 = 0.05;

/// The limits of every service, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(Arc<Mutex<BTreeMap<String, Arc<Service>>>>);

/// A connector whose calls are held back.
#[derive(Debug)]
struct Limited {
    connector: SharedHttpConnector,
    limits: Limits,
}

/// The calls of one service.
#[derive(Debug, Default)]
struct Service {
    /// Whose turn it is: calls go in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    rate: Mutex<Rate>,
}

#[derive(Debug)]
struct Rate {
    /// Calls per second.
    per_second: f64,
    /// Calls that may be made now.
    ready: f64,
    /// When calls last became ready.
    filled: Instant,
    /// When the calls per second last changed.
    changed: Instant,
    /// Whether the service has throttled.
    limited: bool,
    /// Whether a call had to wait since then: only what is used can be found too small.
    waited: bool,
}

/// How long a call waits for its turn at the most: it is signed already, and a signature grows old. It counts
/// as one without an answer, and is signed and made again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Default for Rate {
    fn default() -> Self {
        let now = Instant::now();
        Self { per_second: FIRST, ready: FIRST, filled: now, changed: now, limited: false, waited: false }
    }
}

impl Rate {
    /// Takes one call, or says how long to wait for it.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        let more = (now - self.filled).as_secs_f64() * self.per_second;
        self.ready = (self.ready + more).min(if self.limited { 1.0 } else { FIRST });
        self.filled = now;
        if self.ready >= 1.0 {
            self.ready -= 1.0;
            return None;
        }
        self.waited = true;
        // A timer counts milliseconds: a shorter wait would be none.
        let wait = Duration::from_secs_f64((1.0 - self.ready) / self.per_second);
        Some(wait.max(Duration::from_millis(1)))
    }

    /// Learns from an answer to a call that was sent then.
    fn learn(&mut self, sent: Instant, now: Instant, throttled: bool) {
        if throttled {
            // Calls that were under way at the last cut say nothing new.
            if !self.limited || sent > self.changed {
                self.per_second = (self.per_second * CUT).max(LEAST);
                self.changed = now;
            }
            self.limited = true;
            self.ready = self.ready.min(0.0);
        } else if self.waited && now - self.changed >= Duration::from_secs(1) {
            let more = if self.limited { GROWTH } else { 1.0 };
            self.per_second = (self.per_second * (1.0 + more)).min(MOST);
            self.changed = now;
            self.waited = false;
        }
    }
}

impl Service {
    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self) {
        let _turn = self.turn.lock().await;
        loop {
            let wait = self.rate().take(Instant::now());
            let Some(wait) = wait else { return };
            tokio::time::sleep(wait).await;
        }
    }
}

impl Limits {
    /// A connector on which they are kept.
    pub(super) fn on(&self, connector: SharedHttpConnector) -> SharedHttpConnector {
        SharedHttpConnector::new(Limited { connector, limits: self.clone() })
    }

    fn service(&self, name: &str) -> Arc<Service> {
        let mut services = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        services.entry(name.to_owned()).or_default().clone()
    }
}

impl HttpConnector for Limited {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // `Credential=KEY/DATE/REGION/SERVICE/aws4_request`
        let signature = request.headers().get("authorization").unwrap_or_default();
        let name = signature.split('/').nth(3).unwrap_or_default().to_owned();
        let service = self.limits.service(&name);
        let connector = self.connector.clone();
        HttpConnectorFuture::new(async move {
            if tokio::time::timeout(PATIENCE, service.take()).await.is_err() {
                return Err(ConnectorError::timeout(
                    format!("{name} takes no more calls than it gets: this one waited for {PATIENCE:?}")
                        .into(),
                ));
            }
            let sent = Instant::now();
            let answer = connector.call(request).await?;
            let (answer, throttled) = judge(answer).await?;
            let mut rate = service.rate();
            rate.learn(sent, Instant::now(), throttled);
            if throttled {
                debug!(service = name, per_second = rate.per_second, "throttled");
            }
            drop(rate);
            Ok(answer)
        })
    }
}

/// Whether an answer says that there were too many calls. Only that of an error is looked into.
async fn judge(mut answer: HttpResponse) -> Result<(HttpResponse, bool), ConnectorError> {
    let status = answer.status().as_u16();
    if status < 400 {
        return Ok((answer, false));
    }
    let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
    let bytes = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let header = answer.headers().get("x-amzn-errortype").unwrap_or_default();
    let says = |part: &str| header.contains(part) || text.contains(part);
    let throttled = status == 429
        || ["Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown"].iter().any(|part| says(part));
    *answer.body_mut() = SdkBody::from(bytes.to_vec());
    Ok((answer, throttled))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many calls a service that allows so many per second refuses, of so many made at once.
    async fn refused(allowed: f64, calls: usize) -> (usize, Duration) {
        let service = Service::default();
        let account = Mutex::new(Rate { per_second: allowed, ready: allowed, ..Rate::default() });
        let start = Instant::now();
        let mut refused = 0;
        let mut left = calls;
        while left > 0 {
            service.take().await;
            let sent = Instant::now();
            let ok = account.lock().unwrap().take(sent).is_none();
            tokio::time::sleep(Duration::from_millis(5)).await;
            service.rate().learn(sent, Instant::now(), !ok);
            if ok {
                left -= 1;
            } else {
                refused += 1;
            }
        }
        (refused, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn few_calls_are_wasted_where_an_account_allows_few() {
        for allowed in [3.0, 20.0, 50.0] {
            let (refused, time) = refused(allowed, 2000).await;
            assert!(refused < 200, "{refused} of 2000 calls were refused at {allowed} per second");
            let least = 2000.0 / allowed;
            assert!(time.as_secs_f64() < least * 1.6, "{time:?} at {allowed} per second");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_composite_waits_for_nothing() {
        let service = Service::default();
        let start = Instant::now();
        for _ in 0..20 {
            service.take().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
