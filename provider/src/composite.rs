//! The only implementation of a composite resource. It contains no code for a particular composite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tandem_engine::job::Job;
use tandem_engine::problem::Problem;
use tandem_engine::{apply, delete, import, plan, read};
use tandem_model::checks::loops;
use tandem_model::composite::{Definition, Expansion};
use tandem_model::context::Context as ModelContext;
use tandem_model::expr::Ambient;
use tandem_model::finding::{Code, Path as ModelPath};
use tandem_model::graph::Graph;
use tandem_model::ownership::Owner;
use tfplugin::diagnostic::any_error;
use tfplugin::provider::{
    ApplyRequest, ApplyResponse, Context, Imported, PlanRequest, PlanResponse, ReadRequest, ReadResponse,
    Resource, other_schema,
};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Path, Step, Value};
use tokio::time::Instant;

use crate::aws::policy;
use crate::config::{self, Configured, Session, Shared};
use crate::holder::holder;
use crate::planned::Claim;
use crate::{convert, files, random, remedy, state, upgrade};

/// The Terraform resource of one composite.
pub(crate) struct CompositeResource {
    pub(crate) definition: &'static Definition,
    pub(crate) shared: Arc<Shared>,
}

/// The longest time of an operation for which `timeouts` sets no other.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

#[async_trait]
impl Resource for CompositeResource {
    fn type_name(&self) -> String {
        format!("tandem_{}", self.definition.type_name)
    }

    fn schema(&self) -> Schema {
        state::schema(self.definition)
    }

    async fn upgrade(&self, version: i64, state: Json) -> Result<Json, Vec<Diagnostic>> {
        upgrade::upgrade(self.definition, version, state)
            .ok_or_else(|| vec![other_schema(&self.type_name(), version, upgrade::VERSION)])
    }

    /// Runs the checks that do not need the provider's configuration.
    async fn validate(&self, config: Value) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (name, value) in config.get("timeouts").as_map().into_iter().flatten() {
            if let Some(text) = value.as_str()
                && let Err(error) = humantime::parse_duration(text)
            {
                let path = Path::attribute("timeouts").join(Step::Attribute(name.clone()));
                let summary = format!("timeouts.{name}: {text:?} is not a duration: {error}");
                let detail = format!("Set `{name}` to a number and a unit, e.g. `30m`.");
                diagnostics.push(Diagnostic::error(summary, detail).at(path));
            }
        }
        let (_, mut expansion) = self.expand(&config, ModelContext::default(), None, true).await;
        if let Some(graph) = &expansion.graph {
            loops::check(graph, &mut expansion.findings);
        }
        diagnostics.extend(convert::diagnostics(&expansion.findings, &(self.definition.fields)()));
        diagnostics
    }

    async fn read(&self, request: ReadRequest, context: Context) -> ReadResponse {
        let record = state::record(&request.state);
        let result = async {
            let (configured, session) = self.connected().await?;
            let Some(session) = session else { return Ok(request.state.clone()) };
            let stopped = || context.stop.is_stopped();
            let ignore = ignored(&request.state);
            let owner = self.owner(&session, &name(&request.state));
            let job = job(&session, &configured, owner, &ignore, TIMEOUT, &stopped);
            let reading = read::read(&job, &record).await.map_err(|problems| diagnostics(&problems))?;
            if reading.gone {
                return Ok(Value::Null);
            }
            let mut state = request.state.clone();
            state::set_reading(&mut state, &reading);
            Ok(state)
        };
        match result.await {
            Ok(state) => ReadResponse { state, private: request.private.clone(), diagnostics: Vec::new() },
            Err(diagnostics) => {
                ReadResponse { state: request.state.clone(), private: request.private.clone(), diagnostics }
            }
        }
    }

    async fn plan(&self, request: PlanRequest, _context: Context) -> PlanResponse {
        if request.config.is_null() {
            return PlanResponse { private: request.private, ..PlanResponse::default() };
        }
        match self.plan_change(&request).await {
            Ok((planned, requires_replace, diagnostics)) => {
                PlanResponse { planned, requires_replace, private: claim(&request).private(), diagnostics }
            }
            Err(diagnostics) => PlanResponse { diagnostics, ..PlanResponse::default() },
        }
    }

    async fn apply(&self, request: ApplyRequest, context: Context) -> ApplyResponse {
        let private = request.private.clone();
        let prior = request.prior.clone();
        let result = if request.planned.is_null() {
            self.destroy(&request, &context).await
        } else {
            self.make(&request, &context).await
        };
        match result {
            Ok((state, diagnostics)) => ApplyResponse { state, private, diagnostics },
            Err(diagnostics) => ApplyResponse { state: prior, private, diagnostics },
        }
    }

    async fn import(&self, id: String, context: Context) -> Result<Imported, Vec<Diagnostic>> {
        let (configured, session) = self.ready().await?;
        // Accepts the name alone and the whole id.
        let name = id.rsplit('/').next().unwrap_or(&id).to_owned();
        let owner = self.owner(&session, &name);
        if id != name && id != owner.to_string() {
            return Err(vec![Diagnostic::error(
                format!("`{id}` is not an id of this provider configuration"),
                format!("Pass the name, or the whole id: `{owner}`."),
            )]);
        }
        let (place, seed) = self.seed(&session, &name).await?;
        let stopped = || context.stop.is_stopped();
        let job = job(&session, &configured, owner.clone(), &[], TIMEOUT, &stopped);
        let job = Job { context: &place, ..job };
        let found = import::import(&job, &seed).await.map_err(|problem| diagnostics(&[problem]))?;
        let recovered = self.definition.recover(&name, &found.settings, &place);
        let mut imported = convert::complete(&recovered, &self.schema().block);
        state::set_record(&mut imported, &found.record);
        imported.set("id", Value::String(owner.to_string()));
        imported.set("drift", Value::List(Vec::new()));
        imported.set("iam_policies", Value::map::<String>([]));
        Ok(Imported { state: imported, diagnostics: Vec::new() })
    }
}

