//! Limits the calls per second of each service, for the whole process.
//!
//! AWS limits the calls of an account, and a throttled call is wasted. So the rate of each service starts low
//! and doubles each second until the service throttles a call. Then the rate drops and grows slowly again. A
//! single composite makes too few calls to be delayed.

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

/// Calls per second at the start, and the largest burst.
const FIRST: f64 = 20.0;
/// Highest rate, in calls per second: more would gain nothing.
const MOST: f64 = 1000.0;
/// Lowest rate, in calls per second, even if the service throttles every call.
const LEAST: f64 = 1.0;
/// Factor by which a throttled call reduces the rate.
const CUT: f64 = 0.7;
/// Share by which the rate grows each second, after the first throttled call.
const GROWTH: f64 = 0.05;

/// The rate limits, by service.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(Arc<Mutex<BTreeMap<String, Arc<Service>>>>);

/// A connector that delays its calls to respect the limits.
#[derive(Debug)]
struct Limited {
    connector: SharedHttpConnector,
    limits: Limits,
}

/// The rate limit of one service.
#[derive(Debug, Default)]
struct Service {
    /// Held by the call whose turn it is: calls leave in the order of their arrival.
    turn: tokio::sync::Mutex<()>,
    rate: Mutex<Rate>,
}

#[derive(Debug)]
struct Rate {
    /// Calls per second.
    per_second: f64,
    /// Calls that may be made now.
    ready: f64,
    /// Time of the last update of `ready`.
    filled: Instant,
    /// Time of the last change of `per_second`.
    changed: Instant,
    /// True after the service has throttled a call.
    limited: bool,
    /// True if a call had to wait since `changed`: a rate that is not used up need not grow.
    waited: bool,
}

/// Longest wait of a call for its turn. The call is already signed, and signatures expire. After the wait it
/// counts as timed out, and the SDK signs and sends it again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Default for Rate {
    fn default() -> Self {
        let now = Instant::now();
        Self { per_second: FIRST, ready: FIRST, filled: now, changed: now, limited: false, waited: false }
    }
}

impl Rate {
    /// Takes one call, or returns the time to wait for it.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        let more = (now - self.filled).as_secs_f64() * self.per_second;
        self.ready = (self.ready + more).min(if self.limited { 1.0 } else { FIRST });
        self.filled = now;
        if self.ready >= 1.0 {
            self.ready -= 1.0;
            return None;
        }
        self.waited = true;
        // The timer counts in milliseconds: it would not wait for less than one.
        let wait = Duration::from_secs_f64((1.0 - self.ready) / self.per_second);
        Some(wait.max(Duration::from_millis(1)))
    }

    /// Adjusts the rate to the response of a call that was sent at `sent`.
    fn learn(&mut self, sent: Instant, now: Instant, throttled: bool) {
        if throttled {
            // Calls that were sent before the last cut add no information.
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
    /// Wraps a connector so that its calls respect the limits.
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
                    format!("the rate limit of {name} delayed this call for {PATIENCE:?}").into(),
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

/// Returns the response, and true if it reports throttling. Reads the body of an error only.
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

    /// Makes calls to a service that allows so many per second; returns the refused ones and the time.
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
