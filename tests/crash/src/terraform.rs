//! Terraform's rules, in process: the requests of a command to the provider, and the state that Terraform
//! keeps after an error. The rules follow the observed behavior of the real Terraform.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;
use tandem_model::composite::Definition;
use tfplugin::provider::{
    ApplyRequest, ConfigureRequest, Context, PlanRequest, PlanResponse, ReadRequest, Resource,
};
use tfplugin::schema::{Block, Nesting, Schema};
use tfplugin::{Diagnostic, Provider, Value};

use crate::carrier::Process;
use crate::double::REGION;

/// A folder with one resource and its state.
#[derive(Clone)]
pub struct Terraform {
    definition: &'static Definition,
    /// The project of the provider's configuration.
    pub project: String,
    /// Sets `adopt = "matching"`: the provider adopts existing objects that match.
    pub adopt: bool,
    state: Option<Stored>,
}

/// A resource in the state.
#[derive(Clone)]
struct Stored {
    value: Value,
    tainted: bool,
}

/// The outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The command succeeded.
    Done,
    /// The command failed with this message.
    Failed(String),
    /// Terraform or its provider was killed.
    Killed,
}

/// The providers of one command. Terraform starts one to plan, and another one to apply.
pub struct Providers {
    planner: Box<dyn Provider>,
    applier: Box<dyn Provider>,
}

/// The resource of the providers that were started for one command.
struct Session {
    /// Reads, validates and plans.
    planner: Arc<dyn Resource>,
    /// Plans again, and applies.
    resource: Arc<dyn Resource>,
    schema: Schema,
    context: Context,
}

type Command<T> = Result<T, End>;

fn failed(diagnostics: &[Diagnostic]) -> End {
    let texts = diagnostics.iter().map(|found| format!("{}\n\n{}", found.summary, found.detail));
    End::Failed(texts.collect::<Vec<_>>().join("\n\n"))
}

fn check(diagnostics: &[Diagnostic]) -> Command<()> {
    if diagnostics.iter().any(Diagnostic::is_error) { Err(failed(diagnostics)) } else { Ok(()) }
}

impl Terraform {
    /// A folder for one resource of this composite, without a state.
    pub fn new(definition: &'static Definition) -> Self {
        Self { definition, project: "test".to_owned(), adopt: false, state: None }
    }

    /// Another folder with the same configuration, and no state.
    pub fn beside(&self) -> Self {
        Self { state: None, ..self.clone() }
    }

    /// The state of the resource; null if there is none.
    pub fn state(&self) -> &Value {
        self.state.as_ref().map_or(&Value::Null, |stored| &stored.value)
    }

    /// Returns true if the state marks the resource as tainted.
    pub fn is_tainted(&self) -> bool {
        self.state.as_ref().is_some_and(|stored| stored.tainted)
    }

    /// `terraform untaint`. Fails if the resource is not tainted.
    pub fn untaint(&mut self) -> Result<(), String> {
        match &mut self.state {
            Some(stored) if stored.tainted => {
                stored.tainted = false;
                Ok(())
            }
            _ => Err("the resource is not tainted".to_owned()),
        }
    }

    /// `terraform state rm`. Fails if the state has no such resource.
    pub fn forget(&mut self) -> Result<(), String> {
        self.state.take().map(drop).ok_or_else(|| "no such resource in the state".to_owned())
    }

    /// Replaces the state.
    pub fn replace_state(&mut self, value: Value) {
        self.state = Some(Stored { value, tainted: false });
    }

    /// Starts the providers of a command in a process.
    pub async fn start(&self, process: &Arc<Process>) -> Result<Providers, End> {
        let (planner, applier) = (self.provider(process).await?, self.provider(process).await?);
        Ok(Providers { planner, applier })
    }

    async fn provider(&self, process: &Arc<Process>) -> Command<Box<dyn Provider>> {
        let provider = terraform_provider_tandem::provider(process.outside());
        let config = serde_json::json!({
            "project": self.project,
            "region": REGION,
            "endpoint": process.endpoint(),
            "adopt": if self.adopt { "matching" } else { "never" },
        });
        let config = value(&config, &provider.schema());
        let configured =
            provider.configure(ConfigureRequest { config, terraform_version: "1.11.4".to_owned() });
        check(&configured.await)?;
        Ok(Box::new(provider))
    }