impl CompositeResource {
    /// The configured provider and its connection. The connection is absent while the configuration depends on a
    /// value that is not known.
    async fn connected(&self) -> Result<(Arc<Configured>, Option<Arc<Session>>), Vec<Diagnostic>> {
        let configured = self.shared.configured().ok_or_else(|| {
            vec![Diagnostic::error(
                "The provider is not configured",
                "Terraform started an operation before it configured the provider. This is a bug; please report it.",
            )]
        })?;
        let session = if configured.unknown { None } else { Some(configured.session().await?) };
        Ok((configured, session))
    }

    /// As [`Self::connected`]; a configuration that is not known is an error.
    async fn ready(&self) -> Result<(Arc<Configured>, Arc<Session>), Vec<Diagnostic>> {
        let (configured, session) = self.connected().await?;
        let session = session.ok_or_else(|| {
            vec![Diagnostic::error(
                "The provider is not configured yet",
                "Its configuration depends on a value that is known only after apply. Apply the resource that sets it \
                 first.",
            )]
        })?;
        Ok((configured, session))
    }

    fn owner(&self, session: &Session, name: &str) -> Owner {
        Owner {
            project: session.context.project.clone().unwrap_or_default(),
            region: session.context.region.clone().unwrap_or_default(),
            composite: self.definition.type_name.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The graph of the objects whose names follow from the composite's name, and the context for it.
    async fn seed(&self, session: &Session, name: &str) -> Result<(ModelContext, Graph), Vec<Diagnostic>> {
        let mut context = session.context.clone();
        let mut seed = self.definition.expand_seed(name, &context);
        look_around(&mut context, &mut seed, Some(session)).await;
        if seed.findings.any_error() || seed.graph.is_none() {
            let findings = convert::diagnostics(&seed.findings, &(self.definition.fields)()).into_iter();
            return Err(findings.map(|found| Diagnostic { path: None, ..found }).collect());
        }
        Ok((context, seed.graph.take().expect("just seen")))
    }

    /// Reads the inputs, collects the facts that they refer to, and expands them to a graph.
    async fn expand(
        &self,
        config: &Value,
        mut context: ModelContext,
        session: Option<&Session>,
        absent_is_fine: bool,
    ) -> (ModelContext, Expansion) {
        let fields = (self.definition.fields)();
        let inputs = self.definition.with_defaults(&convert::inputs(config, &fields));
        files::collect(&fields, &inputs, &mut context, session.map(|session| &session.aws), absent_is_fine)
            .await;
        let mut expansion = self.definition.expand(&inputs, &context);
        look_around(&mut context, &mut expansion, session).await;
        (context, expansion)
    }

    /// The configuration with every default filled in.
    fn with_defaults(&self, config: &Value) -> Value {
        let inputs = convert::inputs(config, &(self.definition.fields)());
        let mut filled = config.clone();
        convert::merge(&mut filled, &self.definition.with_defaults(&inputs));
        filled
    }

    async fn plan_change(
        &self,
        request: &PlanRequest,
    ) -> Result<(Value, Vec<Path>, Vec<Diagnostic>), Vec<Diagnostic>> {
        let (configured, session) = self.connected().await?;
        let session = session.as_deref();
        let context = session.map(|session| session.context.clone()).unwrap_or_default();
        let (context, expansion) =
            self.expand(&request.config, context, session, !request.prior.is_null()).await;
        let mut diagnostics = convert::diagnostics(&expansion.findings, &(self.definition.fields)());
        if !request.prior.is_null() {
            // Terraform also makes this plan before a destroy, which needs no code: a warning, not an error.
            let inputs = convert::inputs(&request.config, &(self.definition.fields)());
            for path in files::absent(&(self.definition.fields)(), &inputs) {
                diagnostics.push(Diagnostic::warning(
                    format!("`{path}` does not exist"),
                    "The plan cannot compare the code, and an apply that needs it fails: build it first.",
                ));
            }
        }
        if any_error(&diagnostics) {
            return Err(diagnostics);
        }
        let mut planned = self.with_defaults(&request.config);
        let computed =
            state::COMPUTED.into_iter().chain(self.definition.outputs.iter().map(|output| output.name));
        computed.for_each(|name| planned.set(name, Value::UNKNOWN));
        planned.set("drift", Value::List(Vec::new()));
        let requires_replace = self.identity_changes(&request.prior, &planned);
        if !request.prior.is_null() {
            planned.set("instance", request.prior.get("instance").clone());
            planned.set("id", request.prior.get("id").clone());
        }
        if let Some(session) = session
            && let Some(name) = planned.get("name").as_str()
        {
            planned.set("id", Value::String(self.owner(session, name).to_string()));
        }
        let Some(graph) = expansion.graph else { return Ok((planned, requires_replace, diagnostics)) };
        if let Some(session) = session
            && let Some(name) = planned.get("name").as_str()
        {
            let owner = self.owner(session, name);
            let conflicts = configured.planned.add(&owner, claim(request), &graph, &context);
            diagnostics.extend(convert::diagnostics(&conflicts, &(self.definition.fields)()));
            if any_error(&diagnostics) {
                return Err(diagnostics);
            }
        }
        let record = state::record(&request.prior);
        let show = plan::plan(&graph, &context, &record, policy::canonical);
        let refused = plan::check_data(&graph, &show.replaced);
        // If an input of the identity changed, Terraform destroys the old composite as a whole.
        if !refused.is_empty() && requires_replace.is_empty() {
            diagnostics.extend(self::diagnostics(&refused));
            return Err(diagnostics);
        }
        for (name, value) in &show.outputs {
            planned.set(name, output(value.as_ref()).unwrap_or(Value::UNKNOWN));
        }
        if !graph.unstable {
            planned.set(
                "components",
                convert::text_map(show.components.iter().map(|(key, line)| (key, line.clone()))),
            );
            planned.set("ids", convert::text_map(show.ids.iter().map(|(key, id)| (key, id.clone()))));
            planned.set(
                "iam_policies",
                convert::text_map(show.policies.iter().map(|(key, text)| (key, text.clone()))),
            );
            if !request.prior.is_null() && session.is_some() {
                planned.set("record", state::planned_record(&show));
            }
        }
        Ok((planned, requires_replace, diagnostics))
    }

    /// The changed inputs that require a new composite.
    fn identity_changes(&self, prior: &Value, planned: &Value) -> Vec<Path> {
        if prior.is_null() {
            return Vec::new();
        }
        let fields = (self.definition.fields)();
        let identity = fields.iter().filter(|field| field.replaces.is_some());
        let changed = identity.filter(|field| prior.get(field.name) != planned.get(field.name));
        changed.map(|field| Path::attribute(field.name)).collect()
    }

    async fn make(
        &self,
        request: &ApplyRequest,
        context: &Context,
    ) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
        let (configured, session) = self.ready().await?;
        let context_now = ModelContext { applying: true, ..session.context.clone() };
        let (model, expansion) = self.expand(&request.config, context_now, Some(&session), false).await;
        let mut messages = convert::diagnostics(&expansion.findings, &(self.definition.fields)());
        // The plan has shown the warnings.
        messages.retain(Diagnostic::is_error);
        let Some(graph) = expansion.graph.filter(|_| messages.is_empty()) else {
            if messages.is_empty() {
                messages.push(Diagnostic::error(
                    "A value is still unknown",
                    "An input that decides which objects exist is not known at apply. This is a bug; please report it.",
                ));
            }
            return Err(messages);
        };
        let mut record = state::record(&request.prior);
        let operation = if request.prior.is_null() { "create" } else { "update" };
        if record.instance.is_empty() {
            record.instance = random::text();
        }
        let stopped = || context.stop.is_stopped();
        let ignore = ignored(&request.planned);
        let owner = self.owner(&session, &name(&request.planned));
        let limit = timeout(&request.planned, operation);
        let job =
            Job { context: &model, ..job(&session, &configured, owner.clone(), &ignore, limit, &stopped) };
        let (_, seed) = self.seed(&session, &owner.name).await?;
        let outcome = apply::apply(&job, record, &graph, &seed).await;
        messages.extend(diagnostics(&outcome.problems));
        if outcome.record.objects.is_empty() {
            return Err(messages);
        }
        let mut state = self.with_defaults(&request.config);
        state.set("id", Value::String(owner.to_string()));
        state.set("drift", Value::List(Vec::new()));
        let record = outcome.record.settled();
        state::set_record(&mut state, &record);
        let now = plan::plan(&graph, &model, &record, policy::canonical);
        state.set(
            "iam_policies",
            convert::text_map(
                now.policies.iter().map(|(key, text)| (key, Some(text.clone().unwrap_or_default()))),
            ),
        );
        for declared in self.definition.outputs {
            let value = now.outputs.get(declared.name).and_then(Option::as_ref);
            state.set(declared.name, output(value).unwrap_or(Value::Null));
        }
        Ok((state, messages))
    }

    async fn destroy(
        &self,
        request: &ApplyRequest,
        context: &Context,
    ) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
        let (configured, session) = self.ready().await?;
        let stopped = || context.stop.is_stopped();
        let owner = self.owner(&session, &name(&request.prior));
        let limit = timeout(&request.prior, "delete");
        let job = job(&session, &configured, owner, &[], limit, &stopped);
        let content = *request.prior.get("force_destroy") == Value::Bool(true);
        let outcome = delete::delete(&job, state::record(&request.prior), content).await;
        let messages = diagnostics(&outcome.problems);
        if outcome.record.objects.is_empty() {
            return Ok((Value::Null, messages));
        }
        let mut state = request.prior.clone();
        state::set_record(&mut state, &outcome.record);
        Ok((state, messages))
    }
}

