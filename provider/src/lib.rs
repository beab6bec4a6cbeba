//! The Terraform provider of Tandem as a library. The program calls [`run`]. Tests call AWS through [`aws`],
//! or replace it with [`provider`].

pub mod aws;
mod build_context;
mod composite;
mod config;
pub mod container_engine;
mod convert;
mod files;
mod holder;
mod planned;
mod random;
mod remedy;
mod state;
pub mod sweep;
mod upgrade;

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use tandem_model::composites;
use tfplugin::provider::{ConfigureRequest, Provider, Resource};
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Options, Value};

use composite::CompositeResource;
pub use config::Outside;
use config::Shared;

/// The provider, with one resource per composite.
struct Tandem(Arc<Shared>);

#[async_trait]
impl Provider for Tandem {
    fn schema(&self) -> Schema {
        config::schema()
    }

    async fn validate(&self, config: Value) -> Vec<Diagnostic> {
        config::validate(&config)
    }

    async fn configure(&self, request: ConfigureRequest) -> Vec<Diagnostic> {
        self.0.configure(&request.config)
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        let resource = |definition| -> Arc<dyn Resource> {
            Arc::new(CompositeResource { definition, shared: self.0.clone() })
        };
        composites::ALL.iter().map(resource).collect()
    }
}

/// The provider with these connections.
pub fn provider(outside: Outside) -> impl Provider {
    Tandem(Arc::new(Shared::new(outside)))
}

/// Serves the provider to Terraform. `arguments` are those of the process without the program name.
pub async fn run(arguments: &[String]) -> ExitCode {
    log();
    let options = Options {
        source: "tandem/tandem",
        version: env!("CARGO_PKG_VERSION"),
        commands: &[("sweep", "Find AWS objects that no state records, and delete them; see `sweep --help`")],
    };
    tfplugin::serve(provider(Outside::default()), options, arguments).await
}

/// Starts logging if `TF_LOG` or a related variable is set.
fn log() {
    tfplugin::log::init("tandem", &["terraform_provider_tandem", "tandem_engine", "tfplugin"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfplugin::Server;

    #[test]
    fn the_schema_has_no_defects() {
        assert_eq!(Server::new(Tandem(Arc::default())).schema_defects(), Vec::<String>::new());
    }
}