    fn session_of(&self, providers: &Providers, process: &Process) -> Session {
        let wanted = format!("tandem_{}", self.definition.type_name);
        let resource = |provider: &dyn Provider| {
            let resource = provider.resources().into_iter().find(|resource| resource.type_name() == wanted);
            resource.expect("every composite must have a resource")
        };
        let resource_of_applier = resource(&*providers.applier);
        let schema = resource_of_applier.schema();
        Session {
            planner: resource(&*providers.planner),
            resource: resource_of_applier,
            schema,
            context: Context { stop: process.token() },
        }
    }

    async fn session(&self, process: &Arc<Process>) -> Command<Session> {
        let providers = self.start(process).await?;
        Ok(self.session_of(&providers, process))
    }

    /// `terraform apply` with providers that several resources share.
    pub async fn apply_with(&mut self, providers: &Providers, process: &Arc<Process>, inputs: &Json) -> End {
        let mut kept = self.clone();
        let session = self.session_of(providers, process);
        let end = process.live(kept.try_apply(&session, inputs)).await;
        self.keep(process, kept, end)
    }

    /// Removes all other objects from the record in the state.
    pub fn keep_only(&mut self, keep: impl Fn(&str) -> bool) {
        let Some(stored) = &mut self.state else { return };
        for name in ["components", "ids", "record"] {
            let Value::Map(mut entries) = stored.value.get(name).clone() else { continue };
            entries.retain(|key, _| keep(key));
            stored.value.set(name, Value::Map(entries));
        }
    }

    /// The state in the format of a Terraform state file.
    pub fn state_file(&self) -> String {
        let instances: Vec<Json> = self
            .state
            .iter()
            .map(|stored| serde_json::json!({ "schema_version": 1, "attributes": json(&stored.value) }))
            .collect();
        serde_json::json!({
            "version": 4,
            "terraform_version": "1.11.4",
            "serial": 1,
            "lineage": "00000000-0000-0000-0000-000000000000",
            "outputs": {},
            "resources": [{
                "mode": "managed",
                "type": format!("tandem_{}", self.definition.type_name),
                "name": "it",
                "provider": "provider[\"registry.terraform.io/tandem/tandem\"]",
                "instances": instances,
            }],
        })
        .to_string()
    }

    /// `terraform apply` of a configuration, with a provider in this process.
    pub async fn apply(&mut self, process: &Arc<Process>, inputs: &Json) -> End {
        let mut kept = self.clone();
        let work = async {
            let session = kept.session(process).await?;
            kept.try_apply(&session, inputs).await
        };
        let end = process.live(work).await;
        self.keep(process, kept, end)
    }

    /// `terraform destroy`.
    pub async fn destroy(&mut self, process: &Arc<Process>) -> End {
        let mut kept = self.clone();
        let end = process.live(kept.try_destroy(process)).await;
        self.keep(process, kept, end)
    }

    /// `terraform import`, which is also the import step of an apply with an `import` block.
    pub async fn import(&mut self, process: &Arc<Process>, id: &str) -> End {
        let mut kept = self.clone();
        let end = process.live(kept.try_import(process, id)).await;
        self.keep(process, kept, end)
    }

    /// The changes that an apply would make; empty if there are none.
    pub async fn plan(&self, process: &Arc<Process>, inputs: &Json) -> Result<Vec<String>, End> {
        let mut kept = self.clone();
        let session = kept.session(process).await?;
        kept.refresh(&session).await?;
        let prior = kept.state().clone();
        let config = value(inputs, &session.schema);
        let planned = session.plan(&session.planner, &prior, &config, Vec::new()).await?.planned;
        if kept.is_tainted() {
            return Ok(vec!["the resource is tainted".to_owned()]);
        }
        Ok(differences(&prior, &planned))
    }

