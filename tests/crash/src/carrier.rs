//! Carries the calls of one process to AWS in memory, and breaks them as a script says.
//!
//! A call takes a while on the way there and on the way back, in virtual time and from a seed, so that
//! calls overlap as they do on a network. When a process is killed, some of what it had on the wire
//! arrives all the same, and some does not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use terraform_provider_tandem::Outside;
use terraform_provider_tandem::container_engine::{ContainerEngine, Failed, Login, Recipe};
use tfplugin::stop::{StopSource, StopToken};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::double::wire::{self, Read};
use crate::double::{ACCOUNT, Answer, Call, Cloud, Refusal};
use crate::fault::{self, Fault};

/// AWS in memory, and what is on the wire to it.
pub struct World {
    cloud: Mutex<Cloud>,
    random: Mutex<fastrand::Rng>,
    start: Instant,
    /// Where it is, for locks: two worlds are two places.
    pub(crate) endpoint: String,
    /// How many calls a second each service takes, and how many it has left of them since when.
    limit: Mutex<Option<f64>>,
    left: Mutex<BTreeMap<String, (f64, Instant)>>,
}

impl World {
    /// A world in which nothing exists; latencies follow from the seed.
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
        })
    }

    /// From here on latencies follow from this seed.
    pub fn reseed(&self, seed: u64) {
        *self.random.lock().unwrap_or_else(PoisonError::into_inner) = fastrand::Rng::with_seed(seed);
    }

    /// Lets each service take so many calls a second, and refuse the rest.
    pub fn limit(&self, per_second: f64) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(per_second);
    }

    /// How a service refuses a call that is one too many.
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

    /// What exists.
    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        cloud.now = self.start.elapsed();
        cloud
    }

    fn chance<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn travel(&self) {
        let milliseconds = self.chance(|random| random.u64(2..40));
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// One process: its calls are counted, and one of them meets a fault.
pub struct Process {
    world: Arc<World>,
    /// What meets the mutating call of this name.
    script: Option<(Fault, String)>,
    progress: Mutex<Progress>,
    /// Told when the process is killed.
    killed: Notify,
    /// Told when the process has two seconds to live: Terraform's second Ctrl-C.
    abandoned: Notify,
    stop: StopSource,
    token: StopToken,
    /// Whether it runs on another machine than others.
    elsewhere: bool,
    /// What somebody else does just before a call of this name is carried out.
    rival: Mutex<Option<Rival>>,
}

/// The name of a call, and what somebody else does then.
type Rival = (String, Box<dyn FnOnce(&mut Cloud) + Send>);

#[derive(Default)]
struct Progress {
    dead: bool,
    fired: bool,
    /// Names of the mutating calls that AWS carried out, and of all services' reads: `iam:CreateRole role #1`.
    calls: Vec<String>,
    /// How often each mutating call was carried out, without its number.
    carried_out: BTreeMap<String, usize>,
    /// All calls by service.
    made: BTreeMap<String, usize>,
    /// Calls that were refused for being too many.
    wasted: usize,
    /// What has been sent and has not arrived.
    wire: BTreeMap<usize, Call>,
    sent: usize,
    /// Whether the call that meets the fault was refused by AWS itself, and is made again.
    owed: bool,
    /// What is still refused: how often, which call, and with what.
    refusing: Option<(usize, String, Refusal)>,
    /// Reads that are still answered as before a call: how many, of which service, and the state then.
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

/// A call on its way there.
#[derive(Clone, Copy)]
struct Sent {
    /// Its number among what is on the wire.
    ticket: usize,
    /// Whether it is the one that meets the fault, where it arrives.
    meets_fault: bool,
}

/// What becomes of a call.
enum Way {
    Through(Sent),
    /// Refused, and AWS did nothing.
    Refused(Refusal),
    /// The connection was reset: AWS did not see it.
    Reset,
    Killed,
}

impl Process {
    /// A process that no fault meets.
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        Self::with(world, None, false)
    }

    /// A process on another machine: it shares no lock with those here.
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

    /// The outside of a provider that runs in this process.
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

    /// Where it finds AWS.
    pub fn endpoint(&self) -> String {
        let here = self.world.endpoint.as_str();
        if self.elsewhere { here.replace("://", "://elsewhere-") } else { here.to_owned() }
    }

    /// Lets somebody else act just before the next call of this name (`s3:PutObject`) is carried out.
    pub fn before(&self, call: &str, act: impl FnOnce(&mut Cloud) + Send + 'static) {
        let mut rival = self.rival.lock().unwrap_or_else(PoisonError::into_inner);
        *rival = Some((call.to_owned(), Box::new(act)));
    }

    /// How many of its calls were refused for being too many.
    pub fn wasted(&self) -> usize {
        self.progress().wasted
    }

    /// Whether its Terraform ended without saving anything.
    pub fn terraform_is_gone(&self) -> bool {
        self.fired() && matches!(self.fault(), Some(Fault::StateLost | Fault::StateGone | Fault::StopTwice))
    }

    /// Whether its Terraform left an empty file in place of the state.
    pub fn state_is_gone(&self) -> bool {
        self.fired() && self.fault() == Some(Fault::StateGone)
    }

    fn fault(&self) -> Option<Fault> {
        self.script.as_ref().map(|(fault, _)| *fault)
    }

    /// Whether the fault met a call.
    pub fn fired(&self) -> bool {
        self.progress().fired
    }

    /// The mutating calls that AWS carried out so far, by name, and the reads by service.
    pub fn calls(&self) -> Vec<String> {
        self.progress().calls.clone()
    }

    /// How many calls each service got.
    pub fn made(&self) -> BTreeMap<String, usize> {
        self.progress().made.clone()
    }

    /// Waits for work, unless the process dies over it.
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

    /// Ends the process. Of what it had sent, some arrives.
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

    /// A call sets off: whether it is the one that meets the fault is decided here.
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
        // Others of its name may be on their way.
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
            // It may be overtaken, and never arrive.
            Fault::Delay => {
                progress.fired = true;
                Way::Through(progress.put_on_wire(call, true))
            }
            // Their state is lost at the end.
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
                // What happens where it arrives, or on the way back.
                None => Way::Through(progress.put_on_wire(call, true)),
            },
        }
    }

    /// A call arrives; `None` when nobody waits for its answer any more.
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
        // A call that AWS refused by itself meets its fault when it is made again.
        if !sent.meets_fault || answer.is_err() {
            progress.owed |= sent.meets_fault;
            return Some(Ok(answer));
        }
        // Stale reads fire with the first of them.
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

    /// Carries a call there and back.
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

/// The time of day in virtual time, which the leases of two processes in it must share.
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
            let answer = process.carry(&read.call).await?;
            Ok(wire::write(&read, &answer))
        })
    }
}

#[async_trait]
impl ContainerEngine for Carrier {
    /// Pushes without building: one call that changes a registry.
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
