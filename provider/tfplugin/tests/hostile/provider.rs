//! A provider that uses all features of schemas and checks nothing itself.

use std::sync::Arc;

use async_trait::async_trait;
use tfplugin::provider::{
    ApplyRequest, ApplyResponse, ConfigureRequest, Context, DataSource, EphemeralResource, Function,
    FunctionError, Imported, Opened, Parameter, PlanRequest, PlanResponse, Provider, ReadRequest,
    ReadResponse, Resource, Signature,
};
use tfplugin::schema::{Attribute, Block, Mode, NestedBlock, Nesting, Schema};
use tfplugin::types::Type;
use tfplugin::{Diagnostic, Path, Value};

/// The behavior of a resource. Each is a resource type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Returns the proposed or planned state.
    Expected,
    /// Returns the configuration.
    Configured,
    /// Returns the prior state.
    Before,
    /// Returns a value that does not fit the schema.
    Misshapen,
}

impl Answers {
    pub(crate) const ALL: [Self; 4] = [Self::Expected, Self::Configured, Self::Before, Self::Misshapen];

    /// The name of the resource type with this behavior.
    pub(crate) fn type_name(self) -> String {
        format!("example_{self:?}").to_lowercase()
    }

    fn pick(self, expected: Value, configured: Value, before: Value) -> Value {
        match self {
            Self::Expected => expected,
            Self::Configured => configured,
            Self::Before => before,
            Self::Misshapen => Value::List(vec![true.into(), Value::UNKNOWN]),
        }
    }
}

pub(crate) const DATA_SOURCE: &str = "example_data";
pub(crate) const EPHEMERAL: &str = "example_ephemeral";
pub(crate) const ECHO: &str = "echo";

/// The version of every schema.
pub(crate) const VERSION: i64 = 3;

fn block(depth: usize) -> Block {
    let attribute = |name: &str, ty: Type, mode| Attribute::new(name, ty, mode, "");
    let object = Type::object([("a", Type::String), ("b", Type::list(Type::Number))]);
    let mut secret = attribute("secret", Type::String, Mode::Optional);
    secret.write_only = true;
    let mut attributes = vec![
        attribute("name", Type::String, Mode::Required),
        attribute("size", Type::Number, Mode::OptionalComputed),
        attribute("any", Type::Dynamic, Mode::Optional),
    ];
    let mut blocks = Vec::new();
    if depth > 0 {
        attributes.extend([
            attribute("id", Type::String, Mode::Computed),
            attribute("flag", Type::Bool, Mode::Optional),
            attribute("tags", Type::map(Type::String), Mode::Optional),
            attribute("numbers", Type::set(Type::Number), Mode::OptionalComputed),
            attribute("pair", Type::Tuple(vec![Type::String, Type::Dynamic]), Mode::Optional),
            attribute("object", object, Mode::Computed),
        ]);
        let nestings = [
            ("single", Nesting::Single),
            ("group", Nesting::Group),
            ("list", Nesting::List),
            ("set", Nesting::Set),
            ("map", Nesting::Map),
        ];
        blocks.extend(nestings.map(|(name, nesting)| NestedBlock {
            name: name.to_owned(),
            nesting,
            block: block(depth - 1),
            min_items: 0,
            max_items: 0,
        }));
        attributes.push(secret);
    }
    Block { attributes, blocks, ..Block::default() }
}

/// The schema of the provider and of all its resources.
pub(crate) fn schema() -> Schema {
    Schema { version: VERSION, block: block(1) }
}

pub(crate) struct Example;

#[async_trait]
impl Provider for Example {
    fn schema(&self) -> Schema {
        schema()
    }

    async fn configure(&self, _request: ConfigureRequest) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        Answers::ALL.map(|answers| Arc::new(answers) as Arc<dyn Resource>).into()
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![Arc::new(Source)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Echo)]
    }

    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource>> {
        vec![Arc::new(Source)]
    }
}

#[async_trait]
impl Resource for Answers {
    fn type_name(&self) -> String {
        (*self).type_name()
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn read(&self, request: ReadRequest, _context: Context) -> ReadResponse {
        let state = self.pick(request.state.clone(), Value::Null, request.state);
        ReadResponse { state, private: request.private, diagnostics: Vec::new() }
    }

    async fn plan(&self, request: PlanRequest, _context: Context) -> PlanResponse {
        PlanResponse {
            planned: self.pick(request.proposed, request.config, request.prior),
            requires_replace: vec![Path::attribute("name")],
            private: request.private,
            diagnostics: Vec::new(),
        }
    }

    async fn apply(&self, request: ApplyRequest, _context: Context) -> ApplyResponse {
        let state = self.pick(request.planned, request.config, request.prior);
        ApplyResponse { state, private: request.private, diagnostics: Vec::new() }
    }

    async fn import(&self, id: String, _context: Context) -> Result<Imported, Vec<Diagnostic>> {
        let found = Value::map([("name", Value::string(id)), ("id", Value::UNKNOWN)]);
        Ok(Imported { state: self.pick(found.clone(), Value::Null, found), diagnostics: Vec::new() })
    }
}

struct Source;

#[async_trait]
impl DataSource for Source {
    fn type_name(&self) -> String {
        DATA_SOURCE.to_owned()
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn read(&self, config: Value, _context: Context) -> Result<Value, Vec<Diagnostic>> {
        Ok(config)
    }
}

#[async_trait]
impl EphemeralResource for Source {
    fn type_name(&self) -> String {
        EPHEMERAL.to_owned()
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn open(&self, config: Value, _context: Context) -> Result<Opened, Vec<Diagnostic>> {
        Ok(Opened { result: config, private: vec![1], renew_at: None })
    }
}

/// A function that returns its last argument.
struct Echo;

/// The types of the first and of all further arguments of `echo`.
pub(crate) const ARGUMENTS: [Type; 2] = [Type::Number, Type::Dynamic];

#[async_trait]
impl Function for Echo {
    fn name(&self) -> String {
        ECHO.to_owned()
    }

    fn signature(&self) -> Signature {
        let [first, rest] = ARGUMENTS.map(|ty| Parameter {
            name: "x".into(),
            ty,
            description: String::new(),
            allow_null: true,
        });
        Signature {
            summary: String::new(),
            description: String::new(),
            parameters: vec![first],
            variadic: Some(rest),
            returns: Type::Dynamic,
        }
    }

    async fn call(&self, mut arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let last = if arguments.len() > 1 { arguments.pop() } else { None };
        last.ok_or_else(|| FunctionError { text: "there is only a number".into(), argument: Some(0) })
    }
}
