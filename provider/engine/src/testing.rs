//! A cloud in memory, for tests of the engine: objects in a map, recorded calls, and faults at chosen calls.
//!
//! It works for every kind: ids follow from the templates of a kind, or are numbered. Calls need no time unless a
//! test sets one, so a test with paused time is deterministic. [`clock`] follows that time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::context::Context;
use tandem_model::kind::{Change, Kind};
use tandem_model::kinds;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::driver::{Class, Created, Driver, Drivers, Failure, Observed, Tags};

/// The time of day at which a [`Cloud`] starts, in seconds since 1970.
pub const START: u64 = 1_800_000_000;

/// The time for which the engine retries a temporary failure.
pub const BUDGET: Duration = Duration::from_secs(30);

thread_local!(static BEGIN: Cell<Option<Instant>> = const { Cell::new(None) });

/// The time of day: [`START`], plus tokio's time since this thread created its last [`Cloud`].
pub fn clock() -> SystemTime {
    let begin = BEGIN.get().unwrap_or_else(Instant::now);
    UNIX_EPOCH + Duration::from_secs(START) + begin.elapsed()
}

/// A fault at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails without an effect.
    Refuse,
    /// The call fails without an effect: the credentials do not allow it.
    Deny,
    /// The call fails temporarily, without an effect.
    Busy,
    /// The call has its effect, but its answer is lost.
    LoseAnswer,
    /// The call has its effect, and fails temporarily.
    BusyAfter,
    /// The process ends before the call has an effect.
    KillBefore,
    /// The process ends after the call had its effect.
    KillAfter,
}

#[derive(Default)]
struct State {
    /// Longest time for which reads return old settings, by kind.
    settling: BTreeMap<&'static str, Duration>,
    objects: BTreeMap<(&'static str, String), Observed>,
    /// The content of data objects, by id.
    content: BTreeMap<String, String>,
    /// Ids that `list` leaves out.
    unlisted: BTreeSet<String>,
    calls: Vec<String>,
    /// The call with a fault, from 1, since the last [`Cloud::start`].
    fault: Option<(usize, Fault)>,
    /// Faults by the start of a call, e.g. `list KIND`, each for a number of calls.
    faults: Vec<(String, Fault, usize)>,
    latency: Duration,
    /// True after a fault ended the process: no further call of it has an effect.
    ended: bool,
    created: usize,
}

/// The objects of all kinds, and the drivers on them.
pub struct Cloud {
    state: Arc<Mutex<State>>,
    killed: Arc<Notify>,
    drivers: BTreeMap<&'static str, One>,
}

/// The driver of one kind.
struct One {
    kind: &'static Kind,
    context: Context,
    state: Arc<Mutex<State>>,
    killed: Arc<Notify>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cloud {
    /// An empty cloud in this place.
    pub fn new(context: &Context) -> Self {
        BEGIN.set(Some(Instant::now()));
        let state = Arc::<Mutex<State>>::default();
        let killed = Arc::<Notify>::default();
        let one = |kind: &'static Kind| One {
            kind,
            context: context.clone(),
            state: state.clone(),
            killed: killed.clone(),
        };
        let drivers = kinds::ALL.iter().map(|kind| (kind.name, one(kind))).collect();
        Self { state, killed, drivers }
    }

    /// Forgets the recorded calls, and sets a fault at one of the next calls, counted from 1.
    pub fn start(&self, fault: Option<(usize, Fault)>) {
        let mut state = locked(&self.state);
        state.calls.clear();
        state.fault = fault;
        state.ended = false;
    }

    /// Lets reads of a kind return old settings for this time.
    pub fn settle(&self, kind: &Kind, time: Duration) {
        locked(&self.state).settling.insert(kind.name, time);
    }

    /// Sets a fault at the next calls that start with this text, e.g. `create KIND`.
    pub fn fail(&self, call: &str, fault: Fault, times: usize) {
        locked(&self.state).faults.push((call.to_owned(), fault, times));
    }

    /// Removes the faults and the duration of calls.
    pub fn repair(&self) {
        let mut state = locked(&self.state);
        state.faults.clear();
        state.latency = Duration::ZERO;
    }

    /// Sets the duration of each call, so that calls of parallel steps overlap.
    pub fn set_latency(&self, latency: Duration) {
        locked(&self.state).latency = latency;
    }

    /// Puts an object in place without a call.
    pub fn put(&self, kind: &'static Kind, found: Observed) {
        locked(&self.state).objects.insert((kind.name, found.id.clone()), found);
    }

    /// The calls since the last start.
    pub fn calls(&self) -> Vec<String> {
        locked(&self.state).calls.clone()
    }

    /// Completes when a fault ends the process.
    pub async fn killed(&self) {
        self.killed.notified().await;
    }

