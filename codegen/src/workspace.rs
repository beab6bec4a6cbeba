//! Cargo manifests of handlers. They belong to the user: tandem adds entries and keeps everything else.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::handlers::{EVENTS, Event, Function, Handled, Resource, ResourceKind};

/// The Cargo workspace of handlers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Path of its manifest.
    pub manifest: PathBuf,
    /// True if the manifest exists.
    pub exists: bool,
}

/// Finds the workspace that contains a folder of handlers. Without one, the folder becomes a workspace.
pub fn find(handlers: &Path) -> Workspace {
    for folder in handlers.ancestors() {
        let manifest = folder.join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else { continue };
        let Ok(document) = text.parse::<DocumentMut>() else { continue };
        let Some(workspace) = document.get("workspace") else { continue };
        let excluded = workspace.get("exclude").and_then(Item::as_array).is_some_and(|excluded| {
            let mut paths = excluded.iter().filter_map(Value::as_str);
            paths.any(|path| handlers.starts_with(folder.join(path)))
        });
        if excluded {
            break;
        }
        return Workspace { manifest, exists: true };
    }
    Workspace { manifest: handlers.join("Cargo.toml"), exists: false }
}

/// Adds `members` to the manifest of a workspace and removes the crates in `gone`. Everything else is kept.
/// `own` is true for a workspace that contains only handlers: it gets a release profile.
pub fn extend_workspace(
    text: &str,
    members: &[String],
    gone: &[String],
    own: bool,
) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| format!("is not a valid Cargo manifest: {error}"))?;
    if text.is_empty() {
        document["workspace"] = Item::Table(Table::new());
        document["workspace"]["resolver"] = value("3");
    }
    let listed = list(&mut document, "members")?;
    listed.retain(|listed| listed.as_str().is_none_or(|listed| gone.iter().all(|gone| gone != listed)));
    for member in members {
        let known = listed.iter().filter_map(Value::as_str).any(|pattern| covers(pattern, member));
        if !known {
            listed.push(member.as_str());
        }
    }
    // A pattern can still match a removed crate. Its folder has no crate any more, so it is excluded.
    let patterns: Vec<String> = listed.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    let named: Vec<&String> =
        gone.iter().filter(|gone| patterns.iter().any(|pattern| covers(pattern, gone))).collect();
    if !named.is_empty() || document["workspace"].get("exclude").is_some() {
        let excluded = list(&mut document, "exclude")?;
        excluded
            .retain(|listed| listed.as_str().is_none_or(|listed| members.iter().all(|own| own != listed)));
        for gone in named {
            if excluded.iter().all(|listed| listed.as_str() != Some(gone)) {
                excluded.push(gone.as_str());
            }
        }
    }
    // A smaller binary has a shorter cold start.
    if own && document.get("profile").is_none() {
        let mut release = Table::new();
        release["opt-level"] = value("s");
        release["lto"] = value("fat");
        release["codegen-units"] = value(1);
        release["panic"] = value("abort");
        release["strip"] = value(true);
        let mut profile = Table::new();
        profile.set_implicit(true);
        profile["release"] = Item::Table(release);
        document["profile"] = Item::Table(profile);
    }
    Ok(document.to_string())
}

/// A list of the workspace. A missing list is created.
fn list<'a>(document: &'a mut DocumentMut, name: &str) -> Result<&'a mut Array, String> {
    let listed = &mut document["workspace"][name];
    if listed.is_none() {
        *listed = value(Array::new());
    }
    listed.as_array_mut().ok_or_else(|| format!("has a `{name}` that is not a list"))
}

/// True if a pattern of `members` matches a folder.
fn covers(pattern: &str, member: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(folder) => member
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| !rest.is_empty() && !rest.contains('/')),
        None => pattern == member || pattern == "*" && !member.contains('/'),
    }
}

