//! The carrier: transports the calls of one process to AWS in memory, and injects a fault into one of them.
//!
//! Each direction takes a random time, in virtual time and from a seed, so that calls overlap as on a
//! network. When a process is killed, some of its calls in flight still arrive, and some do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use tandem_judges as judges;
use tandem_judges::call::Violation;
use tandem_judges::request::Request;
use tandem_judges::{figures, models};
use terraform_provider_tandem::Outside;
use terraform_provider_tandem::container_engine::{ContainerEngine, Failed, Login, Recipe};
use tfplugin::stop::{StopSource, StopToken};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::double::wire::{self, Read};
use crate::double::{ACCOUNT, Answer, Call, Cloud, Refusal};
use crate::fault::{self, Fault};

/// AWS in memory, with the latency and the rate limit of calls to it.
pub struct World {
    cloud: Mutex<Cloud>,
    random: Mutex<fastrand::Rng>,
    start: Instant,
    /// The endpoint, which differs between worlds. Locks depend on it.
    pub(crate) endpoint: String,
    /// The number of calls per second that each service accepts; `None` for no limit.
    limit: Mutex<Option<f64>>,
    /// The number of calls that each service had left, and the time of that count.
    left: Mutex<BTreeMap<String, (f64, Instant)>>,
    /// Calls that broke the model of their service.
    violations: Mutex<BTreeSet<Violation>>,
    /// All calls, if they are recorded.
    record: Mutex<Option<Vec<judges::call::Call>>>,
}

impl World {
    /// Creates a world without objects. The seed determines the latencies.
    pub fn new(seed: u64) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            cloud: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            start: Instant::now(),
            endpoint: format!(
                "http://{}-{}.double",
                std::process::id(),
                NEXT.fetch_add(1, Ordering::Relaxed)
            ),
            limit: Mutex::default(),
            left: Mutex::default(),
            violations: Mutex::default(),
            record: Mutex::default(),
        })
    }

    /// Restarts the random latencies with this seed.
    pub fn reseed(&self, seed: u64) {
        *self.random.lock().unwrap_or_else(PoisonError::into_inner) = fastrand::Rng::with_seed(seed);
    }

    /// Limits each service to a number of calls per second. It throttles the rest.
    pub fn limit(&self, per_second: f64) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(per_second);
    }

    /// The refusal of a call above the limit; `None` for a call within it.
    fn too_many(&self, service: &str) -> Option<Refusal> {
        let per_second = (*self.limit.lock().unwrap_or_else(PoisonError::into_inner))?;
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (left, since) = all.entry(service.to_owned()).or_insert((per_second, now));
        *left = (*left + (now - *since).as_secs_f64() * per_second).min(per_second);
        *since = now;
        if *left >= 1.0 {
            *left -= 1.0;
            return None;
        }
        Some(fault::too_many(service))
    }

    /// The objects in AWS, with the clock set to the current virtual time.
    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        cloud.now = self.start.elapsed();
        cloud
    }

    /// Records all calls from now on.
    pub fn record(&self) {
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The recorded calls. It ends the record.
    pub fn recorded(&self) -> Vec<judges::call::Call> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// The refusal of a request that breaks the model of its service.
    fn judged(&self, request: &HttpRequest) -> Option<Refusal> {
        let headers: Vec<(&str, &str)> = request.headers().iter().collect();
        let judged = models::judge_request(&Request {
            method: request.method(),
            uri: request.uri(),
            headers: &headers,
            body: request.body().bytes().unwrap_or_default(),
        });
        let violations = match judged {
            Ok(call) => {
                if let Some(record) = &mut *self.record.lock().unwrap_or_else(PoisonError::into_inner) {
                    record.extend(call);
                }
                return None;
            }
            Err(violations) => violations,
        };
        let messages: Vec<String> = violations.iter().map(ToString::to_string).collect();
        let message = messages.join("; ");
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).extend(violations);
        Some(Refusal { status: 400, code: "ValidationException".to_owned(), message })
    }

    fn chance<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn travel(&self) {
        let milliseconds = self.chance(|random| random.u64(2..40));
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl Drop for World {
    /// Fails the test if a call broke the model of its service.
    fn drop(&mut self) {
        figures::keep();
        let violations = std::mem::take(self.violations.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "AWS would refuse calls: {violations:#?}");
        }
    }
}