    /// Every object: its kind, its id, and the object.
    pub fn objects(&self) -> Vec<(&'static str, String, Observed)> {
        let state = locked(&self.state);
        state.objects.iter().map(|((kind, id), found)| (*kind, id.clone(), found.clone())).collect()
    }

    /// Changes an object behind the back of the engine.
    ///
    /// # Panics
    /// If there is no such object.
    pub fn change(&self, kind: &Kind, id: &str, change: impl FnOnce(&mut Observed)) {
        let mut state = locked(&self.state);
        let found = state.objects.get_mut(&(kind.name, id.to_owned()));
        change(found.unwrap_or_else(|| panic!("there is no {} `{id}`", kind.name)));
    }

    /// Removes an object behind the back of the engine.
    pub fn remove(&self, kind: &Kind, id: &str) {
        locked(&self.state).objects.remove(&(kind.name, id.to_owned()));
    }

    /// Leaves an object out of lists, as if it were created after them. `false` shows it again.
    pub fn hide(&self, id: &str, hidden: bool) {
        let mut state = locked(&self.state);
        if hidden {
            state.unlisted.insert(id.to_owned());
        } else {
            state.unlisted.remove(id);
        }
    }

    /// Puts content into a data object.
    pub fn fill(&self, id: &str, content: &str) {
        locked(&self.state).content.insert(id.to_owned(), content.to_owned());
    }
}

impl State {
    /// The fault that a call meets because of its text.
    fn fault_of(&mut self, call: &str) -> Option<Fault> {
        let (_, fault, left) =
            self.faults.iter_mut().find(|(start, _, left)| *left > 0 && call.starts_with(start.as_str()))?;
        *left -= 1;
        Some(*fault)
    }
}

impl Drivers for Cloud {
    fn driver(&self, kind: &'static Kind) -> &dyn Driver {
        &self.drivers[kind.name]
    }
}

impl One {
    /// Records a call and carries it out, with the fault of its number.
    async fn call<T>(
        &self,
        verb: &str,
        id: &str,
        effect: impl FnOnce(&mut State) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let latency = locked(&self.state).latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if locked(&self.state).ended {
            std::future::pending::<()>().await;
        }
        let (fault, result) = {
            let mut state = locked(&self.state);
            let number = state.calls.len() + 1;
            let call = format!("{verb} {} {id}", self.kind.name);
            let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
            let fault = fault.or_else(|| state.fault_of(&call));
            state.calls.push(call);
            let result = match fault {
                Some(Fault::Refuse) => Err(self.failure(verb, Class::Final, "Refused")),
                Some(Fault::Deny) => {
                    Err(Failure { denied: true, ..self.failure(verb, Class::Final, "Denied") })
                }
                Some(Fault::Busy) => Err(self.failure(verb, Class::Passing(BUDGET), "Busy")),
                Some(Fault::KillBefore) => Err(self.failure(verb, Class::Final, "Killed")),
                _ => effect(&mut state),
            };
            state.ended = matches!(fault, Some(Fault::KillBefore | Fault::KillAfter));
            (fault, result)
        };
        match fault {
            Some(Fault::KillBefore | Fault::KillAfter) => {
                self.killed.notify_one();
                std::future::pending().await
            }
            Some(Fault::LoseAnswer) => Err(self.failure(verb, Class::Final, "Lost")),
            Some(Fault::BusyAfter) => Err(self.failure(verb, Class::Passing(BUDGET), "Lost")),
            Some(Fault::Refuse | Fault::Deny | Fault::Busy) | None => result,
        }
    }

    fn failure(&self, verb: &str, class: Class, code: &str) -> Failure {
        Failure { class, code: code.to_owned(), ..Failure::local(verb, format!("the {}", self.kind.title)) }
    }

    fn key(&self, id: &str) -> (&'static str, String) {
        (self.kind.name, id.to_owned())
    }

    /// The attributes that the cloud assigns: those without a template that are no field.
    fn assigned(&self, id: &str) -> BTreeMap<String, Json> {
        let attributes = self.kind.attributes.iter();
        let assigned =
            attributes.filter(|(name, template)| template.is_none() && self.kind.field(name).is_none());
        assigned.map(|(name, _)| ((*name).to_owned(), format!("{name}-of-{id}").into())).collect()
    }
}

/// The fields of an object that refer to a parent, as strings.
fn parents(kind: &Kind, settings: &Settings) -> Vec<String> {
    let fields = kind.fields.iter().filter(|field| field.change == Change::WithParent);
    fields.filter_map(|field| settings.get(field.name)?.as_str().map(ToOwned::to_owned)).collect()
}

#[async_trait]
impl Driver for One {
    fn settling(&self) -> Duration {
        locked(&self.state).settling.get(self.kind.name).copied().unwrap_or_default()
    }

    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        self.call("read", id, |state| Ok(state.objects.get(&self.key(id)).cloned())).await
    }

