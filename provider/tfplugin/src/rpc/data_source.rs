//! Data sources.

use super::{Entry, Inner, decode, defect, encode, undeclared, wire};
use crate::check;
use crate::diagnostic::Diagnostic;
use crate::proto;
use crate::provider::DataSource;

impl Inner {
    fn data_source(&self, name: &str) -> Result<&Entry<dyn DataSource>, Diagnostic> {
        self.data_sources.get(name).ok_or_else(|| undeclared("data source", name))
    }

    pub(super) async fn validate_data_source_config(
        &self,
        request: proto::validate_data_source_config::Request,
    ) -> proto::validate_data_source_config::Response {
        let answer = async {
            let entry = self.data_source(&request.type_name)?;
            let config = decode(request.config.as_ref(), &entry.declared.ty)?;
            Ok(entry.item.validate(config).await)
        };
        let diagnostics = wire(answer.await.unwrap_or_else(|diagnostic| vec![diagnostic]));
        proto::validate_data_source_config::Response { diagnostics }
    }

    pub(super) async fn read_data_source(
        &self,
        request: proto::read_data_source::Request,
    ) -> proto::read_data_source::Response {
        let answer = async {
            let one = |diagnostic| vec![diagnostic];
            let entry = self.data_source(&request.type_name).map_err(one)?;
            let config = decode(request.config.as_ref(), &entry.declared.ty).map_err(one)?;
            let state = entry.item.read(config, self.context()).await?;
            let broken = check::stored(&entry.declared.schema.block, &state);
            if !broken.is_empty() {
                return Err(vec![defect(&broken)]);
            }
            encode(&state, &entry.declared.ty).map_err(one)
        };
        match answer.await {
            Ok(state) => proto::read_data_source::Response { state: Some(state), ..Default::default() },
            Err(diagnostics) => {
                proto::read_data_source::Response { diagnostics: wire(diagnostics), ..Default::default() }
            }
        }
    }
}
