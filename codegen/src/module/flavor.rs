//! Flavors of modules: the provider whose resources they use.

use serde::{Deserialize, Serialize};

use super::{Layout, Module, composite};
use crate::hcl::{Body, Hcl};
use crate::native;
use crate::spec::{App, Entry};

/// The resources that a module uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// Resources of the tandem provider
    #[default]
    Composite,
    /// Only resources of hashicorp/aws
    Native,
}

/// Modules with the resources of one provider.
pub(crate) trait Modules: Sync {
    /// The local name of the provider.
    fn provider(&self) -> &'static str;

    /// The source of the provider in the registry.
    fn source(&self) -> &'static str;

    /// The first version of the provider that has everything in a module.
    fn version(&self, module: &Module) -> String;

    /// The settings of the provider; `None` if it needs none.
    fn settings(&self, app: &App) -> Option<Body>;

    /// The module of an entry. The error names the field that it cannot represent.
    fn entry(&self, app: &App, entry: &Entry, layout: &Layout) -> Result<Module, String>;

    /// Adds resources of several entries to the root module.
    fn root(&self, app: &App, whole: &mut Module);

    /// True if the user builds images, and functions need a zip file.
    fn builds_outside(&self) -> bool;
}

impl Flavor {
    /// Its modules.
    pub(crate) fn modules(self) -> &'static dyn Modules {
        match self {
            Self::Composite => &Composite,
            Self::Native => &Native,
        }
    }
}

struct Composite;

impl Modules for Composite {
    fn provider(&self) -> &'static str {
        "tandem"
    }

    fn source(&self) -> &'static str {
        "tandem/tandem"
    }

    fn version(&self, _: &Module) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn settings(&self, app: &App) -> Option<Body> {
        let mut provider = Body::default();
        provider.set("project", Hcl::text(&app.name));
        Some(provider)
    }

    fn entry(&self, _: &App, entry: &Entry, layout: &Layout) -> Result<Module, String> {
        Ok(composite::module(entry, layout))
    }

    fn root(&self, _: &App, _: &mut Module) {}

    fn builds_outside(&self) -> bool {
        false
    }
}

struct Native;

impl Modules for Native {
    fn provider(&self) -> &'static str {
        "aws"
    }

    fn source(&self) -> &'static str {
        "hashicorp/aws"
    }

    fn version(&self, module: &Module) -> String {
        module.requires.to_string()
    }

    fn settings(&self, _: &App) -> Option<Body> {
        None
    }

    fn entry(&self, app: &App, entry: &Entry, layout: &Layout) -> Result<Module, String> {
        native::module(app, entry, layout)
    }

    fn root(&self, app: &App, whole: &mut Module) {
        native::root(app, whole);
    }

    fn builds_outside(&self) -> bool {
        true
    }
}