/// One process. Its calls are counted, and one of them may meet a fault.
pub struct Process {
    world: Arc<World>,
    /// The fault, and the name of the mutating call that meets it.
    script: Option<(Fault, String)>,
    progress: Mutex<Progress>,
    /// Notified when the process is killed.
    killed: Notify,
    /// Notified at the second Ctrl-C. Two seconds later the process is killed.
    abandoned: Notify,
    stop: StopSource,
    token: StopToken,
    /// True if the process runs on another machine than other processes.
    elsewhere: bool,
    /// The change that another owner makes just before AWS executes a call of this name.
    rival: Mutex<Option<Rival>>,
}

/// The name of a call, and the change that another owner makes before it.
type Rival = (String, Box<dyn FnOnce(&mut Cloud) + Send>);

#[derive(Default)]
struct Progress {
    dead: bool,
    fired: bool,
    /// Mutating calls that AWS executed, e.g. `iam:CreateRole role #1`, and reads by service, e.g.
    /// `iam:read`.
    calls: Vec<String>,
    /// The number of executions of each mutating call, by its name without the number.
    carried_out: BTreeMap<String, usize>,
    /// The number of all calls, by service.
    made: BTreeMap<String, usize>,
    /// The number of throttled calls.
    wasted: usize,
    /// Calls that were sent and have not arrived, by ticket.
    wire: BTreeMap<usize, Call>,
    sent: usize,
    /// True if AWS itself refused the call that meets the fault. Its retry meets the fault instead.
    owed: bool,
    /// Refusals that are still due: their number, the name of the call, and the refusal.
    refusing: Option<(usize, String, Refusal)>,
    /// Stale reads that are still due: their number, the service, and AWS as it was before the call.
    stale: Option<(usize, String, Box<Cloud>)>,
}

impl Progress {
    fn put_on_wire(&mut self, call: &Call, meets_fault: bool) -> Sent {
        self.sent += 1;
        let ticket = self.sent;
        self.wire.insert(ticket, call.clone());
        Sent { ticket, meets_fault }
    }
}

/// A call on its way to AWS.
#[derive(Clone, Copy)]
struct Sent {
    /// Its key in `Progress::wire`; 0 for a read.
    ticket: usize,
    /// True if it meets the fault when it arrives.
    meets_fault: bool,
}

/// The outcome of sending a call.
enum Way {
    Through(Sent),
    /// Refused. AWS did not execute it.
    Refused(Refusal),
    /// The connection was reset before AWS received it.
    Reset,
    Killed,
}

