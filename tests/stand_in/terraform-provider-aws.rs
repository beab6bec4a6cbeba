//! A stand-in for two versions of hashicorp/aws: it serves the real schema and creates nothing. It derives computed values
//! (ids and ARNs) from names, so that Terraform can plan and apply a whole configuration offline.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use tandem_model::expr::Ambient;
use tandem_model::kinds;
use tfplugin::provider::{
    ApplyRequest, ApplyResponse, ConfigureRequest, Context, DataSource, PlanRequest, PlanResponse, Provider,
    ReadRequest, ReadResponse, Resource,
};
use tfplugin::schema::{Attribute, Block, Mode, NestedBlock, Nesting, Schema};
use tfplugin::types::Type;
use tfplugin::{Diagnostic, Options, Value};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";

struct Aws(Json);

fn attribute_type(attribute: &Json) -> Type {
    match attribute.get("nested") {
        None => Type::from_json(&attribute["type"]).expect("a type"),
        Some(nested) => {
            let object = nested["attributes"].as_object().expect("attributes");
            let object =
                Type::object(object.iter().map(|(name, inner)| (name.as_str(), attribute_type(inner))));
            if nested["nesting_mode"] == "set" { Type::set(object) } else { Type::list(object) }
        }
    }
}

fn block(json: &Json) -> Block {
    // Attributes without a type in the package are omitted.
    let typed = |attribute: &Json| !attribute.to_string().contains("\"?\"");
    let attributes = json["attributes"].as_object().into_iter().flatten();
    let attributes = attributes.filter(|(_, attribute)| typed(attribute)).map(|(name, attribute)| {
        let is = |flag: &str| attribute[flag] == true;
        let mode = match (is("required"), is("optional"), is("computed")) {
            (true, ..) => Mode::Required,
            (_, true, true) => Mode::OptionalComputed,
            (_, true, false) => Mode::Optional,
            _ => Mode::Computed,
        };
        Attribute::new(name, attribute_type(attribute), mode, "")
    });
    let blocks = json["block_types"].as_object().into_iter().flatten().map(|(name, nested)| {
        let nesting = match nested["nesting_mode"].as_str() {
            Some("single") => Nesting::Single,
            Some("set") => Nesting::Set,
            _ => Nesting::List,
        };
        NestedBlock {
            name: name.clone(),
            nesting,
            block: block(&nested["block"]),
            min_items: 0,
            max_items: if nesting == Nesting::Single { 0 } else { nested["max_items"].as_i64().unwrap_or(0) },
        }
    });
    Block { attributes: attributes.collect(), blocks: blocks.collect(), ..Block::default() }
}

fn schemas(json: &Json) -> Vec<(String, Schema)> {
    let all = json.as_object().into_iter().flatten();
    all.map(|(name, schema)| (name.clone(), Schema { version: 0, block: block(&schema["block"]) })).collect()
}

#[async_trait]
impl Provider for Aws {
    fn schema(&self) -> Schema {
        let attribute = Attribute::new("region", Type::String, Mode::Optional, "");
        Schema { version: 0, block: Block { attributes: vec![attribute], ..Block::default() } }
    }

    async fn configure(&self, _request: ConfigureRequest) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        let all = schemas(&self.0["resource_schemas"]).into_iter();
        all.map(|(name, schema)| Arc::new(Made { name, schema }) as Arc<dyn Resource>).collect()
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        let all = schemas(&self.0["data_source_schemas"]).into_iter();
        all.map(|(name, schema)| Arc::new(Found { name, schema }) as Arc<dyn DataSource>).collect()
    }
}

struct Made {
    name: String,
    schema: Schema,
}

/// Sets a value for each null or unknown computed attribute.
fn fill(block: &Block, value: &mut Value, chosen: &dyn Fn(&str, &Type) -> Value) {
    let Value::Map(entries) = value else { return };
    for attribute in &block.attributes {
        let given = matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed);
        let entry = entries.entry(attribute.name.clone()).or_default();
        if given && (entry.is_null() || entry.is_unknown()) {
            *entry = chosen(&attribute.name, &attribute.ty);
        }
    }
    for nested in &block.blocks {
        match entries.get_mut(&nested.name) {
            Some(Value::List(blocks)) => {
                blocks.iter_mut().for_each(|inner| fill(&nested.block, inner, chosen));
            }
            Some(inner) => fill(&nested.block, inner, chosen),
            None => {}
        }
    }
}

