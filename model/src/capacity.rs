//! The capacity of container tasks: a word for each way to start them on Fargate.

/// The parameter of RunTask that sets the capacity. AWS rejects a call with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// A launch type. It works on every cluster.
    LaunchType(&'static str),
    /// A capacity provider strategy: the providers, all with the same weight. AWS rejects it on a cluster without
    /// these providers, e.g. one from `aws ecs create-cluster`.
    Strategy(&'static [&'static str]),
}

/// The words and the parameter of each. Only a strategy can start tasks on Spot capacity.
pub const CAPACITIES: &[(&str, Capacity)] = &[
    ("fargate", Capacity::LaunchType("FARGATE")),
    ("fargate_spot", Capacity::Strategy(&["FARGATE_SPOT"])),
    ("mixed", Capacity::Strategy(PROVIDERS)),
];

/// The capacity providers that a cluster needs for every word.
pub const PROVIDERS: &[&str] = &["FARGATE", "FARGATE_SPOT"];

/// The words alone, for the rule of an input.
pub const WORDS: &[&str] = &[CAPACITIES[0].0, CAPACITIES[1].0, CAPACITIES[2].0];

/// The parameter for a word; `None` for an unknown word.
pub fn of(word: &str) -> Option<Capacity> {
    CAPACITIES.iter().find(|(known, _)| *known == word).map(|(_, capacity)| *capacity)
}

/// The word for a launch type, or for the providers of a strategy in any order; `None` if there is no such word.
///
/// A strategy of a launch type alone is the same capacity: older versions started tasks with it.
pub fn word(launch_type: Option<&str>, providers: &[&str]) -> Option<&'static str> {
    let is = |capacity: Capacity| match (capacity, launch_type) {
        (Capacity::LaunchType(own), Some(launch_type)) => providers.is_empty() && own == launch_type,
        (Capacity::LaunchType(own), None) => providers == [own],
        (Capacity::Strategy(_), Some(_)) => false,
        (Capacity::Strategy(own), None) => {
            own.len() == providers.len() && own.iter().all(|name| providers.contains(name))
        }
    };
    CAPACITIES.iter().find(|(_, capacity)| is(*capacity)).map(|(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_allowed() {
        assert_eq!(WORDS.to_vec(), CAPACITIES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    }

    #[test]
    fn words_are_read_from_launch_types_and_strategies() {
        for (launch_type, providers, expected) in [
            (Some("FARGATE"), &[][..], Some("fargate")),
            (None, &["FARGATE"], Some("fargate")),
            (None, &["FARGATE_SPOT"], Some("fargate_spot")),
            (None, &["FARGATE", "FARGATE_SPOT"], Some("mixed")),
            (None, &["FARGATE_SPOT", "FARGATE"], Some("mixed")),
            (Some("EC2"), &[], None),
            (None, &["mine"], None),
            (None, &[], None),
        ] {
            assert_eq!(word(launch_type, providers), expected, "{launch_type:?} {providers:?}");
        }
    }
}
