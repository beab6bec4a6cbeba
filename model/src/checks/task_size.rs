//! The pairs of CPU and memory that Fargate offers.
//!
//! Source: "Task CPU and memory" in the Amazon ECS Developer Guide for Fargate.

use crate::finding::{Code, Findings, Path};

/// The CPU units that Fargate offers.
pub const CPUS: &[i64] = &[256, 512, 1024, 2048, 4096, 8192, 16384];

/// The sizes of memory, in MiB, that Fargate offers with this number of CPU units.
pub fn memories(cpu: i64) -> Vec<i64> {
    let steps = |from: i64, to: i64, step: usize| (from..=to).step_by(step).collect();
    match cpu {
        256 => vec![512, 1024, 2048],
        512 => steps(1024, 4096, 1024),
        1024 => steps(2048, 8192, 1024),
        2048 => steps(4096, 16384, 1024),
        4096 => steps(8192, 30720, 1024),
        8192 => steps(16384, 61440, 4096),
        16384 => steps(32768, 122_880, 8192),
        _ => Vec::new(),
    }
}

/// Checks a pair. The help names the nearest valid pairs: for this CPU, and for this memory.
pub fn check(cpu: i64, memory: i64, at: Path, findings: &mut Findings) {
    let offered = memories(cpu);
    if offered.contains(&memory) {
        return;
    }
    let below = offered.iter().rev().find(|offer| **offer < memory);
    let above = offered.iter().find(|offer| **offer > memory);
    let for_cpu: Vec<String> =
        below.into_iter().chain(above).map(|offer| format!("`memory = {offer}`")).collect();
    let for_memory: Vec<String> = CPUS
        .iter()
        .filter(|other| memories(**other).contains(&memory))
        .map(|other| format!("`cpu = {other}`"))
        .collect();
    let mut help = format!("Set {} for `cpu = {cpu}`.", for_cpu.join(" or "));
    if !for_memory.is_empty() {
        help.push_str(&format!(" {memory} MiB are valid with {}.", for_memory.join(", ")));
    }
    findings.error(
        Code::TaskSize,
        at,
        format!("Fargate does not offer `memory = {memory}` with `cpu = {cpu}`"),
        help,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_checked_both_ways() {
        for (cpu, memory, help) in [
            (256, 512, None),
            (16384, 122_880, None),
            (
                256,
                4096,
                Some("`cpu = 256`. 4096 MiB are valid with `cpu = 512`, `cpu = 1024`, `cpu = 2048`."),
            ),
            (1024, 512, Some("`cpu = 1024`. 512 MiB are valid with `cpu = 256`.")),
            (8192, 17408, Some("`memory = 20480` for `cpu = 8192`. 17408 MiB are valid with `cpu = 4096`.")),
            (512, 1500, Some("`memory = 1024` or `memory = 2048` for `cpu = 512`.")),
        ] {
            let mut findings = Findings::default();
            check(cpu, memory, Path::default(), &mut findings);
            let found = findings.0.first().map(|finding| finding.help.clone());
            match help {
                None => assert_eq!(found, None),
                Some(help) => assert!(found.as_ref().is_some_and(|found| found.ends_with(help)), "{found:?}"),
            }
        }
    }
}
