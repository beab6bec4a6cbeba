//! The same objects as plain resources of hashicorp/aws: for those who want no provider of ours, or want to
//! leave it.

use std::collections::{BTreeMap, BTreeSet};

use tandem_model::context::Context;
use tandem_model::expr::{Expr, Place};
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::input::{Rule, Shape};
use tandem_model::kind::Form;

use crate::hcl::{Body, Hcl, Item};
use crate::module::{Layout, Module};
use crate::spec::{App, Entry, bootstrap};
use crate::variables::{Absent, Variable, parametrize};

/// The output with which the module of an entry hands its notifications to that of the whole: a bucket
/// has one document of them.
pub(crate) const NOTIFICATIONS: &str = "bucket_notifications";

/// The module of an entry, as resources of hashicorp/aws. An error names what these cannot say.
pub(crate) fn module(app: &App, entry: &Entry, layout: &Layout) -> Result<Module, String> {
    let context = Context { project: Some(app.name.clone()), ..Context::default() };
    let (graph, variables) = expand(entry, &context)?;
    let mut printer = Printer {
        entry,
        graph: &graph,
        layout,
        variables,
        places: BTreeMap::new(),
        resources: Vec::new(),
        notifications: Vec::new(),
    };
    printer.print()?;
    let outputs: Vec<(String, String, Hcl)> = entry
        .definition
        .outputs
        .iter()
        .map(|output| {
            let value = graph.outputs.get(output.name).map_or(Hcl::Null, |expr| printer.expr(expr));
            (output.name.to_owned(), output.doc.to_owned(), value)
        })
        .collect();
    let mut outputs = outputs;
    if !printer.notifications.is_empty() {
        outputs.push((
            NOTIFICATIONS.to_owned(),
            "Entries for the notifications of buckets that this module does not make.".to_owned(),
            Hcl::List(std::mem::take(&mut printer.notifications)),
        ));
    }
    let mut main = Body::default();
    for (place, name, body) in printer.places.into_values() {
        main.block("data", &[place, name], body);
    }
    for (ty, name, body) in printer.resources {
        main.block("resource", &[&ty, &name], body);
    }
    Ok(Module { main, variables: printer.variables, outputs })
}

/// The graph with variables in it. An input that decides what a policy says, such as the ARNs of secrets,
/// stays as the spec has it: as a variable it would leave the policy unknown.
fn expand(entry: &Entry, context: &Context) -> Result<(Graph, Vec<Variable>), String> {
    let attempt = |literal: &BTreeSet<String>| {
        let (inputs, variables) = parametrize(entry, Absent::Maps, literal);
        let expansion = entry.definition.expand(&inputs, context);
        let messages =
            || expansion.findings.0.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>();
        expansion.graph.clone().map(|graph| (graph, variables)).ok_or_else(|| messages().join("; "))
    };
    let all = attempt(&BTreeSet::new())?;
    let known = unknowns(&entry.graph);
    if unknowns(&all.0) <= known {
        return Ok(all);
    }
    // From literal inputs on, as many as may become variables: two may hide the same policy together. It is
    // maps most often.
    let free = all.1.into_iter().filter(|variable| variable.target.is_none());
    let (maps, others): (Vec<Variable>, Vec<Variable>) =
        free.partition(|variable| variable.ty.starts_with("map"));
    let names = |variables: &[Variable]| -> Vec<String> {
        variables.iter().map(|variable| variable.name.clone()).collect()
    };
    let (maps, others) = (names(&maps), names(&others));
    let mut literal: BTreeSet<String> = maps.iter().cloned().collect();
    let mut best = attempt(&literal)?;
    let mut groups = vec![&maps[..]];
    if unknowns(&best.0) > known {
        literal.extend(others.iter().cloned());
        best = attempt(&literal)?;
        groups.push(&others);
    }
    // Halves first: most inputs have nothing to do with policies.
    while let Some(group) = groups.pop() {
        let fewer = literal.iter().filter(|name| !group.contains(name)).cloned().collect();
        match attempt(&fewer) {
            Ok(attempt) if unknowns(&attempt.0) <= known => (literal, best) = (fewer, attempt),
            _ if group.len() > 1 => {
                let (first, second) = group.split_at(group.len() / 2);
                groups.extend([second, first]);
            }
            _ => {}
        }
    }
    Ok(best)
}

