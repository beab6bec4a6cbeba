//! Names of objects: deterministic from project, name and role, so that a lost state finds again
//! what it made.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::expr::{Expr, Place};
use crate::ownership::Owner;
use sha2::{Digest, Sha256};

/// The longest name of a composite: with the project and a role it still reads well in AWS.
pub const MAX_NAME: usize = 64;

/// Room for the longest name of a region: `ap-northeast-1`, `eusc-de-east-1`, and two more.
const LONGEST_REGION: usize = 16;

/// What shortening leaves of a name at the least: of that of a role in IAM, before its hash.
const LEAST_KEPT: usize = 64 - 2 - LONGEST_REGION - 1 - HASH;

/// The length of a hash in hexadecimal digits.
const HASH: usize = 8;

/// How long a shortened name is at the least: hyphens at the end of what is kept, two at the most, go.
const SHORTEST_CUT: usize = LEAST_KEPT - 2 + 1 + HASH;

/// Checks the name of a composite or project: lower case, digits and single hyphens.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!(
            "{name:?} is {} characters long, it may be 1 to {MAX_NAME}",
            name.chars().count()
        ));
    }
    let bad = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'));
    if let Some(bad) = bad {
        return Err(format!("{name:?} holds {bad:?}; lower-case letters, digits and hyphens are allowed"));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') || name.contains("--") {
        return Err(format!(
            "{name:?} must start with a letter, not end with a hyphen, and not hold two in a row"
        ));
    }
    Ok(())
}

/// The name of an object that is unique in its region.
pub fn regional(context: &Context, name: &str, role: &str, limit: usize) -> Expr {
    regional_text(context, name, role, limit).map_or(Expr::Unknown, Expr::from)
}

/// The same as a text, when the project is known.
pub fn regional_text(context: &Context, name: &str, role: &str, limit: usize) -> Option<String> {
    context.project.as_ref().map(|project| shorten(&join(project, name, &[role]), limit))
}

/// The name of an object that is unique in its account (IAM): it says the region too.
pub fn global(context: &Context, name: &str, role: &str, limit: usize) -> Expr {
    let Some(project) = &context.project else { return Expr::Unknown };
    let own = shorten(&join(project, name, &[role]), limit - 2 - LONGEST_REGION);
    Expr::concat([format!("{own}--").into(), Expr::Place(Place::Region)])
}

/// The name of a bucket, unique in the world: a hash of account and region keeps it apart.
pub fn bucket(context: &Context, name: &str, role: &str) -> Expr {
    let Some(project) = &context.project else { return Expr::Unknown };
    let place = Expr::concat([Expr::Place(Place::Account), "/".into(), Expr::Place(Place::Region)]);
    // S3 allows 63 characters, and a hash follows.
    let own = shorten(&join(project, name, &[role]), 63 - 1 - HASH);
    Expr::concat([format!("{own}-").into(), Expr::Hash(Box::new(place))])
}

/// What the names of all objects of a project begin with, and those of some others, too: of a long
/// project only as much as shortening leaves.
pub fn prefix(project: &str) -> String {
    format!("{project}-").chars().take(LEAST_KEPT).collect()
}

/// The role of an object among those that inputs name, from its name: what follows that of the composite.
pub fn role_among(owner: &Owner, name: &str) -> Option<String> {
    // The names of queues that keep the order end so.
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    // What is unique in its account says the region.
    let name = name.strip_suffix(&format!("--{}", owner.region)).unwrap_or(name);
    // A shortened name ends in a hash, and does not say any more what it is of.
    let last = name.rsplit('-').next().unwrap_or_default();
    let hashed = last.len() == HASH && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hashed && name.len() >= SHORTEST_CUT {
        return None;
    }
    let rest = name.strip_prefix(&join(&owner.project, &owner.name, &[]))?;
    if rest.is_empty() { Some("main".to_owned()) } else { rest.strip_prefix("--").map(slug) }
}