/// The dependencies of a handler: crate, version, features, and true to keep the default features.
fn dependencies(function: &Function) -> Vec<(&'static str, &'static str, Vec<&'static str>, bool)> {
    let typed = EVENTS.into_iter().filter(|event| function.takes(*event));
    let mut events: Vec<&str> = typed.filter_map(Handled::feature).collect();
    events.sort_unstable();
    events.dedup();
    let mut needed = vec![
        ("lambda_runtime", "1.5", vec![], false),
        ("serde_json", "1", vec![], true),
        ("tokio", "1", vec!["macros", "rt"], true),
    ];
    if !events.is_empty() {
        needed.push(("aws_lambda_events", "1.2", events, false));
    }
    let objects = function.takes(Event::Object);
    if objects || function.uses(ResourceKind::Bucket) {
        needed.push(("percent-encoding", "2", vec![], true));
    }
    if function.launches || !function.resources.is_empty() {
        needed.push(("aws-config", "1", vec!["rt-tokio"], false));
        needed.push(("aws-smithy-http-client", "1", vec!["rustls-ring"], false));
    }
    if function.launches {
        needed.push(("aws-sdk-ecs", "1", vec!["rt-tokio"], false));
        needed.push(("serde", "1", vec!["derive"], true));
    }
    for kind in ResourceKind::ALL.into_iter().filter(|kind| function.uses(*kind)) {
        needed.push((kind.package(), "1", vec!["rt-tokio"], false));
    }
    if function.launches || objects {
        needed.push(("sha2", "0.11", vec![], true));
    }
    needed.sort_unstable_by_key(|dependency| dependency.0);
    needed
}

/// The package name of a new handler: the handler's name, or a name with a suffix if Cargo rejects it. The
/// suffix is unique, because no handler's name contains two hyphens in a row.
fn package_name(handler: &str) -> String {
    // Folders of Cargo, and crates that every program or test links.
    const TAKEN: &[&str] =
        &["alloc", "build", "core", "deps", "examples", "incremental", "proc-macro", "std", "test"];
    let resource = |kind| Resource { field: String::new(), name: String::new(), kind, index: 0 };
    let everything = Function {
        name: String::new(),
        events: EVENTS.into(),
        kept: [].into(),
        partial: true,
        launches: true,
        resources: ResourceKind::ALL.map(resource).into(),
    };
    let dependency = |name: &str| name.replace('_', "-") == handler;
    let keyword = syn::parse_str::<syn::Ident>(&handler.replace('-', "_")).is_err() || handler == "gen";
    if keyword
        || TAKEN.contains(&handler)
        || dependencies(&everything).iter().any(|known| dependency(known.0))
    {
        format!("{handler}--handler")
    } else {
        handler.to_owned()
    }
}

/// Adds the missing dependencies and features to the manifest of a handler. Everything else is kept.
pub fn extend_member(text: &str, function: &Function) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| format!("is not a valid Cargo manifest: {error}"))?;
    if text.is_empty() {
        let mut package = Table::new();
        package["name"] = value(package_name(&function.name));
        package["version"] = value("0.1.0");
        package["edition"] = value("2024");
        package["publish"] = value(false);
        document["package"] = Item::Table(package);
    }
    // `main.rs` has `cfg(feature = "tracing")`: Cargo warns about an undeclared feature.
    if document.get("features").is_none() {
        document["features"] = Item::Table(Table::new());
    }
    let features = document["features"].as_table_like_mut().ok_or("has a `features` that is not a table")?;
    if features.get("tracing").is_none() {
        features.insert("tracing", value(Array::from_iter(["lambda_runtime/tracing"])));
    }
    if document.get("dependencies").is_none() {
        document["dependencies"] = Item::Table(Table::new());
    }
    let table =
        document["dependencies"].as_table_like_mut().ok_or("has a `dependencies` that is not a table")?;
    for (name, version, features, defaults) in dependencies(function) {
        match table.get_mut(name) {
            None => {
                table.insert(name, dependency(version, &features, defaults));
            }
            Some(there) => add_features(there, &features),
        }
    }
    Ok(document.to_string())
}