/// How much of a graph is not known.
fn unknowns(graph: &Graph) -> usize {
    // What an image is made of is no part of the module.
    let objects = graph.objects().iter().filter(|object| object.kind.name != "ecr_image");
    let exprs = objects.flat_map(|object| object.fields.values()).chain(graph.outputs.values());
    exprs.map(unknown_parts).sum()
}

fn unknown_parts(expr: &Expr) -> usize {
    match expr {
        Expr::Unknown => 1,
        Expr::Concat(parts) | Expr::Product(parts) | Expr::List(parts) | Expr::Merge(parts) => {
            parts.iter().map(unknown_parts).sum()
        }
        Expr::Map(entries) => entries.values().map(unknown_parts).sum(),
        Expr::Json(inner) | Expr::Member(inner, _) | Expr::Hash(inner) | Expr::VpcOf(inner) => {
            unknown_parts(inner)
        }
        Expr::Literal(_) | Expr::Input(_) | Expr::Place(_) | Expr::Attribute(..) => 0,
    }
}

/// Fields that nobody knows before an apply, and that are said another way here.
const LATE: &[(&str, &str)] = &[
    ("lambda_function", "source_code_hash"),
    ("lambda_function", "architectures"),
    ("lambda_function", "source"),
];

struct Printer<'a> {
    entry: &'a Entry,
    graph: &'a Graph,
    layout: &'a Layout,
    variables: Vec<Variable>,
    /// Data sources that expressions speak of.
    places: BTreeMap<&'static str, (&'static str, &'static str, Body)>,
    resources: Vec<(String, String, Body)>,
    notifications: Vec<Hcl>,
}

/// The name of a resource: the role of its object.
fn role(key: &Key) -> &str {
    key.as_str().split_once('.').map_or(key.as_str(), |(_, role)| role)
}

/// A field of an object in JSON text, beside policies.
const JSON: &[&str] = &["event_pattern"];

