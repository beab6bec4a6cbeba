//! Managed resources.

use serde_json::Value as Json;

use super::{Entry, Inner, decode, defect, encode, undeclared, wire};
use crate::check;
use crate::diagnostic::{Diagnostic, any_error};
use crate::json;
use crate::proto;
use crate::provider::{ApplyRequest, PlanRequest, ReadRequest, Resource};
use crate::schema::{Block, Mode, Nesting};
use crate::value::Value;

impl Inner {
    fn resource(&self, name: &str) -> Result<&Entry<dyn Resource>, Diagnostic> {
        self.resources.get(name).ok_or_else(|| undeclared("resource type", name))
    }

    pub(super) async fn validate_resource_type_config(
        &self,
        request: proto::validate_resource_type_config::Request,
    ) -> proto::validate_resource_type_config::Response {
        let answer = async {
            let entry = self.resource(&request.type_name)?;
            let config = decode(request.config.as_ref(), &entry.declared.ty)?;
            Ok(entry.item.validate(config).await)
        };
        let diagnostics = wire(answer.await.unwrap_or_else(|diagnostic| vec![diagnostic]));
        proto::validate_resource_type_config::Response { diagnostics }
    }

    pub(super) async fn upgrade_resource_state(
        &self,
        request: proto::upgrade_resource_state::Request,
    ) -> proto::upgrade_resource_state::Response {
        let answer = async {
            let entry = self.resource(&request.type_name).map_err(|diagnostic| vec![diagnostic])?;
            let stored = parse_state(request.raw_state.as_ref()).map_err(|diagnostic| vec![diagnostic])?;
            let upgraded = entry.item.upgrade(request.version, stored).await?;
            let value = json::decode(&upgraded, &entry.declared.ty)
                .map_err(|error| vec![unreadable(&error.to_string())])?;
            encode(&value, &entry.declared.ty).map_err(|diagnostic| vec![diagnostic])
        };
        match answer.await {
            Ok(state) => proto::upgrade_resource_state::Response {
                upgraded_state: Some(state),
                diagnostics: Vec::new(),
            },
            Err(diagnostics) => proto::upgrade_resource_state::Response {
                upgraded_state: None,
                diagnostics: wire(diagnostics),
            },
        }
    }

    pub(super) async fn read_resource(
        &self,
        request: proto::read_resource::Request,
    ) -> proto::read_resource::Response {
        let answer = async {
            let entry = self.resource(&request.type_name)?;
            let declared = &entry.declared;
            let state = decode(request.current_state.as_ref(), &declared.ty)?;
            let read = ReadRequest { state, private: request.private.clone() };
            let mut answer = entry.item.read(read, self.context()).await;
            if !any_error(&answer.diagnostics) {
                let broken = check::stored(&declared.schema.block, &answer.state);
                if !broken.is_empty() {
                    answer.diagnostics.push(defect(&broken));
                }
            }
            Ok::<_, Diagnostic>(proto::read_resource::Response {
                new_state: Some(encode(&answer.state, &declared.ty)?),
                private: answer.private,
                diagnostics: wire(answer.diagnostics),
                ..Default::default()
            })
        };
        // With an error, Terraform expects the current state in the response.
        answer.await.unwrap_or_else(|diagnostic| proto::read_resource::Response {
            new_state: request.current_state.clone(),
            private: request.private.clone(),
            diagnostics: wire(vec![diagnostic]),
            ..Default::default()
        })
    }

