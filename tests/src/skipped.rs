//! Tests that are skipped because the machine lacks a program. `cargo xtask test` prints them after the tests.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use crate::environment::private;

/// The file with a line for each skipped test.
fn file() -> PathBuf {
    private().join("skipped.txt")
}

/// Records that the current test is skipped, e.g. for `hashicorp/aws`, with the reason.
///
/// # Panics
/// If the record cannot be written, or with `TANDEM_FULL`: then no test may be skipped.
pub fn record(lacks: &str, reason: &str) {
    assert!(std::env::var_os("TANDEM_FULL").is_none(), "no {lacks}: {reason}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("{lacks}\t{test}\t{}\n", reason.split_whitespace().collect::<Vec<_>>().join(" "));
    let written = std::fs::create_dir_all(private()).and_then(|()| {
        // One write: tests run in parallel.
        OpenOptions::new().create(true).append(true).open(file())?.write_all(line.as_bytes())
    });
    written.expect("a record of skipped tests");
}

/// Forgets the skipped tests of earlier runs.
///
/// # Errors
/// If their file cannot be removed.
pub fn forget() -> std::io::Result<()> {
    match std::fs::remove_file(file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// One line for each program that the machine lacks, with the tests that were skipped since [`forget`].
pub fn lines() -> Vec<String> {
    summary(&std::fs::read_to_string(file()).unwrap_or_default())
}

fn summary(recorded: &str) -> Vec<String> {
    let mut all: BTreeMap<&str, (Vec<&str>, &str)> = BTreeMap::new();
    for line in recorded.lines() {
        let mut parts = line.splitn(3, '\t');
        if let (Some(lacks), Some(test), Some(reason)) = (parts.next(), parts.next(), parts.next()) {
            all.entry(lacks).or_insert((Vec::new(), reason)).0.push(test);
        }
    }
    let line = |(lacks, (tests, reason)): (&str, (Vec<&str>, &str))| {
        format!("SKIPPED: no {lacks}: {}: {reason}", tests.join(", "))
    };
    all.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_skipped_tests_and_the_reason() {
        assert!(summary("").is_empty());
        let lines = summary("aws\ta::b\tno host\nNode\tx\tnot on PATH\naws\tc::d\tno host\n");
        assert_eq!(lines, ["SKIPPED: no Node: x: not on PATH", "SKIPPED: no aws: a::b, c::d: no host"]);
    }
}
