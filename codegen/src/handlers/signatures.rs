//! Finds and checks the functions of a `handler.rs`.

use super::{EVENTS, Event, Handled};

/// The function of a `handler.rs` that handles a type of event.
pub(super) fn find(file: &syn::File, event: Event) -> Option<&syn::ItemFn> {
    file.items.iter().find_map(|item| match item {
        syn::Item::Fn(function) if function.sig.ident == event.function() => Some(function),
        _ => None,
    })
}

/// Describes the first mismatch between a function and the call in `event.rs`; none if the function fits.
pub(super) fn misfit(event: Event, function: &syn::ItemFn) -> Option<String> {
    let (name, signature) = (event.function(), &function.sig);
    if matches!(function.vis, syn::Visibility::Inherited) {
        return Some(format!("`{name}` is private, but `event.rs` calls it"));
    }
    if function.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
        return Some(format!("`{name}` has a `cfg` attribute, but `event.rs` always calls it"));
    }
    if signature.asyncness.is_none() {
        return Some(format!("`{name}` is not `async`"));
    }
    if signature.inputs.len() != 2 {
        return Some(format!("`{name}` takes {} arguments, but is called with two", signature.inputs.len()));
    }
    let type_of = |index: usize| match &signature.inputs[index] {
        syn::FnArg::Typed(argument) => last_name(&argument.ty),
        syn::FnArg::Receiver(_) => None,
    };
    for (index, expected) in [(0, event.argument()), (1, "Context")] {
        // The compiler checks aliases and generic types.
        if let Some(found) = type_of(index)
            && (found == "Context" || EVENTS.iter().any(|event| event.argument() == found))
            && found != expected
        {
            return Some(format!("`{name}` takes a `{found}`, but is called with a `{expected}`"));
        }
    }
    if matches!(signature.output, syn::ReturnType::Default) {
        return Some(format!("`{name}` returns nothing, but must return `{}`", event.returns()));
    }
    None
}

fn last_name(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        syn::Type::Reference(reference) => last_name(&reference.elem),
        _ => None,
    }
}

/// True if a file imports or declares a name.
pub(super) fn brings(file: &syn::File, name: &str) -> bool {
    fn tree(tree: &syn::UseTree, name: &str) -> bool {
        match tree {
            syn::UseTree::Path(path) => tree_of(&path.tree, name),
            syn::UseTree::Name(used) => used.ident == name,
            syn::UseTree::Rename(used) => used.rename == name,
            // A glob import may contain the name; the compiler checks it.
            syn::UseTree::Glob(_) => true,
            syn::UseTree::Group(group) => group.items.iter().any(|item| tree_of(item, name)),
        }
    }
    fn tree_of(inner: &syn::UseTree, name: &str) -> bool {
        tree(inner, name)
    }
    file.items.iter().any(|item| match item {
        syn::Item::Use(used) => tree(&used.tree, name),
        syn::Item::Struct(item) => item.ident == name,
        syn::Item::Type(item) => item.ident == name,
        _ => false,
    })
}
