//! Writes generated files: atomically, only inside the output folder, and never over a user's edits.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tandem_model::finding::Code;

use crate::diagnostic::{Diagnostic, shown};
use crate::module::Flavor;

/// A part of the generated files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Terraform modules, with the root module in the output folder itself
    Modules,
    /// Rust handlers
    Handlers,
}

/// The file that lists the generated files. It shows which files are stale or edited.
pub const MANIFEST: &str = "tandem.manifest.json";

/// The options that a folder was generated with. They are the defaults of the next run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Flavor of the modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<Flavor>,
    /// The part that the folder contains; all parts if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Part>,
    /// The folder of templates, relative to the output folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<String>,
}

/// The list of the files that were generated into a folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(rename = "//")]
    about: String,
    version: u32,
    /// The options of the last run.
    #[serde(flatten)]
    pub settings: Settings,
    /// SHA-256 of every file, by path.
    pub files: BTreeMap<String, String>,
    /// SHA-256 of the files before a run that is in progress or was interrupted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    before: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the manifest of a folder. Returns `None` if nothing was generated into it.
    pub fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = folder.join(MANIFEST);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                format!(
                    "{} is damaged ({error}). Restore it from version control, or delete it together with the \
                     generated files",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
        }
    }

    /// True if a file was generated and was not edited since.
    fn knows(&self, name: &str, now: &[u8]) -> bool {
        let now = Some(hash(now));
        self.files.get(name) == now.as_ref() || self.before.get(name) == now.as_ref()
    }

    fn lists(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.before.contains_key(name)
    }

    fn text(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }
}

/// The files to write below a folder.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Generated files, by path.
    pub generated: BTreeMap<String, String>,
    /// New contents of files that belong to the user.
    pub extended: BTreeMap<PathBuf, String>,
    /// The folder that this run is limited to. Generated files outside of it are kept.
    pub within: Option<String>,
    /// The options of this run.
    pub settings: Settings,
    /// Folders of handlers that are no longer in the spec. The user's files in them are kept.
    pub orphans: Vec<PathBuf>,
}

impl Plan {
    fn leaves(&self, name: &str) -> bool {
        self.within.as_ref().is_some_and(|folder| !name.starts_with(&format!("{folder}/")))
    }
}

/// The changes that a plan makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files to write, with their contents.
    pub write: BTreeMap<PathBuf, String>,
    /// Generated files that are no longer needed.
    pub remove: Vec<PathBuf>,
    /// The manifest while files are written. It lists the old and the new hash of each file.
    during: String,
    /// Folders in which an interrupted run may have left temporary files.
    littered: BTreeSet<PathBuf>,
}

impl Changes {
    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.write.is_empty() && self.remove.is_empty()
    }
}

fn hash(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// Compares a plan with the files in a folder. An edited generated file is a diagnostic unless `overwrite` is
/// set. Returns an error if the manifest cannot be read.
pub fn compare(folder: &Path, plan: &Plan, overwrite: bool) -> Result<(Changes, Vec<Diagnostic>), String> {
    let old = Manifest::read(folder)?.unwrap_or_default();
    let mut changes = Changes::default();
    let mut diagnostics = Vec::new();
    // The current hashes, which can differ from the old and the new manifest.
    let mut before = BTreeMap::new();
    let mut inside = Inside { folder, real: BTreeSet::new() };
    for (name, text) in &plan.generated {
        let Some(path) = inside.path(name) else {
            diagnostics.push(outside(name));
            continue;
        };
        match std::fs::read(&path) {
            Ok(now) if now == text.as_bytes() => continue,
            Ok(_) if !old.lists(name) => {
                diagnostics.push(foreign(&path));
                continue;
            }
            Ok(now) if !old.knows(name, &now) && !overwrite => diagnostics.push(edit(&path, &now, text)),
            Ok(now) => {
                before.insert(name.clone(), hash(&now));
            }
            Err(_) => {}
        }
        changes.write.insert(path, text.clone());
    }
    let listed: BTreeSet<&String> = old.files.keys().chain(old.before.keys()).collect();
    for name in listed.into_iter().filter(|name| !plan.generated.contains_key(*name) && !plan.leaves(name)) {
        let Some(path) = inside.path(name) else { continue };
        match std::fs::read(&path) {
            Ok(now) if !old.knows(name, &now) && !overwrite => diagnostics.push(edit(&path, &now, "")),
            Ok(now) => {
                before.insert(name.clone(), hash(&now));
                changes.remove.push(path);
            }
            Err(_) => {}
        }
    }
    for (path, text) in &plan.extended {
        if std::fs::read(path).is_ok_and(|now| now == text.as_bytes()) {
            continue;
        }
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink()) {
            diagnostics.push(outside(&path.display().to_string()));
            continue;
        }
        changes.write.insert(path.clone(), text.clone());
    }
    if !old.before.is_empty() {
        let files = plan.generated.keys().map(|name| folder.join(name));
        let folders = files.chain([folder.join(MANIFEST)]).filter_map(|path| Some(path.parent()?.to_owned()));
        changes.littered = folders.collect();
    }
    let files = plan.generated.iter().map(|(name, text)| (name.clone(), hash(text.as_bytes())));
    let left = old.files.iter().filter(|(name, _)| plan.leaves(name));
    let files = left.map(|(name, hash)| (name.clone(), hash.clone())).chain(files);
    let about =
        "Files generated by tandem, the options used, and each file's SHA-256. Commit this file.".to_owned();
    let new = Manifest {
        about,
        version: 1,
        settings: plan.settings.clone(),
        files: files.collect(),
        before: BTreeMap::new(),
    };
    changes.during = Manifest { before, ..new.clone() }.text();
    let path = folder.join(MANIFEST);
    let new = new.text();
    let current = std::fs::read(&path).is_ok_and(|now| now == new.as_bytes());
    if !current || !changes.is_empty() {
        changes.write.insert(path, new);
    }
    Ok((changes, diagnostics))
}

