//! The results of the matrix: a file from which an interrupted run resumes, and the report.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::fixture::Fixture;
use crate::matrix::{Case, Operation, Verdict};

/// Results by case name. Each result is appended to a file as soon as its case ends.
pub struct Results {
    known: BTreeMap<String, Verdict>,
    file: Option<Mutex<File>>,
}

impl Results {
    /// Reads the results of a file, if the same program and seed wrote them; other results are deleted.
    /// Without a path there are none.
    pub fn open(path: Option<&Path>, seed: u64) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self { known: BTreeMap::new(), file: None }) };
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fail)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fail)?;
        let me = fingerprint(seed)?;
        let mut lines = text.lines();
        let mut known = BTreeMap::new();
        if lines.next() == Some(&me) {
            known.extend(lines.filter_map(read));
        } else {
            // Another program or seed wrote the file, or its first line is incomplete.
            file.set_len(0).map_err(fail)?;
            writeln!(file, "{me}").map_err(fail)?;
        }
        Ok(Self { known, file: Some(Mutex::new(file)) })
    }

    /// The result of a case; `None` if it has not run yet.
    pub fn get(&self, case: &Case) -> Option<Verdict> {
        self.known.get(&case.to_string()).cloned()
    }

    /// Appends a result to the file. A failed write, e.g. on a full disk, only prevents resuming: the run
    /// continues.
    pub fn keep(&self, case: &Case, verdict: &Verdict) {
        let Some(file) = &self.file else { return };
        let (word, detail) = match verdict {
            Verdict::Converged => ("converged", ""),
            Verdict::Instructed => ("instructed", ""),
            Verdict::NotFired => ("not fired", ""),
            Verdict::Failed(wrong) => ("failed", wrong.as_str()),
        };
        let line = json!({ "case": case.to_string(), "verdict": word, "detail": detail });
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(file, "{line}");
    }
}

/// The fingerprint of the program, the fixtures and the seed, on which results depend.
fn fingerprint(seed: u64) -> Result<String, String> {
    let program = std::env::current_exe().and_then(std::fs::read);
    let mut digest = Sha256::new();
    digest.update(program.map_err(|error| format!("the running program cannot be read: {error}"))?);
    Fixture::all().iter().for_each(|fixture| digest.update(fixture.text()));
    Ok(format!("{} seed {seed}", hex::encode(digest.finalize())))
}

/// Reads a line of the file. An incomplete line is ignored.
fn read(line: &str) -> Option<(String, Verdict)> {
    let line: Json = serde_json::from_str(line).ok()?;
    let verdict = match line["verdict"].as_str()? {
        "converged" => Verdict::Converged,
        "instructed" => Verdict::Instructed,
        "not fired" => Verdict::NotFired,
        _ => Verdict::Failed(line["detail"].as_str()?.to_owned()),
    };
    Some((line["case"].as_str()?.to_owned(), verdict))
}

/// The counts of one row of the report.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    runs: usize,
    fired: usize,
    converged: usize,
    instructed: usize,
    failed: usize,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.fired += other.fired;
        self.converged += other.converged;
        self.instructed += other.instructed;
        self.failed += other.failed;
    }

    fn row(self) -> [String; 5] {
        [self.runs, self.fired, self.converged, self.instructed, self.failed].map(|count| count.to_string())
    }
}

/// The outcomes, counted by composite, operation and fault.
pub struct Report {
    cells: BTreeMap<(&'static str, Operation, Fault), Cell>,
    all: Cell,
    /// The failed cases, with the reason. A fault that met no call is a failure too, because the case tested
    /// nothing.
    pub failures: Vec<(Case, String)>,
}

const COLUMNS: [&str; 8] =
    ["composite", "operation", "fault", "runs", "fired", "converged", "as printed", "failed"];

impl Report {
    /// Counts outcomes.
    pub fn of(outcomes: &[(Case, Verdict)]) -> Self {
        let mut report = Self { cells: BTreeMap::new(), all: Cell::default(), failures: Vec::new() };
        for (case, verdict) in outcomes {
            let mut one = Cell { runs: 1, fired: 1, ..Cell::default() };
            match verdict {
                Verdict::Converged => one.converged = 1,
                Verdict::Instructed => one.instructed = 1,
                Verdict::NotFired => {
                    one.fired = 0;
                    one.failed = 1;
                    report.failures.push((case.clone(), "no call met the fault".to_owned()));
                }
                Verdict::Failed(wrong) => {
                    one.failed = 1;
                    report.failures.push((case.clone(), wrong.clone()));
                }
            }
            report.cells.entry((case.composite, case.operation, case.fault)).or_default().add(one);
            report.all.add(one);
        }
        report
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let rows = self.cells.iter().map(|((composite, operation, fault), cell)| {
            let names = [(*composite).to_owned(), operation.to_string(), fault.to_string()];
            names.into_iter().chain(cell.row()).collect()
        });
        rows.collect()
    }

