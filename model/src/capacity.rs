//! The capacity of container tasks: a word for each mix of the capacity providers of Fargate.

/// The words and the capacity providers of each, all with the same weight.
pub const CAPACITIES: &[(&str, &[&str])] = &[
    ("fargate", &["FARGATE"]),
    ("fargate_spot", &["FARGATE_SPOT"]),
    ("mixed", &["FARGATE", "FARGATE_SPOT"]),
];

/// The words alone, for the rule of an input.
pub const WORDS: &[&str] = &[CAPACITIES[0].0, CAPACITIES[1].0, CAPACITIES[2].0];

/// The capacity providers of a word; empty for an unknown word.
pub fn providers(word: &str) -> &'static [&'static str] {
    CAPACITIES.iter().find(|(known, _)| *known == word).map_or(&[], |(_, providers)| providers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_allowed() {
        assert_eq!(WORDS.to_vec(), CAPACITIES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    }
}
