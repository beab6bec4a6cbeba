//! How the matrix went: results that a later run goes on from, and what is printed of them.

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

/// Results by the names of their cases, kept in a file as they come.
pub struct Results {
    known: BTreeMap<String, Verdict>,
    file: Option<Mutex<File>>,
}

impl Results {
    /// Those of a file, when they are of this very program and seed; without a file, none.
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
            // Of another program, or cut off in the first line.
            file.set_len(0).map_err(fail)?;
            writeln!(file, "{me}").map_err(fail)?;
        }
        Ok(Self { known, file: Some(Mutex::new(file)) })
    }

    /// What is known of a case.
    pub fn get(&self, case: &Case) -> Option<Verdict> {
        self.known.get(&case.to_string()).cloned()
    }

    /// Keeps a result. A disk that is full costs the resumption, not the run.
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

/// What results hold for: this program, the fixtures, and this seed.
fn fingerprint(seed: u64) -> Result<String, String> {
    let program = std::env::current_exe().and_then(std::fs::read);
    let mut digest = Sha256::new();
    digest.update(program.map_err(|error| format!("this program cannot be read: {error}"))?);
    Fixture::all().iter().for_each(|fixture| digest.update(fixture.text()));
    Ok(format!("{} seed {seed}", hex::encode(digest.finalize())))
}

/// A line of the file; one that was cut off counts as none.
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

/// Counts of one cell.
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

/// How it went, cell by cell.
pub struct Report {
    cells: BTreeMap<(&'static str, Operation, Fault), Cell>,
    all: Cell,
    /// What failed, and how. A fault that met no call is a failure, too: nothing was shown.
    pub failures: Vec<(Case, String)>,
}

const COLUMNS: [&str; 8] =
    ["composite", "operation", "fault", "runs", "fired", "converged", "as printed", "failed"];

impl Report {
    /// Of these outcomes.
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
                    report.failures.push((case.clone(), "the fault met no call".to_owned()));
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

    /// As a table for a terminal.
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

    /// As a page of the documentation.
    pub fn markdown(&self, composites: &[&str]) -> String {
        let mut page = String::from(PREFACE);
        page.push_str(&format!("\n`{}`\n", self.last_line()));
        for composite in composites {
            page.push_str(&format!("\n## {composite}\n\n"));
            page.push_str("| operation | fault | runs | fired | converged | as printed | failed |\n");
            page.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
            for row in self.rows().iter().filter(|row| row[0] == **composite) {
                page.push_str(&format!("| {} |\n", row[1..].join(" | ")));
            }
        }
        page
    }

    /// The line that says it all.
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
# Reliability

Written by `cargo xtask crash-report`. Each run makes one composite with every input that its fixture has, lets \
one fault meet one call that changes something, and applies again. A run is good when exactly one of every object \
exists then, all of them of this state, the plan is empty, what belongs to others is untouched, and a destroy \
leaves nothing. `converged` needed only the same command again, or nothing; `as printed` needed what a message said \
to do (`terraform untaint`, an `import` block, `terraform state rm`, to apply again), and nothing else.

The runs are of the provider's own code, from planning to the AWS SDK, against AWS in memory: with calls that only \
create, names that are not free at once after a delete, roles that are not known at once, conflicts of deletes, and \
latencies in virtual time. The same faults are tried with the real Terraform on an emulator in the acceptance tests, \
for a sample of calls.

Operations: a *create*; one that is followed by a configuration that wants *less*; an *update* in place; one that adds \
objects and is taken *back*; one that *replaces* objects; a *delete*; and the replacement of what a failed create left \
*tainted*.

Faults: *killed before the call* and *after* it: AWS has not seen it, or has carried it out. *Terraform killed*: the \
provider ends what it does, and the state stays *as before*, or is *empty*; once for each operation, since what becomes \
of the state does not depend on the call. *Ctrl-C* once: the provider is asked to stop; *twice*: it is killed two \
seconds later. *call delayed*: it arrives 45 seconds late. *throttled*: twelve refusals, more than the SDK tries by \
itself. *internal errors*: three. *connection reset*: before AWS has seen the call. *answer lost*: carried out, and no \
answer comes. *access denied*: once. *stale reads*: the next three reads of the service show what was. *role not known \
yet*: four refusals, as in the first seconds of a role. A fault is tried at every call that can meet it.
";
