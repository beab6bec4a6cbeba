//! The partitions of AWS: groups of regions with their own accounts, ARNs and domains.
//!
//! `cargo xtask aws-facts` writes the data.

mod data;

use std::sync::LazyLock;

use regex::Regex;

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The name in ARNs, e.g. `aws-cn`.
    pub id: &'static str,
    /// The domain of its endpoints, e.g. `amazonaws.com.cn`.
    pub dns_suffix: &'static str,
    /// The pattern of the names of its regions.
    pub region_pattern: &'static str,
    /// Its regions today.
    pub regions: &'static [&'static str],
}

/// All partitions; the first one is that of most regions.
pub fn all() -> &'static [Partition] {
    data::PARTITIONS
}

/// The partition that a region belongs to. A region that is not known yet belongs to the partition whose pattern it
/// matches, or to `aws`.
pub fn of_region(region: &str) -> &'static Partition {
    static PATTERNS: LazyLock<Vec<Option<Regex>>> =
        LazyLock::new(|| data::PARTITIONS.iter().map(|one| Regex::new(one.region_pattern).ok()).collect());
    let listed = data::PARTITIONS.iter().find(|one| one.regions.contains(&region));
    let matches = |index: usize| PATTERNS[index].as_ref().is_some_and(|pattern| pattern.is_match(region));
    let matched =
        || (0..data::PARTITIONS.len()).find(|index| matches(*index)).map(|index| &data::PARTITIONS[index]);
    listed.or_else(matched).unwrap_or(&data::PARTITIONS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_belong_to_their_partitions() {
        for (region, id, dns_suffix) in [
            ("eu-central-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
            ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
            // Regions that do not exist yet.
            ("cn-south-9", "aws-cn", "amazonaws.com.cn"),
            ("eu-isoe-west-9", "aws-iso-e", "cloud.adc-e.uk"),
            ("eu-north-9", "aws", "amazonaws.com"),
        ] {
            let partition = of_region(region);
            assert_eq!((partition.id, partition.dns_suffix), (id, dns_suffix), "{region}");
        }
        for partition in all() {
            for region in partition.regions {
                assert_eq!(of_region(region), partition, "{region}");
            }
        }
    }
}
