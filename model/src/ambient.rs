//! Facts about the place of a composite.

/// Facts about the place of a composite: its account and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ambient {
    /// The 12-digit account id.
    Account,
    /// The region, e.g. `eu-central-1`.
    Region,
    /// The partition, e.g. `aws`, `aws-cn` or `aws-us-gov`.
    Partition,
    /// The id of the default VPC.
    DefaultVpc,
    /// The ids of the default VPC's subnets, separated by commas.
    DefaultSubnets,
}