/// The name of an object that is unique in its region, of a composite that exists: what inputs name it by follows
/// in parts.
pub fn of(owner: &Owner, parts: &[&str], limit: usize) -> String {
    shorten(&join(&owner.project, &owner.name, parts), limit)
}

/// Roles of which each is given once: where two would be the same, the later is numbered.
#[derive(Debug, Default)]
pub struct Roles(BTreeSet<String>);

impl Roles {
    /// The role that a text makes.
    pub fn unique(&mut self, text: &str) -> String {
        let role = role(text);
        let mut numbered = role.clone();
        let mut number = 1;
        while !self.0.insert(numbered.clone()) {
            number += 1;
            numbered = format!("{role}_{number}");
        }
        numbered
    }
}

/// What names of folders begin with.
pub fn folder(project: &str) -> String {
    format!("{project}/")
}

/// What follows the name is set off by two hyphens, which no name holds: the dead letters of `x` are
/// not taken for a composite `x-dead-letters`.
fn join(project: &str, name: &str, rest: &[&str]) -> String {
    let rest = rest.iter().filter(|part| !part.is_empty()).map(|part| format!("--{part}"));
    format!("{project}-{name}{}", rest.collect::<String>())
}

/// Cuts a name to a limit, with a hash of the whole in place of what is cut.
pub fn shorten(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let hash = hash(name);
    let kept: String = name.chars().take(limit - hash.len() - 1).collect();
    format!("{}-{hash}", kept.trim_end_matches('-'))
}

/// Eight hexadecimal digits of a text.
pub fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..4])
}

/// A text as part of a key or id: lower case, digits and underscores.
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

/// Whether a name or ARN is of a queue or topic that keeps an order.
pub fn keeps_order(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// What names the source of an event source mapping, from its ARN: the name of a queue, a stream, or the table
/// that a stream is of.
pub fn source(arn: &str) -> &str {
    // The ARN of a table's stream ends in a time, with colons.
    let rest = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    rest.split('/').nth(1).unwrap_or(rest)
}

/// What the roles of a function's triggers begin with, by the role of the function.
pub fn trigger_role(function: &str) -> String {
    if function == "function" { "on".to_owned() } else { format!("{function}_on") }
}

/// The role of an object in its graph, from a text that says what it is for.
pub fn role(text: &str) -> String {
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
            Expr::Literal(text) => text.as_str().expect("a text").to_owned(),
            Expr::Concat(parts) => match &parts[0] {
                Expr::Literal(text) => text.as_str().expect("a text").to_owned(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        // Projects of every length, with a hyphen at every place.
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
                    for role in ["", "dead-letters", "on-thumbnail--scheduler"] {
                        for name in [
                            regional(&context, name, role, 64),
                            global(&context, name, role, 64),
                            bucket(&context, name, role),
                        ] {
                            let name = text(name);
                            assert!(name.starts_with(&prefix), "{name} of {project}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_inputs_name_is_told_from_what_was_cut() {
        let owner = Owner::parse("shop/eu-central-1/queues/work").expect("an owner");
        for (name, role) in [
            ("shop-work", Some("main")),
            ("shop-work--orders", Some("orders")),
            ("shop-work--orders-3fa85f64.fifo", Some("orders_3fa85f64")),
            ("shop-work--orders--eu-central-1", Some("orders")),
            ("shop-works--orders", None),
            ("shop-work-3fa85f64", None),
        ] {
            assert_eq!(role_among(&owner, name).as_deref(), role, "{name}");
        }
        let long = Owner { project: "p".repeat(40), ..owner };
        for limit in [80, 75, 64, 64 - 2 - LONGEST_REGION] {
            let name = of(&long, &["orders", &"o".repeat(40)], limit);
            assert_eq!(role_among(&long, &name), None, "{name}");
        }
    }

    #[test]
    fn slugs_are_identifiers() {
        assert_eq!(slug("uploads/.MP4"), "uploads_mp4");
        assert_eq!(slug(".."), "");
    }
}