    async fn find(&self, settings: &Settings) -> Result<Option<Observed>, Failure> {
        let fixed: Vec<&str> = self
            .kind
            .fields
            .iter()
            .filter(|field| field.change != Change::InPlace)
            .map(|field| field.name)
            .collect();
        self.call("find", "", |state| {
            let same = |found: &Observed| {
                fixed.iter().all(|field| found.settings.get(*field) == settings.get(*field))
            };
            let mut objects = state.objects.iter().filter(|((kind, _), _)| *kind == self.kind.name);
            Ok(objects.find(|(_, found)| same(found)).map(|(_, found)| found.clone()))
        })
        .await
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let predicted = self.kind.predict_id(settings, &|place| self.context.place(place));
        let shown = predicted.clone().unwrap_or_default();
        self.call("create", &shown, |state| {
            // A repeated call creates no second object.
            let mut of_kind = state.objects.iter().filter(|((kind, _), _)| *kind == self.kind.name);
            let same = |found: &Observed| {
                found.tags == *tags
                    && found.settings.iter().all(|(name, value)| settings.get(name) == Some(value))
            };
            let made = of_kind.find(|(_, found)| predicted.is_none() && same(found)).map(|(_, found)| found);
            if let Some(made) = made {
                return Ok(Created { id: made.id.clone(), attributes: made.attributes.clone() });
            }
            state.created += 1;
            let id = predicted.unwrap_or_else(|| format!("{}-{}", self.kind.name, state.created));
            let attributes = self.assigned(&id);
            if state.objects.contains_key(&self.key(&id)) {
                if self.kind.exclusive {
                    return Err(self.failure("create", Class::AlreadyExists, "Exists"));
                }
                return Ok(Created { id, attributes });
            }
            let tags = if self.kind.tags { tags.clone() } else { Tags::new() };
            let settings = settings.clone().into_iter().filter(|(name, _)| self.kind.field(name).is_some());
            let observed = Observed {
                id: id.clone(),
                settings: settings.collect(),
                attributes: attributes.clone(),
                tags,
            };
            state.objects.insert(self.key(&id), observed);
            Ok(Created { id, attributes })
        })
        .await
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.call(&format!("update {}", fields.join(",")), id, |state| {
            let found = state.objects.get_mut(&self.key(id));
            let found = found.ok_or_else(|| self.failure("update", Class::NotFound, "Gone"))?;
            for field in fields {
                match settings.get(*field) {
                    Some(value) => found.settings.insert((*field).to_owned(), value.clone()),
                    None => found.settings.remove(*field),
                };
            }
            Ok(())
        })
        .await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        self.call("tag", id, |state| {
            let found = state.objects.get_mut(&self.key(id));
            let found = found.ok_or_else(|| self.failure("tag", Class::NotFound, "Gone"))?;
            found.tags.retain(|key, _| !remove.contains(key));
            found.tags.extend(set.clone());
            Ok(())
        })
        .await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        self.call("delete", id, |state| {
            state.objects.remove(&self.key(id));
            state.objects.retain(|(kind, _), found| {
                let field = kinds::find(kind).filter(|kind| kind.service == self.kind.service);
                let parent = field.and_then(|kind| found.settings.get(kind.goes_with?)?.as_str());
                parent != Some(id)
            });
            Ok(())
        })
        .await
    }

    async fn empty(&self, id: &str) -> Result<bool, Failure> {
        self.call("empty", id, |state| Ok(state.content.remove(id).is_some())).await
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        self.call("content", id, |state| Ok(state.content.get(id).cloned())).await
    }

    async fn list(&self, _project: &str) -> Result<Vec<String>, Failure> {
        self.call("list", "", |state| {
            let objects = state.objects.keys().filter(|(kind, _)| *kind == self.kind.name);
            let listed = objects.filter(|(_, id)| !state.unlisted.contains(id));
            Ok(listed.map(|(_, id)| id.clone()).collect())
        })
        .await
    }

    /// A field of a child refers to its parent, by id or by ARN. The child of an object without tags belongs to the
    /// same parent as that object: a notification refers to the function whose permission it needs.
    async fn children(&self, parent: &'static Kind, of: &Observed) -> Result<Vec<Observed>, Failure> {
        let owners = if parent.tags { vec![of.id.clone()] } else { parents(parent, &of.settings) };
        self.call("children", &of.id, |state| {
            let is_child = |found: &Observed| {
                let mut names = parents(self.kind, &found.settings).into_iter();
                names.any(|name| owners.iter().any(|id| name == *id || name.rsplit(':').next() == Some(id)))
            };
            let objects = state.objects.iter().filter(|((kind, _), _)| *kind == self.kind.name);
            Ok(objects.filter(|(_, found)| is_child(found)).map(|(_, found)| found.clone()).collect())
        })
        .await
    }
}