/// Whose plan a request is.
fn claim(request: &PlanRequest) -> Claim {
    let instance = request.prior.get("instance").as_str().filter(|_| !request.prior.is_null());
    Claim::of(instance, &request.private)
}

/// Looks up the default VPC if the graph refers to it.
async fn look_around(context: &mut ModelContext, expansion: &mut Expansion, session: Option<&Session>) {
    let Some(graph) = &expansion.graph else { return };
    let speaks = [Ambient::DefaultVpc, Ambient::DefaultSubnets].iter().any(|place| graph.speaks_of(*place));
    let Some(session) = session.filter(|_| speaks) else { return };
    let problem = match session.default_network().await {
        Ok(Some(network)) if !network.subnets.is_empty() => {
            context.network = Some(network.clone());
            return;
        }
        Ok(_) => {
            "this account and region have no default VPC with the subnets that AWS makes in it".to_owned()
        }
        Err(failure) => format!("the default VPC cannot be looked up: {failure}"),
    };
    expansion.findings.error(
        Code::Missing,
        ModelPath::default(),
        problem,
        "Set `network`, with the subnets to run in.",
    );
}

pub(crate) fn job<'a>(
    session: &'a Session,
    configured: &Configured,
    owner: Owner,
    ignore: &'a [String],
    limit: Duration,
    stopped: &'a (dyn Fn() -> bool + Send + Sync),
) -> Job<'a> {
    Job {
        drivers: &session.aws,
        policy: policy::canonical,
        owner,
        context: &session.context,
        adopt: configured.adopt,
        ignore,
        lease: config::lease(),
        holder: holder(),
        clock: configured.clock(),
        deadline: Instant::now() + limit,
        stopped,
    }
}

/// The value of an output: a string or a map, or null if its object does not exist. `None` until it is known.
fn output(value: Option<&serde_json::Value>) -> Option<Value> {
    match value? {
        serde_json::Value::Null => Some(Value::Null),
        serde_json::Value::Object(entries) => {
            let texts = entries.iter().map(|(key, value)| (key, value.as_str().map(ToOwned::to_owned)));
            Some(convert::text_map(texts))
        }
        other => other.as_str().map(Value::from),
    }
}

fn name(state: &Value) -> String {
    state.get("name").as_str().unwrap_or_default().to_owned()
}

fn ignored(state: &Value) -> Vec<String> {
    let patterns = state.get("ignore_drift").as_list().unwrap_or_default().iter();
    patterns.filter_map(|pattern| pattern.as_str().map(ToOwned::to_owned)).collect()
}

fn timeout(state: &Value, operation: &str) -> Duration {
    let text = state.get("timeouts").get(operation).as_str();
    text.and_then(|text| humantime::parse_duration(text).ok()).unwrap_or(TIMEOUT)
}

fn diagnostics(problems: &[Problem]) -> Vec<Diagnostic> {
    problems.iter().map(remedy::diagnostic).collect()
}