    /// Formats the counts as a table for a terminal.
    pub fn table(&self) -> String {
        let head = COLUMNS.map(ToOwned::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(self.rows()).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (text, width))| {
                if column < 3 { format!("{text:<width$}") } else { format!("{text:>width$}") }
            });
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        rows.iter().map(line).collect()
    }

    /// Formats the counts as a page of the documentation, with a table for each of these composites.
    pub fn markdown(&self, composites: &[&str]) -> String {
        let mut page = String::from(PREFACE);
        page.push_str(&format!("\n`{}`\n", self.last_line()));
        for composite in composites {
            page.push_str(&format!("\n### {composite}\n\n"));
            page.push_str("| operation | fault | runs | fired | converged | as printed | failed |\n");
            page.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
            for row in self.rows().iter().filter(|row| row[0] == **composite) {
                page.push_str(&format!("| {} |\n", row[1..].join(" | ")));
            }
        }
        page
    }

    /// The totals, in one line.
    pub fn last_line(&self) -> String {
        format!(
            "crash matrix: {} runs, {} faults fired, {} converged, {} as printed, {} failed",
            self.all.runs,
            self.all.fired,
            self.all.converged,
            self.all.instructed,
            self.failures.len()
        )
    }
}

const PREFACE: &str = "\
---
page_title: \"Reliability\"
description: |-
  How interrupted and failed AWS calls are tested, with the results for every composite.
---

# Reliability

An interrupted `terraform apply` must not lose AWS objects or create them twice. This page shows how that is tested: \
the crash matrix breaks AWS calls on purpose, one per run, and counts the results. `cargo xtask crash-report` runs it \
and writes this page.

## One run

A run tests one combination of composite, operation, fault and call:

1. Start an operation, e.g. the create of a `queue` with every input of its fixture.
2. Inject one fault into one call that changes AWS, e.g. kill the provider after `sqs:CreateQueue`.
3. Run the same command again. If an error message prints an instruction, follow it, and nothing else.
4. Check the result.

The run passes if all of these conditions hold:

- AWS has exactly one of each object, with the expected settings.
- The tags of all objects belong to this state.
- The next plan is empty.
- Objects of other owners are unchanged.
- A destroy leaves no object.

After a delete, only the last two conditions apply.

Runs use the provider's own code, from the plan to the AWS SDK, against AWS in memory. It is strict: create calls do \
not overwrite objects, and names are not free immediately after a delete. New roles cannot be assumed immediately, and \
a delete fails while other objects depend on the object. Latencies pass in virtual time. The acceptance tests repeat a \
sample of the faults with the real Terraform on an emulator.

## Operations

| operation | disturbed command | next command |
| --- | --- | --- |
| create | creates the composite | the same |
| create, then less | creates the composite | an apply with fewer objects |
| update | updates objects in place | the same |
| update, then back | adds objects | an apply that removes them |
| replacement of objects | replaces objects | the same |
| delete | destroys the composite | the same |
| tainted replacement | replaces a composite that a failed create left tainted | the same |

## Faults

| fault | meaning |
| --- | --- |
| provider killed before the call | The provider is killed before AWS receives the call. |
| provider killed after the call | AWS executes the call, and the provider is killed before the answer arrives. |
| Terraform killed, state as before | The provider finishes, but Terraform does not save the state. |
| Terraform killed, state empty | The provider finishes, but the state file is empty. |
| Ctrl-C | Terraform asks the provider to stop. |
| Ctrl-C twice | Terraform exits without saving the state, and the provider is killed two seconds later. |
| call delayed | The call arrives 45 seconds late. |
| throttled | The service throttles the call 12 times, more often than the SDK retries it. |
| internal errors | The call fails with an internal error three times. |
| connection reset before the call | The connection is reset before AWS receives the call. |
| answer lost | AWS executes the call, but the connection is reset before the answer arrives. |
| access denied | AWS denies the call once. |
| stale reads | The next three reads of the service return the state from before the call. |
| role not known yet | The service refuses the call four times, because it cannot assume the new role yet. |

Each fault is injected at every call that can meet it. For example, only calls that check a role can meet *role not \
known yet*. The *Terraform killed* faults run once per operation, because the resulting state does not depend on the \
call.

## Results

There is one table per composite. Its columns count runs:

- *runs*: all runs with this operation and fault.
- *fired*: the fault met a call.
- *converged*: the same command again was enough, or no command was needed.
- *as printed*: it was also necessary to follow a message, e.g. to run `terraform untaint` or `terraform state rm`, to \
add an `import` block, or to apply again.
- *failed*: a condition of [One run](#one-run) did not hold, or the fault met no call.

The totals of all composites:
";
