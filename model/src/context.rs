//! The facts that an expansion uses besides its inputs: place, provider configuration, and files and objects
//! that inputs refer to.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::artifact::CodeFacts;
use crate::expr::Ambient;
use crate::partition;

/// The facts that are known where a composite is expanded. `None` means not known yet.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The project, which is the first part of every name.
    pub project: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The default VPC, once it was looked up.
    pub network: Option<Network>,
    /// True in an apply: facts that are read now are final.
    pub applying: bool,
    /// Tags for every object, from the provider configuration.
    pub default_tags: BTreeMap<String, String>,
    /// Facts about the files that inputs refer to; an error for a file that cannot be used.
    pub code: BTreeMap<String, Result<CodeFacts, String>>,
    /// Settings of existing objects that inputs refer to by ARN.
    pub objects: BTreeMap<String, BTreeMap<String, Json>>,
    /// The VPCs of the subnets that inputs refer to: `None` for a subnet that does not exist, an error for a
    /// failed lookup.
    pub subnets: BTreeMap<String, Result<Option<String>, String>>,
    /// Hashes of build contexts; an error for a build context that cannot be used.
    pub builds: BTreeMap<BuildContext, Result<String, String>>,
}

/// A VPC and its subnets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The id of the VPC.
    pub vpc: String,
    /// The ids of its subnets.
    pub subnets: Vec<String>,
}

/// A folder that an image is built from, and the Dockerfile in it. [`Context::builds`] has a hash of
/// everything that is sent to the container engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildContext {
    /// The folder.
    pub folder: String,
    /// The path of the Dockerfile, relative to the folder.
    pub dockerfile: String,
}

impl Context {
    /// A fact about the place, if it is known.
    pub fn place(&self, place: Ambient) -> Option<String> {
        match place {
            Ambient::Account => self.account.clone(),
            Ambient::Region => self.region.clone(),
            Ambient::Partition => {
                self.region.as_deref().map(|region| partition::of_region(region).id.to_owned())
            }
            Ambient::DefaultVpc => self.network.as_ref().map(|network| network.vpc.clone()),
            Ambient::DefaultSubnets => self.network.as_ref().map(|network| network.subnets.join(",")),
        }
    }
}