impl Process {
    /// A process without a fault.
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        Self::with(world, None, false)
    }

    /// A process on another machine. It shares no lock with the processes of this one.
    pub fn elsewhere(world: &Arc<World>) -> Arc<Self> {
        Self::with(world, None, true)
    }

    /// A process whose mutating call of this name meets a fault.
    pub fn disturbed(world: &Arc<World>, fault: Fault, at: &str) -> Arc<Self> {
        Self::with(world, Some((fault, at.to_owned())), false)
    }

    fn with(world: &Arc<World>, script: Option<(Fault, String)>, elsewhere: bool) -> Arc<Self> {
        let stop = StopSource::default();
        let token = stop.token();
        Arc::new(Self {
            world: world.clone(),
            script,
            progress: Mutex::default(),
            killed: Notify::new(),
            abandoned: Notify::new(),
            stop,
            token,
            elsewhere,
            rival: Mutex::default(),
        })
    }

    /// The dependencies of a provider in this process: AWS, the container engine, the clock and credentials.
    pub fn outside(self: &Arc<Self>) -> Outside {
        Outside {
            carrier: Some(SharedHttpConnector::new(Carrier(self.clone()))),
            engine: Some(Arc::new(Carrier(self.clone()))),
            clock: Some(virtual_time),
            credentials: Some((ACCOUNT.to_owned(), "secret".to_owned())),
        }
    }

    /// The stop token of its operations.
    pub fn token(&self) -> StopToken {
        self.token.clone()
    }

    /// The endpoint at which the process finds AWS.
    pub fn endpoint(&self) -> String {
        let here = self.world.endpoint.as_str();
        if self.elsewhere { here.replace("://", "://elsewhere-") } else { here.to_owned() }
    }

    /// Lets another owner change AWS just before the next call of this name, e.g. `s3:PutObject`, is
    /// executed.
    pub fn before(&self, call: &str, act: impl FnOnce(&mut Cloud) + Send + 'static) {
        let mut rival = self.rival.lock().unwrap_or_else(PoisonError::into_inner);
        *rival = Some((call.to_owned(), Box::new(act)));
    }

    /// The number of its calls that AWS throttled.
    pub fn wasted(&self) -> usize {
        self.progress().wasted
    }

    /// Returns true if Terraform ended without saving the state.
    pub fn terraform_is_gone(&self) -> bool {
        self.fired() && matches!(self.fault(), Some(Fault::StateLost | Fault::StateGone | Fault::StopTwice))
    }

    /// Returns true if Terraform left an empty state file.
    pub fn state_is_gone(&self) -> bool {
        self.fired() && self.fault() == Some(Fault::StateGone)
    }

    fn fault(&self) -> Option<Fault> {
        self.script.as_ref().map(|(fault, _)| *fault)
    }

    /// Returns true if the fault met a call.
    pub fn fired(&self) -> bool {
        self.progress().fired
    }

    /// The mutating calls that AWS executed so far, by name, and the reads by service, in order.
    pub fn calls(&self) -> Vec<String> {
        self.progress().calls.clone()
    }

    /// The number of calls to each service.
    pub fn made(&self) -> BTreeMap<String, usize> {
        self.progress().made.clone()
    }

    /// Waits for work. Returns `None` if the process is killed first.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let abandoned = async {
            self.abandoned.notified().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            self.die();
        };
        tokio::select! {
            done = work => Some(done),
            () = self.killed.notified() => None,
            () = abandoned => None,
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the process. Some of its calls in flight still arrive.
    fn die(&self) {
        let mut progress = self.progress();
        progress.dead = true;
        for (_, call) in std::mem::take(&mut progress.wire) {
            if self.world.chance(fastrand::Rng::bool) {
                let _ = self.world.cloud().call(&call);
            }
        }
        self.killed.notify_one();
    }

    /// Sends a call, and decides if it meets the fault.
    fn send(&self, call: &Call) -> Way {
        let mut progress = self.progress();
        if progress.dead {
            return Way::Killed;
        }
        *progress.made.entry(call.service.clone()).or_default() += 1;
        if !fault::is_mutating(&call.operation) {
            progress.calls.push(format!("{}:read", call.service));
            return Way::Through(Sent { ticket: 0, meets_fault: false });
        }
        let name = call.name();
        if let Some((left, refused, refusal)) = &mut progress.refusing
            && *refused == name
        {
            let refusal = refusal.clone();
            *left -= 1;
            if *left == 0 {
                progress.refusing = None;
            }
            return Way::Refused(refusal);
        }
        // Other calls of the same name may be in flight.
        let before = progress.wire.values().filter(|other| other.name() == name).count();
        let number = progress.carried_out.get(&name).copied().unwrap_or_default() + before + 1;
        let fault = match &self.script {
            Some((fault, at))
                if !progress.fired
                    && (*at == format!("{name} #{number}")
                        || progress.owed && at.rsplit_once(" #").is_some_and(|(of, _)| of == name)) =>
            {
                *fault
            }
            _ => return Way::Through(progress.put_on_wire(call, false)),
        };
        match fault {
            Fault::KillBefore => {
                progress.fired = true;
                drop(progress);
                self.die();
                Way::Killed
            }
            Fault::ResetBefore => {
                progress.fired = true;
                Way::Reset
            }
            // The call may never arrive, so the fault counts as fired here.
            Fault::Delay => {
                progress.fired = true;
                Way::Through(progress.put_on_wire(call, true))
            }
            // The state is lost when the command ends.
            Fault::StateLost | Fault::StateGone => {
                progress.fired = true;
                Way::Through(progress.put_on_wire(call, false))
            }
            Fault::Stop | Fault::StopTwice => {
                progress.fired = true;
                self.stop.stop();
                if fault == Fault::StopTwice {
                    self.abandoned.notify_one();
                }
                Way::Through(progress.put_on_wire(call, false))
            }
            fault => match fault.refusal(&call.service, &call.operation) {
                Some((times, refusal)) => {
                    progress.fired = true;
                    if times > 1 {
                        progress.refusing = Some((times - 1, name, refusal.clone()));
                    }
                    Way::Refused(refusal)
                }
                // These faults take effect on arrival or on the way back.
                None => Way::Through(progress.put_on_wire(call, true)),
            },
        }
    }

    /// Executes a call that has arrived. `None` if the process is dead and cannot receive the answer.
    fn arrive(&self, sent: Sent, call: &Call) -> Option<Result<Answer, ConnectorError>> {
        let mut progress = self.progress();
        if progress.dead {
            return None;
        }
        progress.wire.remove(&sent.ticket);
        let reads = sent.ticket == 0;
        if reads
            && let Some((left, service, before)) = &mut progress.stale
            && *service == call.service
        {
            before.now = self.world.start.elapsed();
            let answer = before.call(call);
            *left -= 1;
            if *left == 0 {
                progress.stale = None;
            }
            progress.fired = true;
            return Some(Ok(answer));
        }
        if let Some(refusal) = self.world.too_many(&call.service) {
            progress.wasted += 1;
            return Some(Ok(Err(refusal)));
        }
        let mut cloud = self.world.cloud();
        let mut rival = self.rival.lock().unwrap_or_else(PoisonError::into_inner);
        if rival.as_ref().is_some_and(|(name, _)| *name == format!("{}:{}", call.service, call.operation))
            && let Some((_, act)) = rival.take()
        {
            act(&mut cloud);
        }
        drop(rival);
        let stale = sent.meets_fault && self.fault() == Some(Fault::Stale);
        let before = stale.then(|| Box::new(cloud.clone()));
        let answer = cloud.call(call);
        drop(cloud);
        if !reads && answer.is_ok() {
            let count = progress.carried_out.entry(call.name()).or_default();
            *count += 1;
            let name = format!("{} #{count}", call.name());
            progress.calls.push(name);
        }
        // If AWS itself refused the call, its retry meets the fault.
        if !sent.meets_fault || answer.is_err() {
            progress.owed |= sent.meets_fault;
            return Some(Ok(answer));
        }
        // The first stale read counts as fired.
        progress.fired = !stale;
        match self.fault() {
            Some(Fault::KillAfter) => {
                drop(progress);
                self.die();
                None
            }
            Some(Fault::AnswerLost) => Some(Err(reset())),
            _ => {
                progress.stale = before.map(|before| (fault::STALE_READS, call.service.clone(), before));
                Some(Ok(answer))
            }
        }
    }

    /// Transports a call to AWS, and its answer back.
    async fn carry(&self, call: &Call) -> Result<Answer, ConnectorError> {
        match self.send(call) {
            Way::Killed => std::future::pending().await,
            Way::Reset => {
                self.world.travel().await;
                Err(reset())
            }
            Way::Refused(refusal) => {
                self.world.travel().await;
                Ok(Err(refusal))
            }
            Way::Through(sent) => {
                self.world.travel().await;
                if sent.meets_fault && self.fault() == Some(Fault::Delay) {
                    tokio::time::sleep(fault::DELAY).await;
                }
                let Some(answer) = self.arrive(sent, call) else { return std::future::pending().await };
                self.world.travel().await;
                if self.progress().dead {
                    return std::future::pending().await;
                }
                answer
            }
        }
    }
}

