//! The build context of a container image: the files of a folder that its `.dockerignore` does not exclude.
//! The plan hashes this list and the apply sends it to the engine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use sha2::{Digest, Sha256};

/// The files of a build context.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    dockerfile: String,
    /// Entries by their path relative to the folder, with `/` between names.
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    Folder,
    File { executable: bool },
    Link { to: PathBuf },
}

/// Always sent, like the Dockerfile, even if a pattern matches it: the engine needs both for the build.
const IGNORE_FILE: &str = ".dockerignore";

impl Files {
    /// Lists the files of a folder. The error message is the end of a sentence that starts with the folder.
    pub(crate) fn of(folder: &str, dockerfile: &str) -> Result<Self, String> {
        let folder = PathBuf::from(folder);
        match fs::metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err("is not a folder".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err("does not exist".to_owned()),
            Err(error) => return Err(format!("cannot be read: {error}")),
        }
        if !folder.join(dockerfile).is_file() {
            return Err(format!("does not contain `{dockerfile}`"));
        }
        let ignored = match fs::read_to_string(folder.join(IGNORE_FILE)) {
            Ok(text) => Ignored::parse(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ignored::default(),
            Err(error) => return Err(format!("contains a `{IGNORE_FILE}` that cannot be read: {error}")),
        };
        let always = [dockerfile.trim_start_matches("./"), IGNORE_FILE];
        let mut files = Self { folder, dockerfile: dockerfile.to_owned(), entries: BTreeMap::new() };
        let folder = files.folder.clone();
        files.walk(&folder, "", &ignored, &always).map_err(|error| format!("cannot be read: {error}"))?;
        Ok(files)
    }

    fn walk(&mut self, folder: &Path, at: &str, ignored: &Ignored, always: &[&str]) -> io::Result<()> {
        for found in fs::read_dir(folder)? {
            let found = found?;
            let name = found.file_name();
            let name = name.to_str().ok_or_else(|| {
                io::Error::other(format!("{} has a name that is not UTF-8", found.path().display()))
            })?;
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
            let kind = found.file_type()?;
            let keep = !ignored.matches(&path) || always.contains(&&*path);
            if kind.is_dir() {
                if keep {
                    self.entries.insert(path.clone(), Entry::Folder);
                }
                // A pattern with `!` can keep a file of an ignored folder.
                let inside = format!("{path}/");
                let needed = always.iter().any(|file| file.starts_with(&inside));
                if keep || needed || ignored.has_exceptions_in(&inside) {
                    self.walk(&found.path(), &path, ignored, always)?;
                }
            } else if keep && kind.is_symlink() {
                self.entries.insert(path, Entry::Link { to: fs::read_link(found.path())? });
            } else if keep && kind.is_file() {
                self.entries.insert(path, Entry::File { executable: is_executable(&found.metadata()?) });
            }
        }
        Ok(())
    }

    /// Hash of the path, type and content of every entry, and of the path of the Dockerfile.
    pub(crate) fn hash(&self) -> io::Result<String> {
        self.archive(io::sink())
    }

    /// Writes a tar archive and returns the hash of its content. Times and owners are left out, because they
    /// differ between machines.
    pub(crate) fn archive(&self, out: impl Write) -> io::Result<String> {
        let mut archive = tar::Builder::new(out);
        let mut hash = Sha256::new();
        add(&mut hash, self.dockerfile.as_bytes());
        for (path, entry) in &self.entries {
            let packed = self.pack(path, entry, &mut archive, &mut hash);
            packed.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        }
        archive.into_inner()?.flush()?;
        Ok(hex::encode(hash.finalize()))
    }

    fn pack(
        &self,
        path: &str,
        entry: &Entry,
        archive: &mut tar::Builder<impl Write>,
        hash: &mut Sha256,
    ) -> io::Result<()> {
        add(hash, path.as_bytes());
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_size(0);
        match entry {
            Entry::Folder => {
                add(hash, b"d");
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                archive.append_data(&mut header, format!("{path}/"), io::empty())
            }
            Entry::Link { to } => {
                add(hash, b"l");
                add(hash, to.to_string_lossy().as_bytes());
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, path, to)
            }
            Entry::File { executable } => {
                add(hash, if *executable { b"x" } else { b"f" });
                let file = fs::File::open(self.folder.join(path))?;
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                let size = file.metadata()?.len();
                header.set_size(size);
                let mut content = Hashing { from: file.take(size), hash: Sha256::new() };
                archive.append_data(&mut header, path, &mut content)?;
                if content.from.limit() > 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the file became shorter while it was read; run the command again",
                    ));
                }
                add(hash, &content.hash.finalize());
                Ok(())
            }
        }
    }
}

/// Adds a part with its length, so that two different lists of parts never give the same bytes.
fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update(part.len().to_le_bytes());
    hash.update(part);
}

/// A reader that hashes the bytes it returns.
struct Hashing<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(unix)]
fn is_executable(file: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_file: &fs::Metadata) -> bool {
    true
}