    /// Saves the state if only the provider was killed. If Terraform was killed, the state is not saved.
    fn keep(&mut self, process: &Process, kept: Self, end: Option<Command<()>>) -> End {
        if process.terraform_is_gone() {
            if process.state_is_gone() {
                self.state = None;
            }
            return End::Killed;
        }
        *self = kept;
        match end {
            None => End::Killed,
            Some(end) => end.err().unwrap_or(End::Done),
        }
    }

    async fn refresh(&mut self, session: &Session) -> Command<()> {
        let Some(stored) = self.state.clone() else { return Ok(()) };
        let request = ReadRequest { state: stored.value.clone(), private: Vec::new() };
        let read = session.planner.read(request, session.context.clone()).await;
        self.state = match &read.state {
            Value::Null => None,
            value => Some(Stored { value: value.clone(), ..stored }),
        };
        check(&read.diagnostics)
    }

    async fn try_apply(&mut self, session: &Session, inputs: &Json) -> Command<()> {
        let config = value(inputs, &session.schema);
        check(&session.planner.validate(config.clone()).await)?;
        self.refresh(session).await?;
        let prior = self.state().clone();
        let (promised, replace) = if self.is_tainted() {
            (session.plan(&session.planner, &Value::Null, &config, Vec::new()).await?, true)
        } else {
            let first = session.plan(&session.planner, &prior, &config, Vec::new()).await?;
            if prior.is_null() || first.requires_replace.is_empty() {
                (first, false)
            } else {
                // Terraform plans the new resource with the private data of the first plan.
                (session.plan(&session.planner, &Value::Null, &config, first.private).await?, true)
            }
        };
        let promised = promised.planned;
        if !replace {
            if differences(&prior, &promised).is_empty() {
                return Ok(());
            }
            let planned = session.plan_again(&promised, &prior, &config).await?;
            return self.change(session, prior, planned, config).await;
        }
        self.delete(session).await?;
        if session.context.stop.is_stopped() {
            return Err(End::Failed("Interrupted: Terraform starts no new operation".to_owned()));
        }
        let planned = session.plan_again(&promised, &Value::Null, &config).await?;
        self.change(session, Value::Null, planned, config).await
    }

    /// Creates or updates, and keeps the part of the answer that Terraform keeps.
    async fn change(
        &mut self,
        session: &Session,
        prior: Value,
        planned: Value,
        config: Value,
    ) -> Command<()> {
        let create = prior.is_null();
        let request = ApplyRequest { prior, planned: planned.clone(), config, private: Vec::new() };
        let answer = session.resource.apply(request, session.context.clone()).await;
        let result = check(&answer.diagnostics);
        self.state = match answer.state {
            Value::Null => None,
            value => Some(Stored { tainted: create && result.is_err(), value }),
        };
        if result.is_ok() {
            let inconsistent = inconsistencies(&planned, self.state(), "");
            if !inconsistent.is_empty() {
                return Err(End::Failed(format!(
                    "Provider produced inconsistent result after apply: {}",
                    inconsistent.join("; ")
                )));
            }
        }
        result
    }

    async fn delete(&mut self, session: &Session) -> Command<()> {
        let Some(stored) = &self.state else { return Ok(()) };
        let request = ApplyRequest {
            prior: stored.value.clone(),
            planned: Value::Null,
            config: Value::Null,
            private: Vec::new(),
        };
        let tainted = stored.tainted;
        let answer = session.resource.apply(request, session.context.clone()).await;
        self.state = match answer.state {
            Value::Null => None,
            value => Some(Stored { value, tainted }),
        };
        check(&answer.diagnostics)
    }

    async fn try_destroy(&mut self, process: &Arc<Process>) -> Command<()> {
        let session = self.session(process).await?;
        self.refresh(&session).await?;
        self.delete(&session).await
    }

    async fn try_import(&mut self, process: &Arc<Process>, id: &str) -> Command<()> {
        let session = self.session(process).await?;
        let imported = session.resource.import(id.to_owned(), session.context.clone()).await;
        let imported = imported.map_err(|diagnostics| failed(&diagnostics))?;
        self.state = Some(Stored { value: imported.state, tainted: false });
        self.refresh(&session).await
    }
}

