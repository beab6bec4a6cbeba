//! Names of objects. They follow from project, name and part, so objects are found again after their state is
//! lost.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::expr::{Ambient, Expr};
pub use crate::hash::hash;
use crate::input::Rule;
use crate::ownership::Owner;

/// The maximum length of the name of a composite: with the project and a part it is still readable in AWS.
pub const MAX_NAME: usize = 64;

/// The space for a region, in characters: `ap-northeast-1` and `eusc-de-east-1` have 14, and two are spare.
const LONGEST_REGION: usize = 16;

/// The end of the name of a bucket in the namespace of its account.
pub const OWN_BUCKET: &str = "-an";

/// The space for project, name and part in such a name: S3 allows 63 characters, and an account has 12.
const LONGEST_OWN_BUCKET: usize = 63 - 1 - 12 - 1 - LONGEST_REGION - OWN_BUCKET.len();

/// The minimum number of characters that [`shorten`] keeps: those of a bucket in the namespace of its account, before its
/// hash.
const LEAST_KEPT: usize = LONGEST_OWN_BUCKET - 1 - HASH;

/// The length of a hash, in hexadecimal digits.
const HASH: usize = 8;

impl Rule {
    /// The name of a composite or project.
    pub const NAME: Self = Self::Check(
        "a name of lower-case letters, digits and single hyphens, e.g. `order-intake`",
        check_name,
    );
}

/// Checks the name of a composite or project: lower-case letters, digits and single hyphens.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!(
            "{name:?} is {} characters long, but must have 1 to {MAX_NAME}",
            name.chars().count()
        ));
    }
    let bad = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'));
    if let Some(bad) = bad {
        return Err(format!("{name:?} contains {bad:?}; use lower-case letters, digits and hyphens"));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') || name.contains("--") {
        return Err(format!(
            "{name:?} must start with a letter, not end with a hyphen, and not contain two hyphens in a row"
        ));
    }
    Ok(())
}

/// The name of an object that must be unique in its region.
pub fn regional(context: &Context, name: &str, part: &str, limit: usize) -> Expr {
    regional_text(context, name, part, limit).map_or(Expr::Unknown, Expr::from)
}

/// The same as a string, if the project is known.
pub fn regional_text(context: &Context, name: &str, part: &str, limit: usize) -> Option<String> {
    context.project.as_ref().map(|project| shorten(&join(project, name, &[part]), limit))
}

/// The name of an object that must be unique in its account (IAM). It ends with the region.
pub fn global(context: &Context, name: &str, part: &str, limit: usize) -> Expr {
    let Some(project) = &context.project else { return Expr::Unknown };
    let own = shorten(&join(project, name, &[part]), limit - 2 - LONGEST_REGION);
    Expr::concat([format!("{own}--").into(), Expr::Ambient(Ambient::Region)])
}

/// The name of a bucket, which must be unique in all of AWS. It ends with a hash of account and region.
pub fn bucket(context: &Context, name: &str, part: &str) -> Expr {
    let Some(project) = &context.project else { return Expr::Unknown };
    let place = Expr::concat([Expr::Ambient(Ambient::Account), "/".into(), Expr::Ambient(Ambient::Region)]);
    // S3 allows 63 characters, and a hash follows.
    let own = shorten(&join(project, name, &[part]), 63 - 1 - HASH);
    Expr::concat([format!("{own}-").into(), Expr::Hash(Box::new(place))])
}

/// The name of a bucket in the namespace of the account: S3 demands account, region and `an` at its end.
pub fn own_bucket(context: &Context, name: &str, part: &str) -> Expr {
    let Some(project) = &context.project else { return Expr::Unknown };
    let own = shorten(&join(project, name, &[part]), LONGEST_OWN_BUCKET);
    let (account, region) = (Expr::Ambient(Ambient::Account), Expr::Ambient(Ambient::Region));
    Expr::concat([format!("{own}-").into(), account, "-".into(), region, OWN_BUCKET.into()])
}

/// The prefix of the names of all objects of a project. Of a long project it contains only the part that
/// [`shorten`] always keeps, so objects of other projects may have the same prefix.
pub fn prefix(project: &str) -> String {
    format!("{project}-").chars().take(LEAST_KEPT).collect()
}

/// The prefix of the names of all objects of a composite. Of a long name it contains only the part that
/// [`shorten`] always keeps, so objects of other composites may have the same prefix.
pub fn prefix_of(owner: &Owner) -> String {
    join(&owner.project, &owner.name, &[]).chars().take(LEAST_KEPT).collect()
}