fn foreign(path: &Path) -> Diagnostic {
    Diagnostic::in_file(
        Code::Foreign,
        (shown(path), 1, 1),
        "this file has the name of a generated file, but tandem did not generate it",
        "Move the file, or pass another folder with `--out`.",
    )
}

fn edit(path: &Path, now: &[u8], text: &str) -> Diagnostic {
    let same = now.iter().zip(text.as_bytes()).take_while(|(one, other)| one == other).count();
    let line = String::from_utf8_lossy(&now[..same]).matches('\n').count() + 1;
    Diagnostic::in_file(
        Code::Edited,
        (shown(path), line, 1),
        "this generated file was edited by hand: generating it again would discard the edit",
        "Move the edit to a file of your own, or pass `--overwrite` to discard it.",
    )
}

fn outside(name: &str) -> Diagnostic {
    Diagnostic::in_file(
        Code::Outside,
        (name.to_owned(), 1, 1),
        "this path leaves the output folder or contains a symbolic link: tandem writes only into the folder",
        "Remove the symbolic link, or pass another folder with `--out`.",
    )
}

/// Resolves the paths of a plan and rejects those outside of the folder.
struct Inside<'a> {
    folder: &'a Path,
    /// Folders that were checked and are not symbolic links.
    real: BTreeSet<PathBuf>,
}

impl Inside<'_> {
    fn path(&mut self, name: &str) -> Option<PathBuf> {
        if name.contains(['\\', '\0']) {
            return None;
        }
        let mut path = self.folder.to_owned();
        let mut parts = Path::new(name).components().peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(part) = part else { return None };
            path.push(part);
            let inner = parts.peek().is_some();
            if inner && self.real.contains(&path) {
                continue;
            }
            if std::fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_symlink()) {
                return None;
            }
            if inner {
                self.real.insert(path.clone());
            }
        }
        Some(path)
    }
}

/// Writes the changes. Each file has its old or its new content at any time. An interrupted run can be
/// repeated.
pub fn write(folder: &Path, changes: &Changes) -> Result<(), String> {
    let last = folder.join(MANIFEST);
    let files: Vec<_> = changes.write.iter().filter(|(path, _)| **path != last).collect();
    let failed = |path: &Path, error| format!("{} cannot be written: {error}", path.display());
    if !files.is_empty() || !changes.remove.is_empty() {
        put(&last, changes.during.as_bytes(), None).map_err(|error| failed(&last, error))?;
    }
    for (path, text) in files {
        put(path, text.as_bytes(), None).map_err(|error| failed(path, error))?;
    }
    for path in &changes.remove {
        std::fs::remove_file(path)
            .map_err(|error| format!("{} cannot be removed: {error}", path.display()))?;
        // `remove_dir` deletes only empty folders.
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != folder) {
            if std::fs::remove_dir(parent).is_err() {
                break;
            }
        }
    }
    for folder in &changes.littered {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
    if let Some(text) = changes.write.get(&last) {
        put(&last, text.as_bytes(), None).map_err(|error| failed(&last, error))?;
    }
    Ok(())
}

/// Prefix of the names of temporary files.
const TEMPORARY: &str = ".tandem-";

/// Writes a file atomically. `mode` sets its permissions. Without it, a file keeps its permissions, and a new
/// file gets `0644`.
pub fn put(path: &Path, content: &[u8], mode: Option<u32>) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let own = || std::fs::metadata(path).map_or(0o644, |found| found.permissions().mode());
        let mode = mode.unwrap_or_else(own) & 0o777;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut file = match builder.tempfile_in(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            builder.tempfile_in(folder)?
        }
        made => made?,
    };
    file.write_all(content)?;
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
    fn what_tandem_did_not_write_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("README.md"), "mine").unwrap();
        for overwrite in [false, true] {
            let (changes, wrong) = compare(folder.path(), &plan(&[("README.md", "1")]), overwrite).unwrap();
            assert_eq!(wrong[0].code, Code::Foreign);
            assert!(!changes.write.contains_key(&folder.path().join("README.md")));
        }
        std::fs::write(folder.path().join(MANIFEST), "{").unwrap();
        assert!(compare(folder.path(), &plan(&[]), false).unwrap_err().contains("damaged"));
    }

    #[test]
    fn a_run_that_was_cut_short_can_be_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let first = plan(&[("a", "1"), ("b", "1"), ("c", "1")]);
        write(at, &compare(at, &first, false).unwrap().0).unwrap();
        // The run is interrupted after the first file. Then the spec changes once more.
        let (changes, _) = compare(at, &plan(&[("a", "2"), ("b", "2")]), false).unwrap();
        put(&at.join(MANIFEST), changes.during.as_bytes(), None).unwrap();
        put(&at.join("a"), b"2", None).unwrap();
        for after in [plan(&[("a", "2"), ("b", "2")]), plan(&[("a", "3"), ("b", "3")]), first] {
            let (changes, wrong) = compare(at, &after, false).unwrap();
            assert_eq!(wrong, [], "{after:?}");
            write(at, &changes).unwrap();
            assert!(compare(at, &after, false).unwrap().0.is_empty());
            assert_eq!(at.join("c").exists(), after.generated.contains_key("c"));
        }
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
