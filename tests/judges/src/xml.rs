//! Decodes bodies of XML.

use roxmltree::{Document, Node};
use serde_json::{Map, Value as Json};

use crate::shape::{Shape, Type, typed};

/// The value of a document. The error names an element that belongs to no member.
pub(crate) fn read(shape: Shape, body: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    value(shape, document.root_element())
}

fn value(shape: Shape, node: Node<'_, '_>) -> Result<Json, String> {
    match shape.ty() {
        Type::Structure => structure(shape, node),
        Type::List => {
            let items: Result<Vec<Json>, String> =
                elements(node).map(|item| value(shape.item(), item)).collect();
            Ok(items?.into())
        }
        _ => Ok(typed(shape, node.text().unwrap_or_default())),
    }
}

fn structure(shape: Shape, node: Node<'_, '_>) -> Result<Json, String> {
    let mut members: Map<String, Json> = Map::new();
    for element in elements(node) {
        let tag = element.tag_name().name();
        let named = |(name, member): &(&str, Shape)| {
            let own = member.location_name().unwrap_or(name);
            // The items of a flattened list stand in place of the list.
            let of_item = member.is_flattened().then(|| member.item().location_name()).flatten();
            tag == own || of_item == Some(tag)
        };
        let Some((name, member)) = shape.members().find(named) else {
            return Err(format!("`{tag}` is the name of no member"));
        };
        if member.ty() == Type::List && member.is_flattened() {
            let item = value(member.item(), element)?;
            let list = members.entry(name).or_insert_with(|| Json::Array(Vec::new()));
            if let Json::Array(items) = list {
                items.push(item);
            }
        } else {
            members.insert(name.to_owned(), value(member, element)?);
        }
    }
    Ok(members.into())
}

fn elements<'a, 'i: 'a>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}
