//! The code of functions: checks files and creates the reproducible zip that Lambda gets.

use std::io::{Cursor, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The format of a code file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeKind {
    /// A zip with `bootstrap` at the top level.
    Zip,
    /// The `bootstrap` binary itself.
    Bootstrap,
}

/// The facts about code that a plan uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeFacts {
    /// SHA-256 of the zip, as raw bytes: AWS reports it in Base64.
    pub sha256: [u8; 32],
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
}

/// Code that is ready for an upload.
#[derive(Clone, Debug)]
pub struct Code {
    /// The zip.
    pub zip: Vec<u8>,
    /// The facts about it.
    pub facts: CodeFacts,
}

/// Bytes in Base64, as AWS reports hashes.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The largest zip that one API call can upload, in bytes.
const MAX_ZIP: usize = 50 << 20;

/// Prepares the code from the bytes of a file.
///
/// The error states the defect as a predicate of the file, e.g. `is not a zip file`.
pub fn prepare(kind: CodeKind, bytes: &[u8]) -> Result<Code, String> {
    let (zip, architecture) = match kind {
        CodeKind::Zip => (bytes.to_vec(), inspect_zip(bytes)?),
        CodeKind::Bootstrap => {
            let architecture = inspect_elf(bytes)?;
            let zip = zip_bootstrap(bytes).map_err(|error| format!("cannot be zipped: {error}"))?;
            (zip, architecture)
        }
    };
    if zip.len() > MAX_ZIP {
        return Err(format!(
            "is {} MiB zipped, but Lambda accepts at most {} MiB; strip the binary, or use a container image",
            zip.len() >> 20,
            MAX_ZIP >> 20
        ));
    }
    Ok(Code { facts: CodeFacts { sha256: Sha256::digest(&zip).into(), architecture }, zip })
}

/// Zips a binary as `bootstrap`. Equal binaries give equal bytes, on any machine and day.
fn zip_bootstrap(binary: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options)?;
    writer.write_all(binary)?;
    Ok(writer.finish()?.into_inner())
}

fn inspect_zip(bytes: &[u8]) -> Result<&'static str, String> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("is not a zip file: {error}"))?;
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let Ok(mut file) = archive.by_name("bootstrap") else {
        let elsewhere = names.iter().find(|name| name.ends_with("/bootstrap"));
        return Err(match elsewhere {
            Some(name) => format!("contains `{name}`, but Lambda runs `bootstrap` at the top of the zip"),
            None => "contains no `bootstrap`; add it at the top of the zip, where Lambda runs it".to_owned(),
        });
    };
    if file.unix_mode().is_some_and(|mode| mode & 0o111 == 0) {
        return Err(
            "contains a `bootstrap` that is not executable; run `chmod +x bootstrap`, then zip it again"
                .to_owned(),
        );
    }
    let mut head = Vec::new();
    file.by_ref().take(64).read_to_end(&mut head).map_err(|error| format!("is damaged: {error}"))?;
    if head.starts_with(b"#!") {
        // A script runs on either architecture.
        return Ok("x86_64");
    }
    inspect_elf(&head).map_err(|error| format!("contains a `bootstrap` that {error}"))
}

/// The architecture in the header of an ELF file. For another file the error states its format.
fn inspect_elf(bytes: &[u8]) -> Result<&'static str, String> {
    let other = match bytes {
        [0x7f, b'E', b'L', b'F', ..] => None,
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => Some("a macOS binary"),
        [b'M', b'Z', ..] => Some("a Windows binary"),
        [b'P', b'K', 3, 4, ..] => Some("a zip file (set it as `zip`)"),
        [] => Some("empty"),
        _ => Some("not a Linux binary"),
    };
    if let Some(other) = other {
        return Err(format!("is {other}; build it for Linux, e.g. with `cargo lambda build --release`"));
    }
    match bytes.get(4..20) {
        Some([2, 1, .., 62, 0]) => Ok("x86_64"),
        Some([2, 1, .., 183, 0]) => Ok("arm64"),
        _ => Err(
            "is an ELF binary for a machine that Lambda does not support; build it for x86-64 or arm64 Linux"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        bytes[18] = machine;
        bytes
    }

    fn zip_of(name: &str, content: &[u8], mode: u32) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_bootstrap_is_zipped_reproducibly() {
        let one = prepare(CodeKind::Bootstrap, &elf(183)).unwrap();
        let two = prepare(CodeKind::Bootstrap, &elf(183)).unwrap();
        assert_eq!(one.zip, two.zip);
        assert_eq!(one.facts.architecture, "arm64");
        // The zip is itself a valid input, with the same facts.
        assert_eq!(prepare(CodeKind::Zip, &one.zip).unwrap().facts, one.facts);
        // Pinned: another zip library, or version of it, must not change users' plans unnoticed.
        assert_eq!(
            hex::encode(one.facts.sha256),
            "7b27c8ff334cbcf29d4071feb2414e7d74d9e3677886e3095c25f15a120c3d72"
        );
    }

    #[test]
    fn unusable_code_is_named() {
        for (kind, bytes, part) in [
            (CodeKind::Zip, b"hello".to_vec(), "not a zip"),
            (CodeKind::Zip, zip_of("main", &elf(62), 0o755), "no `bootstrap`"),
            (CodeKind::Zip, zip_of("target/bootstrap", &elf(62), 0o755), "at the top"),
            (CodeKind::Zip, zip_of("bootstrap", &elf(62), 0o644), "not executable"),
            (CodeKind::Zip, zip_of("bootstrap", b"MZ", 0o755), "Windows"),
            (CodeKind::Bootstrap, vec![0xcf, 0xfa, 0xed, 0xfe], "macOS"),
            (CodeKind::Bootstrap, elf(243), "machine that Lambda does not support"),
            (CodeKind::Bootstrap, zip_of("bootstrap", b"", 0o755), "set it as `zip`"),
            (CodeKind::Bootstrap, vec![], "empty"),
            (CodeKind::Bootstrap, b"\x7fELF".to_vec(), "machine"),
        ] {
            let error = prepare(kind, &bytes).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(
            prepare(CodeKind::Zip, &zip_of("bootstrap", b"#!/bin/sh", 0o755)).unwrap().facts.architecture,
            "x86_64"
        );
    }
}