    pub(super) async fn plan_resource_change(
        &self,
        request: proto::plan_resource_change::Request,
    ) -> proto::plan_resource_change::Response {
        let answer = async {
            let entry = self.resource(&request.type_name)?;
            let declared = &entry.declared;
            let block = &declared.schema.block;
            let prior = decode(request.prior_state.as_ref(), &declared.ty)?;
            let mut proposed = decode(request.proposed_new_state.as_ref(), &declared.ty)?;
            let config = decode(request.config.as_ref(), &declared.ty)?;
            check::clear_write_only(block, &mut proposed);
            let plan = PlanRequest {
                prior: prior.clone(),
                proposed,
                config: config.clone(),
                private: request.prior_private,
            };
            let mut answer = entry.item.plan(plan, self.context()).await;
            if any_error(&answer.diagnostics) {
                return Ok(proto::plan_resource_change::Response {
                    diagnostics: wire(answer.diagnostics),
                    ..Default::default()
                });
            }
            check::clear_write_only(block, &mut answer.planned);
            let mut broken = check::plan(block, &config, &prior, &answer.planned);
            broken.extend(check::replace_paths(&declared.ty, &answer.requires_replace));
            if !broken.is_empty() {
                answer.diagnostics.push(defect(&broken));
            }
            Ok::<_, Diagnostic>(proto::plan_resource_change::Response {
                planned_state: Some(encode(&answer.planned, &declared.ty)?),
                requires_replace: answer.requires_replace.iter().map(Into::into).collect(),
                planned_private: answer.private,
                diagnostics: wire(answer.diagnostics),
                ..Default::default()
            })
        };
        answer.await.unwrap_or_else(|diagnostic| proto::plan_resource_change::Response {
            diagnostics: wire(vec![diagnostic]),
            ..Default::default()
        })
    }

    pub(super) async fn apply_resource_change(
        &self,
        request: proto::apply_resource_change::Request,
    ) -> proto::apply_resource_change::Response {
        let (prior_wire, private) = (request.prior_state.clone(), request.planned_private.clone());
        let answer = async {
            let entry = self.resource(&request.type_name)?;
            let declared = &entry.declared;
            let block = &declared.schema.block;
            let planned = decode(request.planned_state.as_ref(), &declared.ty)?;
            let apply = ApplyRequest {
                prior: decode(request.prior_state.as_ref(), &declared.ty)?,
                planned: planned.clone(),
                config: decode(request.config.as_ref(), &declared.ty)?,
                private: request.planned_private,
            };
            let mut answer = entry.item.apply(apply, self.context()).await;
            check::clear_write_only(block, &mut answer.state);
            if let Err(diagnostic) = encode(&answer.state, &declared.ty) {
                // The state does not fit the schema. Store the planned one, so that new objects are not lost.
                answer.diagnostics.push(diagnostic);
                answer.state = check::known(&planned);
            }
            if !any_error(&answer.diagnostics) {
                let broken = check::apply(block, &planned, &answer.state);
                if !broken.is_empty() {
                    answer.diagnostics.push(defect(&broken));
                }
            }
            Ok::<_, Diagnostic>(proto::apply_resource_change::Response {
                new_state: Some(encode(&answer.state, &declared.ty)?),
                private: answer.private,
                diagnostics: wire(answer.diagnostics),
                ..Default::default()
            })
        };
        answer.await.unwrap_or_else(|diagnostic| proto::apply_resource_change::Response {
            new_state: prior_wire,
            private,
            diagnostics: wire(vec![diagnostic]),
            ..Default::default()
        })
    }

    pub(super) async fn import_resource_state(
        &self,
        request: proto::import_resource_state::Request,
    ) -> proto::import_resource_state::Response {
        let answer = async {
            let entry = self.resource(&request.type_name).map_err(|diagnostic| vec![diagnostic])?;
            let declared = &entry.declared;
            if request.id.is_empty() {
                return Err(vec![Diagnostic::error(
                    "An import requires an id",
                    format!("`{}` has no identity. Set `id` in the `import` block.", request.type_name),
                )]);
            }
            let imported = entry.item.import(request.id, self.context()).await?;
            let mut diagnostics = imported.diagnostics;
            let broken = check::stored(&declared.schema.block, &imported.state);
            if !broken.is_empty() {
                diagnostics.push(defect(&broken));
            }
            let state = encode(&imported.state, &declared.ty).map_err(|diagnostic| vec![diagnostic])?;
            Ok(proto::import_resource_state::Response {
                imported_resources: vec![proto::import_resource_state::ImportedResource {
                    type_name: request.type_name.clone(),
                    state: Some(state),
                    ..Default::default()
                }],
                diagnostics: wire(diagnostics),
                ..Default::default()
            })
        };
        answer.await.unwrap_or_else(|diagnostics| proto::import_resource_state::Response {
            diagnostics: wire(diagnostics),
            ..Default::default()
        })
    }

