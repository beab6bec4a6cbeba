//! The code of functions: checks files and creates the reproducible zip that Lambda gets.

use std::io::{Cursor, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use object::LittleEndian;
use object::elf::{FileHeader64, VER_FLG_WEAK};
use object::read::elf::{FileHeader, ProgramHeader};
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

/// The runtime of every function.
pub(crate) const RUNTIME: &str = "provided.al2023";

/// The major and minor version of the glibc in the runtime.
const RUNTIME_GLIBC: (u32, u32) = (2, 34);

/// The largest zip that one API call can upload, in bytes.
const MAX_ZIP: usize = 50 << 20;

/// The largest sum of all files after unzipping, in bytes.
const MAX_UNZIPPED: u64 = 262_144_000;

/// The most versions that are read of one library, and the most libraries. No linker writes as many; without
/// a limit, a damaged table could take hours.
const MAX_VERSIONS: usize = 1000;

/// Prepares the code from the bytes of a file.
///
/// The error states the defect as a predicate of the file, e.g. `is not a zip file`.
pub fn prepare(kind: CodeKind, bytes: &[u8]) -> Result<Code, String> {
    let (zip, architecture) = match kind {
        CodeKind::Zip => (bytes.to_vec(), inspect_zip(bytes)?),
        CodeKind::Bootstrap => {
            let architecture = inspect_elf(bytes)?;
            check_unzipped(bytes.len() as u64)?;
            check_glibc(bytes)?;
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

fn check_unzipped(size: u64) -> Result<(), String> {
    if size > MAX_UNZIPPED {
        return Err(format!(
            "is {size} bytes unzipped, but Lambda accepts at most {MAX_UNZIPPED} bytes; strip the binary, or \
            use a container image"
        ));
    }
    Ok(())
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
    // The directory has the size of every file, so that a zip bomb is refused before it is unpacked. The headers
    // of the files can lack it: a program that writes a stream does not know it in time.
    let sizes = (0..archive.len()).filter_map(|index| Some(archive.by_index_data(index).ok()?.size()));
    check_unzipped(sizes.fold(0, u64::saturating_add))?;
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
    let size = file.size();
    let damaged = |error| format!("is damaged: {error}");
    let within = |error| format!("contains a `bootstrap` that {error}");
    let mut content = Vec::new();
    file.by_ref().take(64).read_to_end(&mut content).map_err(damaged)?;
    if content.starts_with(b"#!") {
        // A script runs on either architecture.
        return Ok("x86_64");
    }
    let architecture = inspect_elf(&content).map_err(within)?;
    // A zip bomb can contain more than its directory declares.
    let rest = size.saturating_sub(content.len() as u64);
    file.take(rest).read_to_end(&mut content).map_err(damaged)?;
    check_glibc(&content).map_err(within)?;
    Ok(architecture)
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

/// The loader of the runtime refuses a binary that needs a newer glibc, at every invocation.
fn check_glibc(binary: &[u8]) -> Result<(), String> {
    let (major, minor) = RUNTIME_GLIBC;
    match needed_glibc(binary) {
        Some(needed) if needed > RUNTIME_GLIBC => Err(format!(
            "needs glibc {}.{}, but the runtime `{RUNTIME}` has glibc {major}.{minor}: it was built on a newer \
            Linux; build it with `cargo lambda build --release`, which links against an old glibc",
            needed.0, needed.1
        )),
        _ => Ok(()),
    }
}

/// The newest glibc in the version needs of a binary. `None` for a static binary, and if the needs cannot be
/// read: Lambda decides then.
fn needed_glibc(binary: &[u8]) -> Option<(u32, u32)> {
    let header = FileHeader64::<LittleEndian>::parse(binary).ok()?;
    // A binary that brings its own loader brings its own glibc.
    let segments = header.program_headers(LittleEndian, binary).unwrap_or_default();
    let loader = segments.iter().find_map(|one| one.interpreter(LittleEndian, binary).ok().flatten());
    if loader.is_some_and(|path| !path.starts_with(b"/lib")) {
        return None;
    }
    let sections = header.sections(LittleEndian, binary).ok()?;
    let (libraries, names) = sections.gnu_verneed(LittleEndian, binary).ok()??;
    let names = sections.strings(LittleEndian, binary, names).ok()?;
    let mut newest = None;
    for library in libraries.take(MAX_VERSIONS) {
        let (_, versions) = library.ok()?;
        for version in versions.take(MAX_VERSIONS) {
            let version = version.ok()?;
            // The loader only warns if a weak version is missing.
            if version.vna_flags.get(LittleEndian) & VER_FLG_WEAK == 0 {
                newest = newest.max(glibc_of(version.name(LittleEndian, names).ok()?));
            }
        }
    }
    newest
}

/// The glibc that defines a symbol version, e.g. 2.38 for `GLIBC_2.38`. `None` for versions of other libraries,
/// and for `GLIBC_PRIVATE`, which every glibc has.
fn glibc_of(version: &[u8]) -> Option<(u32, u32)> {
    let version = std::str::from_utf8(version).ok()?.strip_prefix("GLIBC_")?;
    if version == "ABI_DT_RELR" {
        // Relocations in the compact format, which the loader reads since this version.
        return Some((2, 36));
    }
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
#[path = "../tests/shared/elf.rs"]
mod elf;

#[cfg(test)]
mod tests {
    use super::elf::needing;
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

    /// The zip with another size of a file in its directory.
    fn declaring(mut zip: Vec<u8>, name: &str, size: u64) -> Vec<u8> {
        let entry =
            |at: &usize| zip[*at..].starts_with(b"PK\x01\x02") && zip[at + 46..].starts_with(name.as_bytes());
        let at = (0..zip.len()).find(entry).unwrap();
        zip[at + 24..at + 28].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        zip
    }

    /// A zip with `bootstrap` and another file, written as a stream: only the directory has the sizes.
    fn streamed() -> Vec<u8> {
        let mut writer = ZipWriter::new_stream(Vec::new());
        for (name, content) in [("bootstrap", &elf(62)[..]), ("data", b"data")] {
            writer.start_file(name, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn code_above_the_unzipped_limit_is_refused_and_not_unpacked() {
        let rest = MAX_UNZIPPED - 64;
        for (name, zip, size) in [
            ("at the limit", declaring(streamed(), "data", rest), None),
            ("one byte more", declaring(streamed(), "data", rest + 1), Some(MAX_UNZIPPED + 1)),
            ("the bootstrap", declaring(streamed(), "bootstrap", 4 << 29), Some((4 << 29) + 4)),
            ("no bootstrap", declaring(zip_of("main", b"", 0o755), "main", 300_000_000), Some(300_000_000)),
        ] {
            let found = prepare(CodeKind::Zip, &zip).map(|code| code.facts.architecture);
            let error = |size| {
                format!(
                    "is {size} bytes unzipped, but Lambda accepts at most 262144000 bytes; strip the binary, or \
                    use a container image"
                )
            };
            assert_eq!(found, size.map_or(Ok("x86_64"), |size| Err(error(size))), "{name}");
        }
        let mut binary = vec![0; usize::try_from(MAX_UNZIPPED).unwrap() + 1];
        binary[..64].copy_from_slice(&elf(62));
        let error = prepare(CodeKind::Bootstrap, &binary).unwrap_err();
        assert!(error.starts_with("is 262144001 bytes unzipped"), "{error}");
    }

    #[test]
    fn a_bootstrap_that_is_larger_than_declared_is_read_up_to_the_declared_size() {
        let binary = needing(62, &[("GLIBC_2.38", 0)]);
        let zip = declaring(zip_of("bootstrap", &binary, 0o755), "bootstrap", 100);
        assert!(prepare(CodeKind::Zip, &zip).is_ok(), "the table of versions is read beyond 100 bytes");
    }

    #[test]
    fn a_binary_for_a_newer_glibc_than_that_of_the_runtime_is_refused() {
        for (versions, needed) in [
            (&[][..], None),
            (&[("GLIBC_2.2.5", 0), ("GLIBC_2.34", 0)], None),
            (&[("GLIBC_2.35", 0)], Some("2.35")),
            (&[("GLIBC_2.38", 0), ("GLIBC_2.4", 0)], Some("2.38")),
            (&[("GLIBC_2.34", 0), ("GLIBC_3.0", 0), ("GLIBC_2.39", 0)], Some("3.0")),
            (&[("GLIBC_2.34", 0), ("GLIBC_ABI_DT_RELR", 0)], Some("2.36")),
            (&[("GLIBC_2.38", VER_FLG_WEAK), ("GLIBC_2.17", 0)], None),
            (&[("GLIBC_PRIVATE", 0), ("GLIBC_", 0), ("GLIBC_2", 0), ("GLIBC_x.99", 0)], None),
            (&[("GCC_4.2.0", 0), ("GLIBCXX_3.4.32", 0), ("", 0)], None),
        ] {
            for (machine, architecture) in [(62, "x86_64"), (183, "arm64")] {
                let binary = needing(machine, versions);
                let error = needed.map(|needed| {
                    format!(
                        "needs glibc {needed}, but the runtime `provided.al2023` has glibc 2.34: it was built on \
                        a newer Linux; build it with `cargo lambda build --release`, which links against an old \
                        glibc"
                    )
                });
                let within = error.as_ref().map(|error| format!("contains a `bootstrap` that {error}"));
                let zip = zip_of("bootstrap", &binary, 0o755);
                for (kind, bytes, error) in
                    [(CodeKind::Bootstrap, binary, error), (CodeKind::Zip, zip, within)]
                {
                    let found = prepare(kind, &bytes).map(|code| code.facts.architecture);
                    assert_eq!(found, error.map_or(Ok(architecture), Err), "{kind:?} {versions:?}");
                }
            }
        }
    }

    #[test]
    fn damaged_version_needs_are_left_to_lambda() {
        let whole = needing(62, &[("GLIBC_2.34", 0), ("GLIBC_2.38", 0)]);
        assert_eq!(needed_glibc(&whole), Some((2, 38)));
        for length in 0..whole.len() {
            assert_eq!(needed_glibc(&whole[..length]), None, "{length} bytes");
        }
        for index in 0..whole.len() {
            for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[index] = byte;
                // Any result, but no panic.
                let _ = needed_glibc(&damaged);
            }
        }
        // Each library has the most versions, all of them the last entry, which has no next version. Without
        // a limit, this takes minutes.
        let entries = 50_000;
        let mut endless = needing(62, &vec![("GLIBC_PRIVATE", 0); entries]);
        for index in 0..entries {
            let at = 64 + 16 * index;
            endless[at + 2..at + 4].fill(0xff);
            let last = u32::try_from(16 * (entries - index)).unwrap();
            endless[at + 8..at + 16].copy_from_slice(&[last.to_le_bytes(), 16_u32.to_le_bytes()].concat());
        }
        assert_eq!(needed_glibc(&endless), None);
    }
}
