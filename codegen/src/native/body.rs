//! The body of a resource, from properties at paths, see [`KindField::place`](tandem_model::kind::KindField::place).

use super::resources::Content;
use crate::backend::{Placed, Property};
use crate::hcl::{Body, Hcl, Item};

/// The mark of a name that is a list of objects in JSON, e.g. `container_definitions[]`.
const OF_JSON: &str = "[]";

/// The body of a resource: attributes, tags, blocks, and resources that must exist first.
pub(super) fn body(resource: Placed<Content>) -> Body {
    let (mut attributes, mut blocks) = (Body::default(), Body::default());
    for Property { path, value, .. } in resource.properties {
        match value {
            Some(Content::Items(items)) if path.is_empty() => blocks.items.extend(items),
            Some(Content::Items(items)) => body_at(&mut blocks, &path).items.extend(items),
            Some(Content::Value(value)) if path.contains(OF_JSON) => {
                put_document(&mut attributes, &path, value);
            }
            Some(Content::Value(value)) => match path.rsplit_once('.') {
                // An empty list leaves its block out.
                Some(_) if value == Hcl::List(Vec::new()) => {}
                Some((at, name)) => body_at(&mut blocks, at).set(name, value),
                None => attributes.set(&path, value),
            },
            None => drop(body_at(&mut blocks, &path)),
        }
    }
    for Property { path, value, .. } in resource.tags {
        if let Some(Content::Value(value)) = value {
            attributes.set(&path, value);
        }
    }
    tidy(&mut blocks);
    attributes.items.extend(blocks.items);
    if !resource.after.is_empty() {
        let after = resource.after.iter().map(|other| Hcl::code(format!("{}.{}", other.ty, other.name)));
        attributes.items.push(Item::Comment("Required first, but no attribute refers to it.".to_owned()));
        attributes.set("depends_on", Hcl::List(after.collect()));
    }
    attributes
}

/// The body of the block at a path, which is made if it is missing.
fn body_at<'a>(body: &'a mut Body, path: &str) -> &'a mut Body {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let known = body.items.iter().position(|item| matches!(item, Item::Block(known, ..) if known == name));
    let index = known.unwrap_or_else(|| {
        body.block(name, &[], Body::default());
        body.items.len() - 1
    });
    let Item::Block(_, _, inner) = &mut body.items[index] else { unreachable!("a block") };
    match rest {
        Some(rest) => body_at(inner, rest),
        None => inner,
    }
}

/// The body of a block from an object: objects within it are blocks.
pub(super) fn block_of(object: Hcl) -> Body {
    let mut body = Body::default();
    let Hcl::Map(entries) = object else { return body };
    for (name, value) in entries {
        match value {
            Hcl::Map(_) => body.block(&name, &[], block_of(value)),
            value => body.set(&name, value),
        }
    }
    body
}

/// Puts a value into an attribute that is a JSON document.
fn put_document(attributes: &mut Body, path: &str, value: Hcl) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = name.trim_end_matches(OF_JSON);
    let known = attributes.items.iter_mut().find_map(|item| match item {
        Item::Attribute(known, Hcl::Call(_, arguments)) if known == name => arguments.first_mut(),
        _ => None,
    });
    if let Some(list) = known {
        put_json(list, rest, value);
    } else {
        let mut list = Hcl::List(vec![Hcl::Map(Vec::new())]);
        put_json(&mut list, rest, value);
        attributes.set(name, Hcl::Call("jsonencode", vec![list]));
    }
}

/// Puts a value at a path in the first object of a list in JSON, or in an object.
fn put_json(json: &mut Hcl, path: &str, value: Hcl) {
    let entries = match json {
        Hcl::List(items) => return items.first_mut().map_or((), |first| put_json(first, path, value)),
        Hcl::Map(entries) => entries,
        _ => return,
    };
    let Some((name, rest)) = path.split_once('.') else {
        entries.push((path.to_owned(), value));
        return;
    };
    let (name, list) = name.strip_suffix(OF_JSON).map_or((name, false), |name| (name, true));
    let index = entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        let object = Hcl::Map(Vec::new());
        entries.push((name.to_owned(), if list { Hcl::List(vec![object]) } else { object }));
        entries.len() - 1
    });
    put_json(&mut entries[index].1, rest, value);
}

/// Puts the attributes of each block before its blocks, and removes the marks that tell blocks of one name apart.
fn tidy(body: &mut Body) {
    body.items.sort_by_key(|item| matches!(item, Item::Block(..)));
    for item in &mut body.items {
        if let Item::Block(name, _, inner) = item {
            if let Some((own, _)) = name.split_once('#') {
                *name = own.to_owned();
            }
            tidy(inner);
        }
    }
}