/// The time of day in virtual time. All processes share it, because they compare the times of leases.
fn virtual_time() -> SystemTime {
    thread_local!(static START: (SystemTime, Instant) = (SystemTime::now(), Instant::now()));
    START.with(|(day, start)| *day + start.elapsed())
}

fn reset() -> ConnectorError {
    ConnectorError::io(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)))
}

struct Carrier(Arc<Process>);

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier")
    }
}

impl HttpConnector for Carrier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let process = self.0.clone();
        HttpConnectorFuture::new(async move {
            let read: Read = wire::read(&request);
            if let Some(refusal) = process.world.judged(&request) {
                return Ok(wire::write(&read, &Err(refusal)));
            }
            let answer = process.carry(&read.call).await?;
            Ok(wire::write(&read, &answer))
        })
    }
}

#[async_trait]
impl ContainerEngine for Carrier {
    /// Pushes without a build: a single call that changes the registry.
    async fn build_and_push(
        &self,
        _recipe: &Recipe,
        repository: &str,
        tag: &str,
        _login: &Login,
    ) -> Result<(), Failed> {
        let name = repository.split_once('/').map_or(repository, |(_, name)| name);
        let call = Call {
            service: "ecr".to_owned(),
            operation: "Push".to_owned(),
            input: serde_json::json!({ "repositoryName": name, "imageTag": tag }),
        };
        let failed = |message: String| Failed { doing: "pushing the image", message };
        let answer = self.0.carry(&call).await.map_err(|error| failed(error.to_string()))?;
        answer.map(|_| ()).map_err(|refusal| failed(format!("{}: {}", refusal.code, refusal.message)))
    }
}
