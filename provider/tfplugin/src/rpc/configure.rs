//! The provider's configuration.

use super::{Inner, decode, wire};
use crate::proto;
use crate::provider::ConfigureRequest;

impl Inner {
    pub(super) async fn prepare_provider_config(
        &self,
        request: proto::prepare_provider_config::Request,
    ) -> proto::prepare_provider_config::Response {
        let diagnostics = match decode(request.config.as_ref(), &self.schema.ty) {
            Ok(config) => self.provider.validate(config).await,
            Err(diagnostic) => vec![diagnostic],
        };
        proto::prepare_provider_config::Response {
            prepared_config: request.config,
            diagnostics: wire(diagnostics),
        }
    }

    pub(super) async fn configure(&self, request: proto::configure::Request) -> proto::configure::Response {
        let diagnostics = match decode(request.config.as_ref(), &self.schema.ty) {
            Ok(config) => {
                let terraform_version = request.terraform_version;
                self.provider.configure(ConfigureRequest { config, terraform_version }).await
            }
            Err(diagnostic) => vec![diagnostic],
        };
        proto::configure::Response { diagnostics: wire(diagnostics) }
    }
}