impl Session {
    async fn plan(
        &self,
        resource: &Arc<dyn Resource>,
        prior: &Value,
        config: &Value,
        private: Vec<u8>,
    ) -> Command<PlanResponse> {
        let request =
            PlanRequest { prior: prior.clone(), proposed: config.clone(), config: config.clone(), private };
        let plan = resource.plan(request, self.context.clone()).await;
        check(&plan.diagnostics)?;
        Ok(plan)
    }

    /// Plans again, as Terraform does in an apply. The second plan must be consistent with the first.
    async fn plan_again(&self, promised: &Value, prior: &Value, config: &Value) -> Command<Value> {
        let planned = self.plan(&self.resource, prior, config, Vec::new()).await?.planned;
        let changed = inconsistencies(promised, &planned, "");
        if !changed.is_empty() {
            let text = format!("Provider produced inconsistent final plan: {}", changed.join("; "));
            return Err(End::Failed(text));
        }
        Ok(planned)
    }
}

/// The paths at which a value differs from the promised value. An unknown value promises nothing.
fn inconsistencies(promised: &Value, value: &Value, at: &str) -> Vec<String> {
    match (promised, value) {
        (Value::Unknown(_), _) => Vec::new(),
        (Value::Map(promised), Value::Map(entries)) => {
            let keys: BTreeSet<&String> = promised.keys().chain(entries.keys()).collect();
            let of = |entries: &BTreeMap<String, Value>, key: &String| {
                entries.get(key).cloned().unwrap_or_default()
            };
            keys.into_iter()
                .flat_map(|key| {
                    inconsistencies(&of(promised, key), &of(entries, key), &format!("{at}.{key}"))
                })
                .collect()
        }
        (promised, value) if promised == value => Vec::new(),
        (promised, value) => vec![format!("{at}: promised {promised:?}, got {value:?}")],
    }
}

/// The changes of a plan.
fn differences(prior: &Value, planned: &Value) -> Vec<String> {
    if prior.is_null() && !planned.is_null() {
        return vec!["the resource would be created".to_owned()];
    }
    changes(prior, planned, "")
}

fn changes(prior: &Value, planned: &Value, at: &str) -> Vec<String> {
    match (prior, planned) {
        (Value::Map(before), Value::Map(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let of = |entries: &BTreeMap<String, Value>, key: &String| {
                entries.get(key).cloned().unwrap_or_default()
            };
            keys.into_iter()
                .flat_map(|key| changes(&of(before, key), &of(after, key), &format!("{at}.{key}")))
                .collect()
        }
        (prior, planned) if prior == planned => Vec::new(),
        (prior, planned) => vec![format!("{at}: {prior:?} becomes {planned:?}")],
    }
}

/// Converts a value of the state to JSON.
fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Unknown(_) => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => serde_json::from_str(&number.to_string()).unwrap_or_default(),
        Value::String(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
        Value::Dynamic(inner) => json(&inner.1),
    }
}

/// Converts a configuration from JSON. Omitted attributes are null, and omitted lists of blocks are empty.
pub fn value(json: &Json, schema: &Schema) -> Value {
    let mut value =
        tfplugin::json::decode(json, &schema.ty()).expect("the configuration must match the schema");
    fill(&mut value, &schema.block);
    value
}

fn fill(value: &mut Value, block: &Block) {
    for nested in &block.blocks {
        let inner = value.get(&nested.name).clone();
        let filled = match (nested.nesting, inner) {
            (Nesting::Single | Nesting::Group, Value::Null) => Value::Null,
            (Nesting::Single | Nesting::Group, mut one) => {
                fill(&mut one, &nested.block);
                one
            }
            (_, Value::List(mut items)) => {
                items.iter_mut().for_each(|item| fill(item, &nested.block));
                Value::List(items)
            }
            (_, _) => Value::List(Vec::new()),
        };
        value.set(&nested.name, filled);
    }
}
