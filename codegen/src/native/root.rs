//! Resources of the root module: those that the objects of several entries share, e.g. the notifications of a bucket.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::expr::Expr;
use tandem_model::kind::place::Shared;
use tandem_model::names;

use super::shared;
use crate::backend::Address;
use crate::hcl::{Body, Hcl, Item};
use crate::module::Module;
use crate::spec::{App, Entry};

/// Returns an error if the module of an entry has a resource that the root module would have too, for the objects of
/// another entry.
pub(super) fn one_owner(app: &App, entry: &Entry) -> Result<(), String> {
    let own = entry.graph.objects().iter().find_map(|object| match shared(object)? {
        (shared, Expr::Attribute(..)) => Some((shared, object)),
        _ => None,
    });
    let Some((own, object)) = own else { return Ok(()) };
    for other in &app.entries {
        let theirs = other.graph.objects().iter().find(|object| match shared(object) {
            Some((shared, Expr::Input(variable))) => {
                let target = other.references.get(variable);
                shared.name == own.name && target.is_some_and(|target| target.entry == entry.name)
            }
            _ => false,
        });
        if let Some(theirs) = theirs {
            return Err(format!(
                "a {} has one {} in hashicorp/aws, but `{}` of this entry and `{}` of `{}` need one each",
                own.parent, own.title, object.key, theirs.key, other.name
            ));
        }
    }
    Ok(())
}

/// A resource of the root module.
struct Document {
    shared: Shared,
    /// The fields in its blocks.
    fields: Vec<&'static str>,
    /// The name of its parent in the spec or in AWS.
    parent: String,
    /// The entries with its blocks.
    entries: BTreeSet<String>,
    /// True if the parent is not in the spec.
    foreign: bool,
}

/// Adds the resource of each parent that belongs to another entry or is not in the spec. AWS has one document per parent,
/// so the root module merges the parts of all entries.
pub(crate) fn root(app: &App, whole: &mut Module) {
    // The key is the parent as an expression.
    let mut documents: BTreeMap<(&str, String), Document> = BTreeMap::new();
    for entry in &app.entries {
        for object in entry.graph.objects() {
            let Some((shared, parent)) = shared(object) else { continue };
            let (parent, name, foreign) = match parent {
                Expr::Input(variable) => match entry.references.get(variable) {
                    Some(target) => {
                        let made = target.entry.replace('-', "_");
                        (format!("module.{made}.{}", target.output), made, false)
                    }
                    None => continue,
                },
                Expr::Literal(Json::String(name)) => (Hcl::text(name).render(0), name.clone(), true),
                _ => continue,
            };
            let fields = object.kind.fields.iter().map(|field| field.name);
            let document = documents.entry((shared.name, parent)).or_insert_with(|| Document {
                shared,
                fields: fields.filter(|field| *field != shared.parent).collect(),
                parent: name,
                entries: BTreeSet::new(),
                foreign,
            });
            document.entries.insert(entry.name.replace('-', "_"));
        }
    }
    // No other resource begins with `given__`, because names of entries contain only single hyphens. Names
    // are made unique, because `my.bucket` and `my-bucket` become the same identifier.
    let mut roles = names::Slots::default();
    for ((_, parent), document) in documents {
        let Document { shared, fields, parent: name, entries, foreign } = document;
        let name = if foreign { format!("given__{}", roles.unique(&name)) } else { name };
        let lists: Vec<String> =
            entries.iter().map(|entry| format!("module.{entry}.{}", shared.output.0)).collect();
        let mut content = Body::default();
        for field in fields {
            content.set(field, Hcl::code(format!("{}.value.{field}", shared.block)));
        }
        let mut dynamic = Body::default();
        let all = format!(
            "[for entry in concat({}) : entry if entry.{} == {parent}]",
            lists.join(", "),
            shared.parent
        );
        dynamic.set("for_each", Hcl::code(all));
        dynamic.block("content", &[], content);
        let mut body = Body::default();
        body.set(shared.parent, Hcl::code(&parent));
        let after = entries.iter().map(|entry| Hcl::code(format!("module.{entry}")));
        body.set("depends_on", Hcl::List(after.collect()));
        body.block("dynamic", &[shared.block], dynamic);
        if foreign {
            let comment =
                format!("A {} has one {}: this one replaces any other.", shared.parent, shared.title);
            whole.main.items.push(Item::Comment(comment));
        }
        let address = Address { ty: format!("aws_{}", shared.name), name };
        whole.main.block("resource", &[&address.ty, &address.name], body);
        whole.resources.push(address);
    }
}
