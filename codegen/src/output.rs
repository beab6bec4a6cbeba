//! What is written, and how: whole files or none, inside of one folder, and never over a user's work.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tandem_model::finding::Code;

use crate::diagnostic::Diagnostic;

/// The list of what was generated, by which stale files and edits are known.
pub const MANIFEST: &str = "tandem.manifest.json";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    #[serde(rename = "//")]
    about: String,
    version: u32,
    files: BTreeMap<String, String>,
}

/// What is to be written below a folder.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Files that are generated each time, by their path.
    pub generated: BTreeMap<String, String>,
    /// Files that belong to the user, and are to change to this.
    pub extended: BTreeMap<PathBuf, String>,
    /// What of earlier generations this one leaves alone, by the beginning of its path: inside of it, or
    /// outside.
    pub leaves: Option<Leaves>,
}

/// What a generation of one part leaves alone.
#[derive(Clone, Debug)]
pub enum Leaves {
    /// What is below this folder.
    Below(String),
    /// What is not.
    AllBut(String),
}

impl Plan {
    fn leaves(&self, name: &str) -> bool {
        match &self.leaves {
            None => false,
            Some(Leaves::Below(folder)) => name.starts_with(&format!("{folder}/")),
            Some(Leaves::AllBut(folder)) => !name.starts_with(&format!("{folder}/")),
        }
    }
}

/// What a plan changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files to write, with what they are to hold.
    pub write: BTreeMap<PathBuf, String>,
    /// Generated files that nothing needs any more.
    pub remove: Vec<PathBuf>,
}

impl Changes {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.write.is_empty() && self.remove.is_empty()
    }
}

fn hash(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// Compares a plan with what is there. Generated files that were edited are diagnostics, unless they are
/// to be overwritten.
pub fn compare(folder: &Path, plan: &Plan, overwrite: bool) -> std::io::Result<(Changes, Vec<Diagnostic>)> {
    let manifest = folder.join(MANIFEST);
    let old: Manifest = match std::fs::read(&manifest) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(_) => Manifest::default(),
    };
    let mut changes = Changes::default();
    let mut diagnostics = Vec::new();
    let edited = |path: &str, now: &[u8]| old.files.get(path).is_none_or(|then| *then != hash(now));
    for (name, text) in &plan.generated {
        let Some(path) = inside(folder, name) else {
            diagnostics.push(outside(name));
            continue;
        };
        match std::fs::read(&path) {
            Ok(now) if now == text.as_bytes() => continue,
            Ok(now) if edited(name, &now) && !overwrite => diagnostics.push(edit(&path, &now, text)),
            _ => {}
        }
        changes.write.insert(path, text.clone());
    }
    for name in old.files.keys().filter(|name| !plan.generated.contains_key(*name) && !plan.leaves(name)) {
        let Some(path) = inside(folder, name) else { continue };
        match std::fs::read(&path) {
            Ok(now) if edited(name, &now) && !overwrite => diagnostics.push(edit(&path, &now, "")),
            Ok(_) => changes.remove.push(path),
            Err(_) => {}
        }
    }
    for (path, text) in &plan.extended {
        if std::fs::read(path).is_ok_and(|now| now == text.as_bytes()) {
            continue;
        }
        changes.write.insert(path.clone(), text.clone());
    }
    let files = plan.generated.iter().map(|(name, text)| (name.clone(), hash(text.as_bytes())));
    let left = old.files.iter().filter(|(name, _)| plan.leaves(name));
    let files = left.map(|(name, hash)| (name.clone(), hash.clone())).chain(files);
    let about = "What tandem generated, and the SHA-256 of each file. Keep it with them.".to_owned();
    let new = Manifest { about, version: 1, files: files.collect() };
    let new = format!("{}\n", serde_json::to_string_pretty(&new).unwrap_or_default());
    if !std::fs::read(&manifest).is_ok_and(|now| now == new.as_bytes()) {
        changes.write.insert(manifest, new);
    }
    Ok((changes, diagnostics))
}

fn edit(path: &Path, now: &[u8], text: &str) -> Diagnostic {
    let same = now.iter().zip(text.as_bytes()).take_while(|(one, other)| one == other).count();
    let line = now[..same].iter().filter(|byte| **byte == b'\n').count() + 1;
    Diagnostic::in_file(
        Code::Edited,
        (path.display().to_string(), line, 1),
        "this generated file was edited by hand",
        "Move the edit to a file of your own, or give it up with `tandem generate --overwrite`.",
    )
}

fn outside(name: &str) -> Diagnostic {
    Diagnostic::in_file(
        Code::Outside,
        (name.to_owned(), 1, 1),
        "this path leads out of the output folder, or through a symbolic link",
        "Remove the link, or choose another folder with `--out`.",
    )
}

/// Where a path of a plan leads, when it stays inside of the folder.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for component in Path::new(name).components() {
        let Component::Normal(part) = component else { return None };
        path.push(part);
        if std::fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_symlink()) {
            return None;
        }
    }
    (!name.contains(['\\', '\0'])).then_some(path)
}

/// Carries out changes: each file is whole at any moment, the manifest comes last.
pub fn write(folder: &Path, changes: &Changes) -> Result<(), String> {
    let last = folder.join(MANIFEST);
    let files = changes.write.iter().filter(|(path, _)| **path != last);
    for (path, text) in files.chain(changes.write.get_key_value(&last)) {
        put(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    for path in &changes.remove {
        std::fs::remove_file(path)
            .map_err(|error| format!("{} cannot be removed: {error}", path.display()))?;
        // Folders that are empty now go, too.
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != folder) {
            if std::fs::remove_dir(parent).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".tandem-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    // Readable as any file is; a temporary file is its owner's alone.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map_or(0o644, |found| found.permissions().mode());
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode & 0o777))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(files: &[(&str, &str)]) -> Plan {
        let generated = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Plan { generated, ..Plan::default() }
    }

    #[test]
    fn what_is_stale_goes_and_what_is_edited_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let (changes, wrong) = compare(at, &plan(&[("a/x", "1"), ("b", "2")]), false).unwrap();
        assert_eq!((changes.write.len(), wrong.len()), (3, 0));
        write(at, &changes).unwrap();
        assert!(compare(at, &plan(&[("a/x", "1"), ("b", "2")]), false).unwrap().0.is_empty());
        let (changes, wrong) = compare(at, &plan(&[("b", "3")]), false).unwrap();
        assert_eq!((changes.remove.len(), wrong.len()), (1, 0));
        write(at, &changes).unwrap();
        assert!(!at.join("a").exists());
        std::fs::write(at.join("b"), "mine").unwrap();
        let (_, wrong) = compare(at, &plan(&[("b", "4")]), false).unwrap();
        assert_eq!(wrong[0].code, Code::Edited);
        assert!(compare(at, &plan(&[("b", "4")]), true).unwrap().1.is_empty());
    }

    #[test]
    fn nothing_is_written_outside() {
        let folder = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/tmp", folder.path().join("link")).unwrap();
        for name in ["../x", "/x", "a/../../x", "link/x", "a\\b"] {
            let (changes, wrong) = compare(folder.path(), &plan(&[(name, "")]), false).unwrap();
            assert!(wrong.iter().any(|wrong| wrong.code == Code::Outside), "{name}");
            assert_eq!(changes.write.len(), 1, "{name}");
        }
    }
}
