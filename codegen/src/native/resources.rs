//! Resources of hashicorp/aws with nested blocks or names that differ from the fields of the kind.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::expr::{Ambient, Expr};
use tandem_model::graph::{Key, Object};
use tandem_model::input::{Rule, Shape};
use tandem_model::kinds::s3;

use super::expressions::address;
use super::{Printer, role};
use crate::hcl::{Body, Hcl, Item};
use crate::spec::bootstrap;
use crate::variables::Variable;

impl Printer<'_> {
    /// Moves fields into nested blocks and renames them, where hashicorp/aws differs from the kind.
    pub(super) fn special(
        &mut self,
        object: &Object,
        fields: &mut BTreeMap<&str, Hcl>,
        body: &mut Body,
        blocks: &mut Body,
    ) {
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
            "lambda_function_event_invoke_config" | "lambda_event_source_mapping" => {
                if let Some(to) = fields.remove("on_failure") {
                    let of_mapping = object.kind.name == "lambda_event_source_mapping";
                    let attribute = if of_mapping { "destination_arn" } else { "destination" };
                    let mut destinations = Body::default();
                    destinations.block("on_failure", &[], nested(vec![(attribute, Some(to))]));
                    blocks.block("destination_config", &[], destinations);
                }
                if let Some(pattern) = fields.remove("filter_pattern") {
                    let mut criteria = Body::default();
                    criteria.block("filter", &[], nested(vec![("pattern", Some(pattern))]));
                    blocks.block("filter_criteria", &[], criteria);
                }
            }
            "sqs_queue_policy" | "sqs_queue_redrive_allow_policy" => {
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
            _ => self.special_of_service(object, fields, body, blocks),
        }
    }

    /// Writes the code of a function: a zip file from `tandem build`, whose path is a variable.
    pub(super) fn function(
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
            let base = if handler { &self.layout.entry.handlers } else { &self.layout.entry.spec };
            // AWS requires a zip file. `tandem build` writes it next to the binary.
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
                "Path of the zip file that contains `bootstrap`. Default: the output of `tandem build`.",
                Hcl::Null,
            );
            let architecture = own("architecture");
            self.variable(
                &architecture,
                "Architecture that the code is built for, `x86_64` or `arm64`. Pass the same value to `tandem \
                 build --architecture`.",
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

    pub(super) fn variable(&mut self, name: &str, doc: &str, default: Hcl) {
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

    pub(super) fn task_definition(
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
        let region = self.expr(&Expr::Ambient(Ambient::Region));
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

    /// Converts a map to the list of names and values that ECS expects. All values become strings.
    pub(super) fn pairs(&mut self, expr: &Expr, value_key: &str) -> Hcl {
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

    /// Adds a notification to the notification configuration of its bucket. For a bucket that the module does
    /// not create, it becomes an output, because the root module contains that configuration.
    pub(super) fn notification(&mut self, object: &Object) {
        let own = object.fields.get("bucket").cloned().unwrap_or(Expr::Unknown);
        let pairs = ["id", "lambda_function_arn", "events", "filter_prefix", "filter_suffix"];
        let mut entry: Vec<(String, Hcl)> = Vec::new();
        for name in pairs {
            let value = match object.fields.get(name) {
                None => Hcl::Null,
                Some(Expr::Literal(Json::String(text))) if name.starts_with("filter_") => {
                    Hcl::text(s3::encoded(text))
                }
                Some(expr) => self.expr(expr),
            };
            entry.push((name.to_owned(), value));
        }
        let Expr::Attribute(made, _) = &own else {
            entry.insert(0, ("bucket".to_owned(), self.expr(&own)));
            self.notifications.push(Hcl::Map(entry));
            return;
        };
        let mut lambda = Body::default();
        entry
            .into_iter()
            .filter(|(_, value)| *value != Hcl::Null)
            .for_each(|(name, value)| lambda.set(&name, value));
        let document = self.document(made);
        depend(document, object.after.iter().map(|key| Hcl::code(address(key))));
        document.block("lambda_function", &[], lambda);
    }

    /// Enables EventBridge in the notification configuration of a bucket.
    pub(super) fn event_bridge(&mut self, object: &Object) -> Result<(), String> {
        let Some(Expr::Attribute(bucket, _)) = object.fields.get("bucket") else {
            return Err(format!("`{}` belongs to a bucket that the module does not create", object.key));
        };
        let heard = Item::Attribute("eventbridge".to_owned(), Hcl::Bool(true));
        self.document(bucket).items.insert(AFTER_BUCKET, heard);
        Ok(())
    }

    /// Returns the notification configuration of a bucket that this module creates.
    fn document(&mut self, bucket: &Key) -> &mut Body {
        let name = role(bucket);
        let there =
            self.resources.iter().position(|(ty, own, _)| ty == "aws_s3_bucket_notification" && own == name);
        let index = there.unwrap_or_else(|| {
            let mut body = Body::default();
            body.set("bucket", Hcl::code(format!("{}.bucket", address(bucket))));
            self.add("s3_bucket_notification", name, body);
            self.resources.len() - 1
        });
        &mut self.resources[index].2
    }
}

/// Position of further attributes in a notification configuration: before its blocks.
const AFTER_BUCKET: usize = 1;

/// Adds dependencies to a notification configuration.
fn depend(document: &mut Body, after: impl Iterator<Item = Hcl>) {
    let known = document.items.iter_mut().find_map(|item| match item {
        Item::Attribute(name, Hcl::List(list)) if name == "depends_on" => Some(list),
        _ => None,
    });
    match known {
        Some(list) => list.extend(after),
        None => document
            .items
            .insert(AFTER_BUCKET, Item::Attribute("depends_on".to_owned(), Hcl::List(after.collect()))),
    }
}

/// A block with the attributes that have a value.
pub(super) fn nested(pairs: Vec<(&str, Option<Hcl>)>) -> Body {
    let mut body = Body::default();
    for (name, value) in pairs {
        if let Some(value) = value {
            body.set(name, value);
        }
    }
    body
}
