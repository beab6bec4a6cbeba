//! Ephemeral resources.

use super::{Entry, Inner, decode, encode, undeclared, wire};
use crate::diagnostic::Diagnostic;
use crate::proto;
use crate::provider::EphemeralResource;

impl Inner {
    fn ephemeral(&self, name: &str) -> Result<&Entry<dyn EphemeralResource>, Diagnostic> {
        self.ephemeral_resources.get(name).ok_or_else(|| undeclared("ephemeral resource", name))
    }

    pub(super) async fn validate_ephemeral_resource_config(
        &self,
        request: proto::validate_ephemeral_resource_config::Request,
    ) -> proto::validate_ephemeral_resource_config::Response {
        let answer = async {
            let entry = self.ephemeral(&request.type_name)?;
            let config = decode(request.config.as_ref(), &entry.declared.ty)?;
            Ok(entry.item.validate(config).await)
        };
        let diagnostics = wire(answer.await.unwrap_or_else(|diagnostic| vec![diagnostic]));
        proto::validate_ephemeral_resource_config::Response { diagnostics }
    }

    pub(super) async fn open_ephemeral_resource(
        &self,
        request: proto::open_ephemeral_resource::Request,
    ) -> proto::open_ephemeral_resource::Response {
        let answer = async {
            let one = |diagnostic| vec![diagnostic];
            let entry = self.ephemeral(&request.type_name).map_err(one)?;
            let config = decode(request.config.as_ref(), &entry.declared.ty).map_err(one)?;
            let opened = entry.item.open(config, self.context()).await?;
            Ok(proto::open_ephemeral_resource::Response {
                result: Some(encode(&opened.result, &entry.declared.ty).map_err(one)?),
                private: Some(opened.private),
                renew_at: opened.renew_at.map(Into::into),
                ..Default::default()
            })
        };
        answer.await.unwrap_or_else(|diagnostics| proto::open_ephemeral_resource::Response {
            diagnostics: wire(diagnostics),
            ..Default::default()
        })
    }

    pub(super) async fn renew_ephemeral_resource(
        &self,
        request: proto::renew_ephemeral_resource::Request,
    ) -> proto::renew_ephemeral_resource::Response {
        let answer = async {
            let entry = self.ephemeral(&request.type_name).map_err(|diagnostic| vec![diagnostic])?;
            entry.item.renew(request.private.unwrap_or_default()).await
        };
        match answer.await {
            Ok((private, renew_at)) => proto::renew_ephemeral_resource::Response {
                private: Some(private),
                renew_at: renew_at.map(Into::into),
                ..Default::default()
            },
            Err(diagnostics) => proto::renew_ephemeral_resource::Response {
                diagnostics: wire(diagnostics),
                ..Default::default()
            },
        }
    }

    pub(super) async fn close_ephemeral_resource(
        &self,
        request: proto::close_ephemeral_resource::Request,
    ) -> proto::close_ephemeral_resource::Response {
        let diagnostics = match self.ephemeral(&request.type_name) {
            Ok(entry) => entry.item.close(request.private.unwrap_or_default()).await,
            Err(diagnostic) => vec![diagnostic],
        };
        proto::close_ephemeral_resource::Response { diagnostics: wire(diagnostics) }
    }
}