    /// Always an error: no resource accepts the state of another type, and the capability is off.
    pub(super) async fn move_resource_state(
        &self,
        request: proto::move_resource_state::Request,
    ) -> proto::move_resource_state::Response {
        let diagnostic = match self.resource(&request.target_type_name) {
            Err(diagnostic) => diagnostic,
            Ok(_) => Diagnostic::error(
                "Move is not supported",
                format!(
                    "The state of `{}` cannot be moved to `{}`. Remove the `moved` block \
                     and import the object instead.",
                    request.source_type_name, request.target_type_name
                ),
            ),
        };
        proto::move_resource_state::Response { diagnostics: wire(vec![diagnostic]), ..Default::default() }
    }

    pub(super) async fn upgrade_resource_identity(
        &self,
        request: proto::upgrade_resource_identity::Request,
    ) -> proto::upgrade_resource_identity::Response {
        let diagnostic = match self.resource(&request.type_name) {
            Err(diagnostic) => diagnostic,
            Ok(_) => Diagnostic::error(
                "The resource has no identity",
                format!("`{}` has no identity to upgrade.", request.type_name),
            ),
        };
        proto::upgrade_resource_identity::Response {
            diagnostics: wire(vec![diagnostic]),
            ..Default::default()
        }
    }

    /// The configuration of an imported resource: its state without computed and deprecated attributes.
    pub(super) async fn generate_resource_config(
        &self,
        request: proto::generate_resource_config::Request,
    ) -> proto::generate_resource_config::Response {
        let answer = self.resource(&request.type_name).and_then(|entry| {
            let mut state = decode(request.state.as_ref(), &entry.declared.ty)?;
            clear_computed(&entry.declared.schema.block, &mut state);
            encode(&state, &entry.declared.ty)
        });
        match answer {
            Ok(config) => {
                proto::generate_resource_config::Response { config: Some(config), ..Default::default() }
            }
            Err(diagnostic) => proto::generate_resource_config::Response {
                diagnostics: wire(vec![diagnostic]),
                ..Default::default()
            },
        }
    }
}

fn clear_computed(block: &Block, value: &mut Value) {
    let Value::Map(entries) = value else { return };
    for attribute in &block.attributes {
        if attribute.mode == Mode::Computed || attribute.deprecated.is_some() {
            entries.insert(attribute.name.clone(), Value::Null);
        }
    }
    for nested in &block.blocks {
        match (nested.nesting, entries.get_mut(&nested.name)) {
            (Nesting::Single | Nesting::Group, Some(value)) => clear_computed(&nested.block, value),
            (Nesting::Map, Some(Value::Map(blocks))) => {
                blocks.values_mut().for_each(|value| clear_computed(&nested.block, value));
            }
            (_, Some(Value::List(blocks))) => {
                blocks.iter_mut().for_each(|value| clear_computed(&nested.block, value));
            }
            _ => {}
        }
    }
}

fn parse_state(raw: Option<&proto::RawState>) -> Result<Json, Diagnostic> {
    let raw = raw.ok_or_else(|| unreadable("it is missing"))?;
    if raw.json.is_empty() {
        return Err(unreadable("it is in the format of Terraform 0.11 or older"));
    }
    serde_json::from_slice(&raw.json).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::error(
        "The stored state cannot be read",
        format!(
            "{why}. Restore the state from a backup, or remove the resource with `terraform state \
             rm` and import it again."
        ),
    )
}
