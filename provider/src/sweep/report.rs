//! The report of a sweep, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use tandem_engine::problem::Problem;
use tandem_engine::sweep::{Composite, Fate, Reason, Report as Found, Why};

use crate::remedy;

/// The report of a sweep.
#[derive(Clone, Debug)]
pub struct Report {
    /// The project.
    pub project: String,
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
    /// The state files that were passed.
    pub states: Vec<String>,
    /// Warnings, e.g. about a state file of another project.
    pub notes: Vec<String>,
    /// True with `--yes`: the sweep deletes the objects.
    pub remove: bool,
    /// The orphaned objects.
    pub found: Found,
}

impl Report {
    /// The number of objects whose fate matches.
    fn count(&self, of: impl Fn(&Fate) -> bool) -> usize {
        self.found.objects().filter(|object| of(&object.fate)).count()
    }

    /// The exit code of the command. With `detailed`, it is 3 if orphaned objects were only listed.
    pub fn exit_code(&self, detailed: bool) -> u8 {
        let left = self.count(|fate| *fate != Fate::Removed);
        if !self.found.good() || (self.remove && left > 0) {
            1
        } else if detailed && left > 0 {
            3
        } else {
            0
        }
    }

    /// Every problem, with the owner of its composite if it has one.
    pub fn problems(&self) -> impl Iterator<Item = (Option<&str>, &Problem)> {
        let general = self.found.problems.iter().map(|problem| (None, problem));
        general.chain(self.found.composites.iter().flat_map(|composite| {
            composite.problems.iter().map(|problem| (Some(&*composite.owner), problem))
        }))
    }

    /// The report as text. `command` is the call that deletes the listed objects.
    pub fn text(&self, command: &str) -> String {
        let Self { project, region, account, .. } = self;
        let mut text = if self.states.is_empty() {
            format!(
                "No state was passed: every object of project {project} in region {region} of account {account} \
                 counts as orphaned, including objects in use.\n"
            )
        } else {
            let states = plural(self.states.len(), "state");
            format!("Project {project} in region {region} of account {account}, compared with {states}.\n")
        };
        for note in &self.notes {
            let _ = writeln!(text, "Note: {note}");
        }
        for composite in &self.found.composites {
            text.push('\n');
            write_objects(&mut text, composite);
        }
        let (removable, removed) =
            (self.count(|fate| *fate == Fate::Removable), self.count(|fate| *fate == Fate::Removed));
        let stay = self.count(|fate| !matches!(fate, Fate::Removable | Fate::Removed));
        text.push('\n');
        if removable + removed + stay == 0 {
            text.push_str(if self.found.good() {
                "No orphaned objects were found.\n"
            } else {
                "No orphaned objects were found, but some objects could not be checked: see the errors.\n"
            });
        } else if self.remove {
            let _ = writeln!(text, "{} deleted, {stay} not deleted.", plural(removed, "object"));
        } else {
            let can = plural(removable, "object");
            let _ = writeln!(text, "{can} can be deleted, {stay} cannot. Nothing was deleted.");
            if removable > 0 {
                let _ = writeln!(text, "To delete the removable objects, run:\n\n  {command}");
            }
        }
        text
    }

    /// The report as JSON. `command` is the call that deletes the listed objects.
    pub fn json(&self, command: &[String]) -> Json {
        let objects = self.found.composites.iter().flat_map(|composite| {
            composite.objects.iter().map(|object| {
                let (fate, reason) = fate(&object.fate);
                json!({
                    "kind": object.kind.name,
                    "id": object.id,
                    "owner": composite.owner,
                    "why": why(&object.why),
                    "fate": fate,
                    "reason": reason,
                })
            })
        });
        let problems = self.problems().map(|(owner, problem)| {
            let (code, detail) = (problem.code.as_str(), remedy::detail(problem));
            json!({ "owner": owner, "code": code, "summary": problem.fact, "detail": detail })
        });
        json!({
            "project": self.project,
            "region": self.region,
            "account": self.account,
            "states": self.states,
            "notes": self.notes,
            "dry_run": !self.remove,
            "objects": objects.collect::<Vec<_>>(),
            "problems": problems.collect::<Vec<_>>(),
            "remove_with": command,
        })
    }
}

/// Writes one line per object, in aligned columns.
fn write_objects(text: &mut String, composite: &Composite) {
    let lines: Vec<[String; 5]> = composite
        .objects
        .iter()
        .map(|object| {
            let (fate, reason) = fate(&object.fate);
            let mut why = why(&object.why);
            if let Some(reason) = reason {
                let _ = write!(why, "; stays: {reason}");
            }
            let (kind, id, owner) = (object.kind.name, &object.id, &composite.owner);
            [fate.to_owned(), kind.to_owned(), id.clone(), owner.clone(), why]
        })
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for line in &lines {
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line[4]);
    }
}

/// The fate of an object in one word, and the reason if it stays.
fn fate(fate: &Fate) -> (&'static str, Option<String>) {
    match fate {
        Fate::Removable => ("removable", None),
        Fate::Removed => ("removed", None),
        Fate::Left => ("failed", None),
        Fate::Stays(reason) => ("stays", Some(stays(reason))),
    }
}

fn why(why: &Why) -> String {
    match why {
        Why::UnknownInstance(instance) => format!("in no state: no state passed has instance {instance}"),
        Why::NotRecorded(resource) => {
            format!("in no state: has the instance of {resource}, but is not in its record")
        }
        Why::NoInstance => "state unknown: has no tag tandem:instance".to_owned(),
        Why::With(parent) => format!("part of {parent}"),
    }
}

fn stays(reason: &Reason) -> String {
    match reason {
        Reason::AtWork(by) => format!(
            "process {by} may still be applying it; the process counts as ended 30 minutes after its lease"
        ),
        Reason::Holds(held) => {
            format!("it contains {held}; pass --force-destroy to delete it with its content")
        }
        Reason::With(parent) => format!("it is part of {parent}, which stays"),
        Reason::Anchor => {
            "it is the anchor of its composite, and another object of the composite stays".to_owned()
        }
        Reason::NoInstance => "no tag refers to its state; if no state uses it, delete it by hand".to_owned(),
        Reason::UnknownComposite => {
            "this version has no such composite; use the version that created it, or a newer one".to_owned()
        }
        Reason::Unseen => {
            "some objects could not be checked; fix the errors and run the command again".to_owned()
        }
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
