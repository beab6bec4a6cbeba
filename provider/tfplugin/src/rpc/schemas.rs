//! The schemas and functions of the provider.

use super::{Entry, Inner};
use crate::proto::{self, get_metadata as metadata};
use crate::provider::{Parameter, Signature};

const CAPABILITIES: proto::ServerCapabilities = proto::ServerCapabilities {
    plan_destroy: true,
    // Terraform may cache the schema instead of reading it before each operation.
    get_provider_schema_optional: true,
    // No resource accepts the state of another type.
    move_resource_state: false,
    generate_resource_config: true,
};

impl Inner {
    pub(super) async fn get_metadata(&self, _request: metadata::Request) -> metadata::Response {
        metadata::Response {
            server_capabilities: Some(CAPABILITIES),
            resources: self
                .resources
                .keys()
                .map(|name| metadata::ResourceMetadata { type_name: name.clone() })
                .collect(),
            data_sources: self
                .data_sources
                .keys()
                .map(|name| metadata::DataSourceMetadata { type_name: name.clone() })
                .collect(),
            ephemeral_resources: self
                .ephemeral_resources
                .keys()
                .map(|name| metadata::EphemeralResourceMetadata { type_name: name.clone() })
                .collect(),
            functions: self
                .functions
                .keys()
                .map(|name| metadata::FunctionMetadata { name: name.clone() })
                .collect(),
            ..Default::default()
        }
    }

    pub(super) async fn get_schema(
        &self,
        _request: proto::get_provider_schema::Request,
    ) -> proto::get_provider_schema::Response {
        fn wire<T: ?Sized>((name, entry): (&String, &Entry<T>)) -> (String, proto::Schema) {
            (name.clone(), (&entry.declared.schema).into())
        }
        proto::get_provider_schema::Response {
            provider: Some((&self.schema.schema).into()),
            resource_schemas: self.resources.iter().map(wire).collect(),
            data_source_schemas: self.data_sources.iter().map(wire).collect(),
            ephemeral_resource_schemas: self.ephemeral_resources.iter().map(wire).collect(),
            functions: self.signatures().collect(),
            server_capabilities: Some(CAPABILITIES),
            ..Default::default()
        }
    }

    pub(super) async fn get_functions(
        &self,
        _request: proto::get_functions::Request,
    ) -> proto::get_functions::Response {
        proto::get_functions::Response { functions: self.signatures().collect(), ..Default::default() }
    }

    /// An empty map: no resource declares an identity.
    pub(super) async fn get_resource_identity_schemas(
        &self,
        _request: proto::get_resource_identity_schemas::Request,
    ) -> proto::get_resource_identity_schemas::Response {
        proto::get_resource_identity_schemas::Response::default()
    }

    fn signatures(&self) -> impl Iterator<Item = (String, proto::Function)> {
        self.functions.iter().map(|(name, (_, signature))| (name.clone(), signature.into()))
    }
}

impl From<&Signature> for proto::Function {
    fn from(signature: &Signature) -> Self {
        Self {
            parameters: signature.parameters.iter().map(Into::into).collect(),
            variadic_parameter: signature.variadic.as_ref().map(Into::into),
            r#return: Some(proto::function::Return {
                r#type: signature.returns.to_json().to_string().into_bytes(),
            }),
            summary: signature.summary.clone(),
            description: signature.description.clone(),
            description_kind: proto::StringKind::Markdown.into(),
            deprecation_message: String::new(),
        }
    }
}

impl From<&Parameter> for proto::function::Parameter {
    fn from(parameter: &Parameter) -> Self {
        Self {
            name: parameter.name.clone(),
            r#type: parameter.ty.to_json().to_string().into_bytes(),
            allow_null_value: parameter.allow_null,
            // Terraform then sets the result to unknown if an argument is unknown.
            allow_unknown_values: false,
            description: parameter.description.clone(),
            description_kind: proto::StringKind::Markdown.into(),
        }
    }
}
