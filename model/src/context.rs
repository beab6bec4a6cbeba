//! What an expansion needs to know that is neither input nor state of its own objects.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::artifact::CodeFacts;
use crate::expr::Place;

/// What is known where a composite is expanded. What is `None` is not known yet.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The project, first part of every name.
    pub project: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The default VPC, once it was looked for.
    pub network: Option<Network>,
    /// Whether this is an apply: what is looked at now is final.
    pub applying: bool,
    /// Tags for everything, from the provider's configuration.
    pub default_tags: BTreeMap<String, String>,
    /// Facts about the files that inputs name; an error where a file cannot be used.
    pub code: BTreeMap<String, Result<CodeFacts, String>>,
    /// Settings of existing objects that inputs name by ARN.
    pub objects: BTreeMap<String, BTreeMap<String, Json>>,
    /// The VPCs of subnets that inputs name; `None` for one that does not exist, an error where that cannot be told.
    pub subnets: BTreeMap<String, Result<Option<String>, String>>,
    /// What build contexts hold, by [`BuildContext`]; an error where one cannot be used.
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

/// A folder that an image is built from, and the Dockerfile in it. The fact about it is a hash of all
/// that is sent to the engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildContext {
    /// The folder.
    pub folder: String,
    /// The Dockerfile, from the folder on.
    pub dockerfile: String,
}

impl Context {
    /// A fact about the place, when it is known.
    pub fn place(&self, place: Place) -> Option<String> {
        match place {
            Place::Account => self.account.clone(),
            Place::Region => self.region.clone(),
            Place::Partition => self.region.as_deref().map(|region| partition(region).to_owned()),
            Place::DefaultVpc => self.network.as_ref().map(|network| network.vpc.clone()),
            Place::DefaultSubnets => self.network.as_ref().map(|network| network.subnets.join(",")),
        }
    }
}

/// The partition that a region belongs to.
pub fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}