fn dependency(version: &str, features: &[&str], defaults: bool) -> Item {
    if features.is_empty() && defaults {
        return value(version);
    }
    let mut table = InlineTable::new();
    table.insert("version", version.into());
    if !defaults {
        table.insert("default-features", false.into());
    }
    if !features.is_empty() {
        table.insert("features", features.iter().copied().collect::<Array>().into());
    }
    value(table)
}

/// Adds missing features to a dependency. A dependency that is only a version becomes a table.
fn add_features(there: &mut Item, features: &[&str]) {
    if features.is_empty() {
        return;
    }
    if let Some(version) = there.as_str().map(ToOwned::to_owned) {
        *there = dependency(&version, features, true);
        return;
    }
    let Some(table) = there.as_table_like_mut() else { return };
    // A dependency of the workspace (`workspace = true`) gets the features here, not in the workspace.
    if table.get("features").is_none() {
        table.insert("features", value(Array::new()));
    }
    if let Some(listed) = table.get_mut("features").and_then(Item::as_array_mut) {
        for feature in features {
            if listed.iter().all(|known| known.as_str() != Some(feature)) {
                listed.push(*feature);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_keep_what_they_have() {
        let function = Function {
            name: "f".to_owned(),
            events: [Event::Object].into(),
            kept: [].into(),
            partial: false,
            launches: false,
            resources: Vec::new(),
        };
        let own = "# mine\n[package]\nname = \"other\"\n\n[dependencies]\nanyhow = \"1\" # why\ntokio = { version = \"1\", features = [\"rt\"] }\n";
        let text = extend_member(own, &function).unwrap();
        assert!(
            text.contains("# mine")
                && text.contains("anyhow = \"1\" # why")
                && text.contains("name = \"other\"")
        );
        let document: DocumentMut = text.parse().unwrap();
        let features = document["dependencies"]["tokio"]["features"].as_array().unwrap().to_string();
        assert!(features.contains("rt") && features.contains("macros"), "{features}");
        assert_eq!(extend_member(&text, &function).unwrap(), text);

        let text = extend_workspace(
            "[workspace]\nmembers = [\"a\", \"handlers/*\"]\n",
            &["handlers/x".into(), "b".into()],
            &[],
            false,
        );
        let text = text.unwrap();
        assert_eq!(text, "[workspace]\nmembers = [\"a\", \"handlers/*\", \"b\"]\n");
        // A removed crate is no longer a member. It becomes a member again if the spec contains it again.
        let gone = ["handlers/x".to_owned(), "b".to_owned()];
        let text = extend_workspace(&text, &["a".into()], &gone, false).unwrap();
        let expected = "[workspace]\nmembers = [\"a\", \"handlers/*\"]\nexclude = [\"handlers/x\"]\n";
        assert_eq!(text, expected);
        let text = extend_workspace(&text, &["a".into(), "handlers/x".into()], &[], false).unwrap();
        assert_eq!(text, "[workspace]\nmembers = [\"a\", \"handlers/*\"]\nexclude = []\n");
    }

    #[test]
    fn a_pattern_covers_what_cargo_takes_it_for() {
        for (pattern, member, expected) in [
            ("handlers/*", "handlers/x", true),
            ("handlers/*", "handlers", false),
            ("handlers/*", "handlers/x/y", false),
            ("handlers/*", "handlersx/y", false),
            ("*", "x", true),
            ("x", "x", true),
        ] {
            assert_eq!(covers(pattern, member), expected, "{pattern} {member}");
        }
    }

    #[test]
    fn packages_have_names_that_cargo_takes() {
        for (handler, expected) in [
            ("notice", "notice"),
            ("gen", "gen--handler"),
            ("self", "self--handler"),
            ("tokio", "tokio--handler"),
            ("serde-json", "serde-json--handler"),
            ("build", "build--handler"),
        ] {
            assert_eq!(package_name(handler), expected);
        }
    }
}