/// The name of an object that is unique in its region, of an existing composite.
pub fn of(owner: &Owner, parts: &[&str], limit: usize) -> String {
    shorten(&join(&owner.project, &owner.name, parts), limit)
}

/// Unique slots: if a slot is taken, the next one with the same name gets a number.
#[derive(Debug, Default)]
pub struct Slots(BTreeSet<String>);

impl Slots {
    /// Returns a unique slot for a string.
    pub fn unique(&mut self, text: &str) -> String {
        let slot = slot(text);
        let mut numbered = slot.clone();
        let mut number = 1;
        while !self.0.insert(numbered.clone()) {
            number += 1;
            numbered = format!("{slot}_{number}");
        }
        numbered
    }
}

/// The prefix of the names of all ECR repositories of a project.
pub fn folder(project: &str) -> String {
    format!("{project}/")
}

/// Joins project, name and parts. Two hyphens separate the parts, since no name contains two: a part
/// `dead-letters` of `x` has another name than a composite `x-dead-letters`.
fn join(project: &str, name: &str, rest: &[&str]) -> String {
    let rest = rest.iter().filter(|part| !part.is_empty()).map(|part| format!("--{part}"));
    format!("{project}-{name}{}", rest.collect::<String>())
}

/// Cuts a name to a limit. A hash of the whole name replaces the part that is cut.
pub fn shorten(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let hash = hash(name);
    let kept: String = name.chars().take(limit - hash.len() - 1).collect();
    format!("{}-{hash}", kept.trim_end_matches('-'))
}

/// Converts a string to a part of a key or id: lower-case letters, digits and underscores.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('_') && !slug.is_empty() {
            slug.push('_');
        }
    }
    slug.trim_end_matches('_').to_owned()
}

/// Returns true for the name or ARN of a FIFO queue or FIFO topic.
pub fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// The name of an event source, from its ARN: that of a queue, of a stream, or of the table of a stream.
pub fn source(arn: &str) -> &str {
    // The ARN of the stream of a table ends with a time, which contains colons.
    let rest = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    rest.split('/').nth(1).unwrap_or(rest)
}

/// The prefix of the slots of the triggers of a function.
pub fn trigger_slot(function: &str) -> String {
    if function == "function" { "on".to_owned() } else { format!("{function}_on") }
}

/// The slot of an object in its graph, from a string that describes its purpose.
pub fn slot(text: &str) -> String {
    shorten(&slug(text), 48).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "upload-notice", "x1"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "1a", "a_b", "a-", "a--b", "ü", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_names_stay_apart() {
        let (one, two) = (shorten(&"a".repeat(70), 64), shorten(&"a".repeat(71), 64));
        assert!(one.len() <= 64 && two.len() <= 64 && one != two);
        assert_eq!(shorten("short", 64), "short");
    }

    #[test]
    fn every_name_begins_with_the_prefix_of_its_project() {
        let text = |expr: Expr| match expr {
            Expr::Literal(text) => text.as_str().expect("a string").to_owned(),
            Expr::Concat(parts) => match &parts[0] {
                Expr::Literal(text) => text.as_str().expect("a string").to_owned(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        // Projects of every length, with a hyphen at every position.
        for length in 1..=MAX_NAME {
            for hyphen in 1..length {
                let mut project = "p".repeat(length);
                if hyphen + 1 < length {
                    project.replace_range(hyphen..=hyphen, "-");
                }
                check_name(&project).expect("a project");
                let prefix = prefix(&project);
                let context = Context { project: Some(project.clone()), ..Context::default() };
                for name in ["n", "some-name", &"n".repeat(MAX_NAME)] {
                    let owner = Owner::parse(&format!("{project}/r/c/{name}")).expect("an owner");
                    let prefix_of = prefix_of(&owner);
                    for part in ["", "dead-letters", "on-thumbnail--scheduler"] {
                        for name in [
                            regional(&context, name, part, 64),
                            global(&context, name, part, 64),
                            bucket(&context, name, part),
                        ] {
                            let name = text(name);
                            assert!(name.starts_with(&prefix), "{name} of {project}");
                            assert!(name.starts_with(&prefix_of), "{name} of {owner}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn slugs_are_identifiers() {
        assert_eq!(slug("uploads/.MP4"), "uploads_mp4");
        assert_eq!(slug(".."), "");
    }
}