impl Made {
    /// Returns the value that AWS would assign to an attribute.
    fn choose(&self, value: &Value, attribute: &str, ty: &Type) -> Value {
        let kind = self.name.strip_prefix("aws_").and_then(kinds::find);
        let settings = value.as_map().into_iter().flatten();
        let settings =
            settings.filter_map(|(name, value)| Some((name.clone(), Json::from(value.as_str()?)))).collect();
        let place = |place| {
            Some(match place {
                Ambient::Account => ACCOUNT.to_owned(),
                Ambient::Region => REGION.to_owned(),
                Ambient::Partition => "aws".to_owned(),
                Ambient::DefaultVpc | Ambient::DefaultSubnets => return None,
            })
        };
        let predict = |name: &str| kind.and_then(|kind| kind.predict(name, &settings, &place));
        let name = value.get("name").as_str().unwrap_or("made");
        match (attribute, ty) {
            ("arn_without_revision", _) => predict("arn").map_or(Value::Null, Value::String),
            ("url" | "repository_url", _) => Value::string(format!("https://{}.test/{name}", self.name)),
            ("arn" | "id", Type::String) => {
                let id = || kind.and_then(|kind| kind.predict_id(&settings, &place));
                let known = if attribute == "id" { id() } else { predict(attribute) };
                Value::string(known.unwrap_or_else(|| format!("{}-{attribute}-{name}", self.name)))
            }
            ("region", _) => Value::string(REGION),
            ("api_endpoint" | "execution_arn" | "function_url" | "stream_arn", _) => {
                Value::string(format!("https://{}.test/{attribute}/{name}", self.name))
            }
            _ => Value::Null,
        }
    }
}

#[async_trait]
impl Resource for Made {
    fn type_name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    async fn read(&self, request: ReadRequest, _context: Context) -> ReadResponse {
        ReadResponse { state: request.state, private: request.private, diagnostics: Vec::new() }
    }

    async fn plan(&self, request: PlanRequest, _context: Context) -> PlanResponse {
        let mut planned = request.proposed;
        if request.prior.is_null() {
            fill(&self.schema.block, &mut planned, &|_, _| Value::UNKNOWN);
        }
        PlanResponse { planned, ..PlanResponse::default() }
    }

    async fn apply(&self, request: ApplyRequest, _context: Context) -> ApplyResponse {
        let mut state = request.planned;
        let given = state.clone();
        fill(&self.schema.block, &mut state, &|name, ty| self.choose(&given, name, ty));
        ApplyResponse { state, ..ApplyResponse::default() }
    }
}

struct Found {
    name: String,
    schema: Schema,
}

#[async_trait]
impl DataSource for Found {
    fn type_name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    async fn read(&self, config: Value, _context: Context) -> Result<Value, Vec<Diagnostic>> {
        let mut found = config;
        fill(&self.schema.block, &mut found, &|attribute, _| match (self.name.as_str(), attribute) {
            (_, "account_id") => Value::string(ACCOUNT),
            (_, "region") | ("aws_region", "id") => Value::string(REGION),
            (_, "partition") => Value::string("aws"),
            ("aws_vpc", "id") => Value::string("vpc-default"),
            ("aws_subnet", "vpc_id") => Value::string("vpc-of-the-subnet"),
            ("aws_subnets", "ids") => Value::List(vec![Value::string("subnet-1"), Value::string("subnet-2")]),
            _ => Value::Null,
        });
        Ok(found)
    }
}

/// Versions of hashicorp/aws, with their schemas. The last one is the default.
const VERSIONS: [(&str, &str); 2] = [
    ("5.100.0", include_str!("../data/aws-schema-5.100.json")),
    ("6.66.0", include_str!("../data/aws-schema.json")),
];

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args();
    // The file name of a provider in a mirror ends with its version.
    let program = arguments.next().unwrap_or_default();
    let named = VERSIONS.into_iter().find(|(version, _)| program.ends_with(&format!("_v{version}")));
    let (version, schema) = named.unwrap_or(VERSIONS[1]);
    let schema = serde_json::from_str(schema).expect("the schema");
    let arguments: Vec<String> = arguments.collect();
    tfplugin::serve(Aws(schema), Options { source: "hashicorp/aws", version, commands: &[] }, &arguments)
        .await
}