impl Printer<'_> {
    fn print(&mut self) -> Result<(), String> {
        let graph = self.graph;
        for object in graph.objects() {
            let late =
                |field: &str| LATE.contains(&(object.kind.name, field)) || object.kind.name == "ecr_image";
            let unknown = object.fields.iter().find(|(name, expr)| unknown_parts(expr) > 0 && !late(name));
            if let Some((name, _)) = unknown {
                return Err(format!("`{name}` of `{}` is not known before an apply", object.key));
            }
            match object.kind.name {
                // Pushed by the user: Terraform has no builder of images.
                "ecr_image" => {}
                "s3_bucket_notification" => self.notification(object),
                _ => {
                    let body = self.object(object);
                    self.add(object.kind.name, role(&object.key), body);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, kind: &str, name: &str, body: Body) {
        self.resources.push((format!("aws_{kind}"), name.to_owned(), body));
    }

    fn object(&mut self, object: &Object) -> Body {
        let mut fields: BTreeMap<&str, Hcl> = BTreeMap::new();
        for (name, expr) in &object.fields {
            let form = object.kind.field(name).map_or(Form::Plain, |field| field.form);
            let json = form == Form::Policy || JSON.contains(name);
            let json = json && !matches!(expr, Expr::Literal(serde_json::Value::String(_)));
            let value = self.expr(expr);
            fields.insert(name, if json { Hcl::Call("jsonencode", vec![value]) } else { value });
        }
        let mut body = Body::default();
        let mut blocks = Body::default();
        self.special(object, &mut fields, &mut body, &mut blocks);
        // In the order of the kind, which is that of people.
        for field in object.kind.fields {
            if let Some(value) = fields.remove(field.name) {
                body.set(field.name, value);
            }
        }
        if object.kind.tags {
            body.set("tags", self.expr(&self.graph.tags.clone()));
        }
        body.items.extend(blocks.items);
        let after: Vec<Hcl> = object.after.iter().map(|key| Hcl::code(address(key))).collect();
        if !after.is_empty() {
            let mut depends = Body::default();
            depends.set("depends_on", Hcl::List(after));
            body.items.push(Item::Comment("What no attribute names, and must be there first.".to_owned()));
            body.items.extend(depends.items);
        }
        body
    }

    /// Where hashicorp/aws nests what the kind has flat, or says it another way.
    fn special(
        &mut self,
        object: &Object,
        fields: &mut BTreeMap<&str, Hcl>,
        body: &mut Body,
        blocks: &mut Body,
    ) {
        let nested = |pairs: Vec<(&str, Option<Hcl>)>| {
            let mut body = Body::default();
            for (name, value) in pairs {
                if let Some(value) = value {
                    body.set(name, value);
                }
            }
            body
        };
        let name = role(&object.key).to_owned();
        match object.kind.name {
            "s3_bucket" | "ecr_repository" => {
                let force = if object.kind.name == "s3_bucket" { "force_destroy" } else { "force_delete" };
                body.set(force, Hcl::Bool(self.graph.force_destroy));
                if let Some(scan) = fields.remove("scan_on_push") {
                    blocks.block(
                        "image_scanning_configuration",
                        &[],
                        nested(vec![("scan_on_push", Some(scan))]),
                    );
                }
                if let Some(encryption) = fields.remove("encryption_type") {
                    let pairs =
                        vec![("encryption_type", Some(encryption)), ("kms_key", fields.remove("kms_key"))];
                    blocks.block("encryption_configuration", &[], nested(pairs));
                }
            }
            "s3_bucket_ownership_controls" => {
                blocks.block(
                    "rule",
                    &[],
                    nested(vec![("object_ownership", fields.remove("object_ownership"))]),
                );
            }
            "s3_bucket_server_side_encryption_configuration" => {
                let mut rule = nested(vec![("bucket_key_enabled", fields.remove("bucket_key_enabled"))]);
                let by_default = nested(vec![
                    ("sse_algorithm", fields.remove("sse_algorithm")),
                    ("kms_master_key_id", fields.remove("kms_master_key_id")),
                ]);
                rule.block("apply_server_side_encryption_by_default", &[], by_default);
                blocks.block("rule", &[], rule);
            }
            "s3_bucket_lifecycle_configuration" => {
                let days = fields.remove("abort_incomplete_multipart_upload_days");
                let mut rule = nested(vec![
                    ("id", Some("abort-incomplete-uploads".into())),
                    ("status", Some("Enabled".into())),
                ]);
                rule.block("filter", &[], Body::default());
                rule.block(
                    "abort_incomplete_multipart_upload",
                    &[],
                    nested(vec![("days_after_initiation", days)]),
                );
                blocks.block("rule", &[], rule);
            }
            "lambda_function" => self.function(object, fields, body, blocks),
            "lambda_function_event_invoke_config" => {
                if let Some(to) = fields.remove("on_failure") {
                    let mut destinations = Body::default();
                    destinations.block("on_failure", &[], nested(vec![("destination", Some(to))]));
                    blocks.block("destination_config", &[], destinations);
                }
            }
            "scheduler_schedule" => {
                let minutes = fields.remove("flexible_time_window_minutes");
                let mode = if minutes.is_some() { "FLEXIBLE" } else { "OFF" };
                let window = vec![("mode", Some(mode.into())), ("maximum_window_in_minutes", minutes)];
                blocks.block("flexible_time_window", &[], nested(window));
                let mut target = nested(vec![
                    ("arn", fields.remove("target_arn")),
                    ("role_arn", fields.remove("target_role_arn")),
                ]);
                if let Some(arn) = fields.remove("dead_letter_arn") {
                    target.block("dead_letter_config", &[], nested(vec![("arn", Some(arn))]));
                }
                let retries = fields.remove("maximum_retry_attempts");
                target.block("retry_policy", &[], nested(vec![("maximum_retry_attempts", retries)]));
                blocks.block("target", &[], target);
            }
            "sqs_queue_policy" => {
                fields.remove("queue");
                if let Some(Expr::Attribute(queue, _)) = object.fields.get("queue") {
                    body.set("queue_url", Hcl::code(format!("{}.url", address(queue))));
                }
            }
            "ecs_cluster" => {
                let providers = fields.remove("capacity_providers");
                let cluster = Hcl::code(format!("aws_ecs_cluster.{name}.name"));
                let pairs = vec![("cluster_name", Some(cluster)), ("capacity_providers", providers)];
                self.add("ecs_cluster_capacity_providers", &name, nested(pairs));
            }
            "ecs_task_definition" => self.task_definition(object, fields, body, blocks),
            "security_group" => {
                fields.remove("ingress");
                let number = |number: &str| Some(Hcl::Number(number.to_owned()));
                let everywhere = Some(Hcl::List(vec!["0.0.0.0/0".into()]));
                blocks.block(
                    "egress",
                    &[],
                    nested(vec![
                        ("description", Some("Everything may go out".into())),
                        ("from_port", number("0")),
                        ("to_port", number("0")),
                        ("protocol", Some("-1".into())),
                        ("cidr_blocks", everywhere),
                    ]),
                );
            }
            "ecr_lifecycle_policy" => {
                if let Some(policy) = fields.remove("policy") {
                    body.set("repository", fields.remove("repository").unwrap_or(Hcl::Null));
                    body.set("policy", Hcl::Call("jsonencode", vec![policy]));
                }
            }
            _ => {}
        }
    }

    /// The code is a zip that `tandem build` makes; which, is a variable.
    fn function(
        &mut self,
        object: &Object,
        fields: &mut BTreeMap<&str, Hcl>,
        body: &mut Body,
        blocks: &mut Body,
    ) {
        let role = role(&object.key);
        let own = |what: &str| if role == "function" { what.to_owned() } else { format!("{role}_{what}") };
        if let Some(Expr::Literal(source)) = object.fields.get("source") {
            fields.remove("source");
            fields.remove("source_code_hash");
            fields.remove("architectures");
            let path = source["path"].as_str().unwrap_or_default();
            let handler = self.entry.handlers.values().any(|handler| bootstrap(handler) == path);
            let base = if handler { &self.layout.handlers } else { &self.layout.spec };
            // AWS takes a zip; beside the binary lies the one that is made of it.
            let zip = if source["kind"] == "bootstrap" { format!("{path}.zip") } else { path.to_owned() };
            let default = if zip.starts_with('/') {
                Hcl::Text(zip)
            } else {
                Hcl::Template(vec![Hcl::code("path.module"), Hcl::Text(format!("/{base}/{zip}"))])
            };
            let zip = Hcl::Call("coalesce", vec![Hcl::code(format!("var.{}", own("zip"))), default]);
            body.set("filename", zip.clone());
            body.set("source_code_hash", Hcl::Call("filebase64sha256", vec![zip]));
            body.set("architectures", Hcl::List(vec![Hcl::code(format!("var.{}", own("architecture")))]));
            self.variable(
                &own("zip"),
                "Path of the zip with `bootstrap` in it. What `tandem build` makes when not given.",
                Hcl::Null,
            );
            let architecture = own("architecture");
            self.variable(
                &architecture,
                "The architecture that the code is built for: `x86_64` or `arm64`, as `tandem build \
                 --architecture` says.",
                "x86_64".into(),
            );
            if let Some(variable) = self.variables.last_mut() {
                variable.validation =
                    crate::variables::validation(&architecture, Some(Rule::ARCHITECTURE), false);
            }
        }
        if let Some(variables) = fields.remove("environment") {
            let mut environment = Body::default();
            environment.set("variables", variables);
            blocks.block("environment", &[], environment);
        }
        let mut logging = Body::default();
        for name in ["log_format", "log_group"] {
            if let Some(value) = fields.remove(name) {
                logging.set(name, value);
            }
        }
        blocks.block("logging_config", &[], logging);
    }

    fn variable(&mut self, name: &str, doc: &str, default: Hcl) {
        self.variables.push(Variable {
            name: name.to_owned(),
            doc: doc.to_owned(),
            ty: crate::variables::type_name(&Shape::String),
            default: Some(default),
            validation: None,
            sensitive: false,
            target: None,
        });
    }

    fn task_definition(
        &mut self,
        object: &Object,
        fields: &mut BTreeMap<&str, Hcl>,
        body: &mut Body,
        blocks: &mut Body,
    ) {
        fields.remove("active_revisions");
        let pair = |key: &str, value: Hcl| (key.to_owned(), value);
        let group = fields.remove("log_group").unwrap_or(Hcl::Null);
        let container = fields.remove("container_name").unwrap_or(Hcl::Null);
        let region = self.expr(&Expr::Place(Place::Region));
        let logs = Hcl::Map(vec![
            pair("logDriver", "awslogs".into()),
            pair(
                "options",
                Hcl::Map(vec![
                    pair("awslogs-group", group),
                    pair("awslogs-region", region),
                    pair("awslogs-stream-prefix", container.clone()),
                ]),
            ),
        ]);
        let mut definition = vec![
            pair("name", container),
            pair("image", fields.remove("image").unwrap_or(Hcl::Null)),
            pair("essential", Hcl::Bool(true)),
        ];
        for (field, key) in [
            ("command", "command"),
            ("entry_point", "entryPoint"),
            ("stop_timeout", "stopTimeout"),
            ("readonly_root_filesystem", "readonlyRootFilesystem"),
        ] {
            definition.extend(fields.remove(field).map(|value| pair(key, value)));
        }
        for (field, key, value_key) in
            [("environment", "environment", "value"), ("secrets", "secrets", "valueFrom")]
        {
            if fields.remove(field).is_some()
                && let Some(expr) = object.fields.get(field)
            {
                definition.push(pair(key, self.pairs(expr, value_key)));
            }
        }
        let scratch = fields.remove("scratch_path").unwrap_or(Hcl::Null);
        let mount = vec![
            pair("sourceVolume", "scratch".into()),
            pair("containerPath", scratch),
            pair("readOnly", Hcl::Bool(false)),
        ];
        definition.push(pair("mountPoints", Hcl::List(vec![Hcl::Map(mount)])));
        definition.push(pair("logConfiguration", logs));
        body.set("family", fields.remove("family").unwrap_or(Hcl::Null));
        body.set("requires_compatibilities", Hcl::List(vec!["FARGATE".into()]));
        body.set("network_mode", "awsvpc");
        body.set(
            "container_definitions",
            Hcl::Call("jsonencode", vec![Hcl::List(vec![Hcl::Map(definition)])]),
        );
        let architecture = fields.remove("cpu_architecture").unwrap_or(Hcl::Null);
        let mut platform = Body::default();
        platform.set("operating_system_family", "LINUX");
        platform.set("cpu_architecture", Hcl::Call("upper", vec![architecture]));
        blocks.block("runtime_platform", &[], platform);
        let mut volume = Body::default();
        volume.set("name", "scratch");
        blocks.block("volume", &[], volume);
        if let Some(size) = fields.remove("ephemeral_storage") {
            let mut storage = Body::default();
            storage.set("size_in_gib", size);
            blocks.block("ephemeral_storage", &[], storage);
        }
    }

    /// A map as the list of names and values that ECS takes: texts, all of them.
    fn pairs(&mut self, expr: &Expr, value_key: &str) -> Hcl {
        if let Expr::Map(entries) = expr {
            let pairs = entries.iter().map(|(name, value)| {
                let value = match (value, self.expr(value)) {
                    (_, Hcl::Number(number)) => Hcl::Text(number),
                    (_, Hcl::Bool(value)) => Hcl::Text(value.to_string()),
                    (Expr::Input(_) | Expr::Product(_), value) => Hcl::Call("tostring", vec![value]),
                    (_, value) => value,
                };
                Hcl::Map(vec![("name".to_owned(), Hcl::text(name)), (value_key.to_owned(), value)])
            });
            return Hcl::List(pairs.collect());
        }
        let map = self.expr(expr).render(0).replace('\n', "\n      ");
        Hcl::code(format!("[for name, value in {map} : {{ name = name, {value_key} = tostring(value) }}]"))
    }

    /// A notification: an entry in the one document of its bucket. That of a bucket which is made elsewhere
    /// belongs to the module of the whole.
    fn notification(&mut self, object: &Object) {
        let own = object.fields.get("bucket").cloned().unwrap_or(Expr::Unknown);
        let pairs = ["id", "lambda_function_arn", "events", "filter_prefix", "filter_suffix"];
        let mut entry: Vec<(String, Hcl)> = Vec::new();
        for name in pairs {
            let value = object.fields.get(name).map_or(Hcl::Null, |expr| self.expr(expr));
            entry.push((name.to_owned(), value));
        }
        let bucket = self.expr(&own);
        let Expr::Attribute(made, _) = &own else {
            entry.insert(0, ("bucket".to_owned(), bucket));
            self.notifications.push(Hcl::Map(entry));
            return;
        };
        let name = role(made).to_owned();
        let mut lambda = Body::default();
        entry
            .into_iter()
            .filter(|(_, value)| *value != Hcl::Null)
            .for_each(|(name, value)| lambda.set(&name, value));
        let after: Vec<String> = object.after.iter().map(address).collect();
        let there =
            self.resources.iter_mut().find(|(ty, own, _)| ty == "aws_s3_bucket_notification" && *own == name);
        let body = if let Some((_, _, body)) = there {
            body
        } else {
            let mut body = Body::default();
            body.set("bucket", bucket);
            body.set("depends_on", Hcl::List(Vec::new()));
            self.add("s3_bucket_notification", &name, body);
            &mut self.resources.last_mut().expect("just added").2
        };
        for item in &mut body.items {
            if let Item::Attribute(name, Hcl::List(list)) = item
                && name == "depends_on"
            {
                list.extend(after.iter().map(Hcl::code));
            }
        }
        body.block("lambda_function", &[], lambda);
    }

    fn data(&mut self, place: &'static str, ty: &'static str, body: Body) {
        let name = match ty {
            "aws_vpc" | "aws_subnets" => "default",
            "aws_subnet" => "given",
            _ => "current",
        };
        self.places.entry(place).or_insert((ty, name, body));
    }

    fn place(&mut self, place: Place) -> Hcl {
        match place {
            Place::Account => {
                self.data("account", "aws_caller_identity", Body::default());
                Hcl::code("data.aws_caller_identity.current.account_id")
            }
            Place::Region => {
                self.data("region", "aws_region", Body::default());
                Hcl::code("data.aws_region.current.region")
            }
            Place::Partition => {
                self.data("partition", "aws_partition", Body::default());
                Hcl::code("data.aws_partition.current.partition")
            }
            Place::DefaultVpc => {
                let mut body = Body::default();
                body.set("default", Hcl::Bool(true));
                self.data("vpc", "aws_vpc", body);
                Hcl::code("data.aws_vpc.default.id")
            }
            Place::DefaultSubnets => {
                let vpc = self.place(Place::DefaultVpc);
                let mut filter = Body::default();
                filter.set("name", "vpc-id");
                filter.set("values", Hcl::List(vec![vpc]));
                let mut body = Body::default();
                body.block("filter", &[], filter);
                self.data("zsubnets", "aws_subnets", body);
                Hcl::code("join(\",\", data.aws_subnets.default.ids)")
            }
        }
    }

    fn expr(&mut self, expr: &Expr) -> Hcl {
        match expr {
            Expr::Literal(json) => json.into(),
            // Refused where it would be printed.
            Expr::Unknown => Hcl::Null,
            Expr::Input(name) => Hcl::code(format!("var.{name}")),
            Expr::Place(place) => self.place(*place),
            Expr::Attribute(key, attribute) => self.attribute(key, attribute),
            Expr::Concat(parts) => Hcl::Template(parts.iter().map(|part| self.expr(part)).collect()),
            Expr::Json(inner) => Hcl::Call("jsonencode", vec![self.expr(inner)]),
            Expr::Member(inner, name) => {
                let inner = self.expr(inner).render(0);
                Hcl::code(format!("jsondecode({inner}).{name}"))
            }
            Expr::Hash(inner) => {
                let hash = Hcl::Call("sha256", vec![self.expr(inner)]);
                Hcl::Call("substr", vec![hash, Hcl::Number("0".to_owned()), Hcl::Number("8".to_owned())])
            }
            Expr::VpcOf(subnet) => {
                let mut body = Body::default();
                body.set("id", self.expr(subnet));
                self.data("subnet", "aws_subnet", body);
                Hcl::code("data.aws_subnet.given.vpc_id")
            }
            Expr::Merge(parts) => Hcl::Call("merge", parts.iter().map(|part| self.expr(part)).collect()),
            Expr::Product(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.expr(part).render(0)).collect();
                Hcl::code(parts.join(" * "))
            }
            Expr::List(items) => Hcl::List(items.iter().map(|item| self.expr(item)).collect()),
            Expr::Map(entries) => {
                Hcl::Map(entries.iter().map(|(key, value)| (key.clone(), self.expr(value))).collect())
            }
        }
    }

    fn attribute(&mut self, key: &Key, attribute: &str) -> Hcl {
        let address = address(key);
        let kind = key.as_str().split('.').next().unwrap_or_default();
        let name = match (kind, attribute) {
            ("ecr_repository", "url") => "repository_url",
            // Without a revision: the latest is meant.
            ("ecs_task_definition", "arn") => "arn_without_revision",
            ("ecr_image", "reference") => return self.image(key),
            (_, same) => same,
        };
        Hcl::code(format!("{address}.{name}"))
    }

    /// The image that somebody pushes to the repository.
    fn image(&mut self, key: &Key) -> Hcl {
        let role = role(key).to_owned();
        let variable = format!("{role}_image_tag");
        if self.variables.iter().all(|known| known.name != variable) {
            self.variables.push(Variable {
                name: variable.clone(),
                doc: "Tag of the image to run, once it is pushed to the repository that this module makes."
                    .to_owned(),
                ty: "string".to_owned(),
                default: None,
                validation: None,
                sensitive: false,
                target: None,
            });
        }
        let repository = self.graph.get(key).and_then(|image| image.fields.get("repository")).map_or(
            Hcl::Null,
            |repository| match repository {
                Expr::Attribute(repository, _) => {
                    Hcl::code(format!("{}.repository_url", address(repository)))
                }
                _ => Hcl::Null,
            },
        );
        Hcl::Template(vec![repository, ":".into(), Hcl::code(format!("var.{variable}"))])
    }
}

fn address(key: &Key) -> String {
    format!("aws_{}", key.as_str())
}