/// The patterns of a `.dockerignore`. Docker's Dockerfile reference documents the format.
#[derive(Debug, Default)]
struct Ignored {
    /// `true` ignores a match and `false` (a line with `!`) keeps it. The last match counts.
    patterns: Vec<(bool, Pattern)>,
}

impl Ignored {
    fn parse(text: &str) -> Result<Self, String> {
        let mut ignored = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (ignore, pattern) = match line.strip_prefix('!') {
                Some(kept) => (false, kept.trim()),
                None => (true, line),
            };
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            let pattern = Pattern::new(if pattern.is_empty() { "." } else { pattern })
                .map_err(|error| format!("has an invalid `{IGNORE_FILE}`: line {}: {error}", number + 1))?;
            ignored.patterns.push((ignore, pattern));
        }
        Ok(ignored)
    }

    /// True if a pattern with `!` can match inside this folder. `inside` ends with `/`.
    fn has_exceptions_in(&self, inside: &str) -> bool {
        let mut kept = self.patterns.iter().filter(|(ignore, _)| !ignore).map(|(_, kept)| kept.as_str());
        kept.any(|kept| {
            let literal = kept.split(['*', '?', '[']).next().unwrap_or_default();
            kept.starts_with(inside) || inside.starts_with(literal) && literal.len() < kept.len()
        })
    }

    fn matches(&self, path: &str) -> bool {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        // A pattern that matches a folder also matches everything inside it.
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let parents: Vec<&str> = ends.map(|end| &path[..end]).collect();
        let matching = self
            .patterns
            .iter()
            .rev()
            .find(|(_, pattern)| parents.iter().any(|path| pattern.matches_with(path, options)));
        matching.is_some_and(|(ignore, _)| *ignore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn files(folder: &tempfile::TempDir) -> Files {
        Files::of(folder.path().to_str().unwrap(), "Dockerfile").unwrap()
    }

    #[test]
    fn dockerignore_is_honored() {
        let ignored = Ignored::parse("# no\ntarget\n*.log\n**/*.tmp\n/docs/\n!docs/keep.md\na?c\n").unwrap();
        for (path, expected) in [
            ("src/main.rs", false),
            ("target", true),
            ("target/debug/x", true),
            ("deep/target", false),
            ("x.log", true),
            ("deep/x.log", false),
            ("x.tmp", true),
            ("deep/er/x.tmp", true),
            ("docs/x.md", true),
            ("docs/keep.md", false),
            ("abc", true),
            ("abbc", false),
        ] {
            assert_eq!(ignored.matches(path), expected, "{path}");
        }
        let deep = Ignored::parse("*\n!a/b/c\n!x/*.md").unwrap();
        for (folder, expected) in [("a/", true), ("a/b/", true), ("b/", false), ("x/", true), ("y/", false)] {
            assert_eq!(deep.has_exceptions_in(folder), expected, "{folder}");
        }
        assert!(Ignored::parse("a\n[").unwrap_err().contains("line 2"));
    }

    #[test]
    fn the_hash_follows_what_is_sent_and_nothing_else() {
        let given = [("Dockerfile", "FROM scratch"), ("a/b", "1"), (".dockerignore", "skip\nDockerfile")];
        let first = folder(&given);
        let hash = files(&first).hash().unwrap();
        assert_eq!(hash, files(&folder(&given)).hash().unwrap());
        fs::write(first.path().join("skip"), "x").unwrap();
        assert_eq!(hash, files(&first).hash().unwrap());
        fs::write(first.path().join("a/b"), "2").unwrap();
        let changed = files(&first).hash().unwrap();
        assert_ne!(hash, changed);
        fs::write(first.path().join("Dockerfile"), "FROM scratch\nCOPY a /").unwrap();
        assert_ne!(changed, files(&first).hash().unwrap());
    }

    #[test]
    fn the_archive_holds_what_is_listed() {
        let folder = folder(&[("Dockerfile", "FROM scratch"), ("a/b", "1"), ("c", "x")]);
        fs::write(folder.path().join(".dockerignore"), "c\n").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("b", folder.path().join("a/link")).unwrap();
        let mut bytes = Vec::new();
        files(&folder).archive(&mut bytes).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let names =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
        assert_eq!(names.collect::<Vec<_>>(), [".dockerignore", "Dockerfile", "a/", "a/b", "a/link"]);
    }

    #[test]
    fn what_is_sent_is_what_was_hashed_or_it_is_seen() {
        let folder = folder(&[("Dockerfile", "FROM scratch"), ("a", "1")]);
        let files = files(&folder);
        let hash = files.hash().unwrap();
        assert_eq!(files.archive(Vec::new()).unwrap(), hash);
        fs::write(folder.path().join("a"), "2").unwrap();
        assert_ne!(files.archive(Vec::new()).unwrap(), hash);
        fs::remove_file(folder.path().join("a")).unwrap();
        assert_eq!(files.archive(Vec::new()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        let error = |folder: &str| Files::of(folder, "Dockerfile").unwrap_err();
        assert_eq!(error("/nothing/here"), "does not exist");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(error(empty.path().to_str().unwrap()), "does not contain `Dockerfile`");
    }
}
