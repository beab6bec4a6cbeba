//! What a sweep found and did, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use tandem_engine::job::Problem;
use tandem_engine::sweep::{Composite, Fate, Reason, Report as Found, Why};

/// What a sweep found and did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The project.
    pub project: String,
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
    /// The files of the given states.
    pub states: Vec<String>,
    /// What may be wrong with the call.
    pub notes: Vec<String>,
    /// Whether it was to remove what it found.
    pub remove: bool,
    /// What is in no given state.
    pub found: Found,
}

impl Report {
    /// How many objects have such a fate.
    fn count(&self, of: impl Fn(&Fate) -> bool) -> usize {
        self.found.objects().filter(|object| of(&object.fate)).count()
    }

    /// The exit code of the command. With `detailed`, a look that found something is told from one that
    /// found nothing.
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

    /// Every problem, with whose it is.
    pub fn problems(&self) -> impl Iterator<Item = (Option<&str>, &Problem)> {
        let general = self.found.problems.iter().map(|problem| (None, problem));
        general.chain(self.found.composites.iter().flat_map(|composite| {
            composite.problems.iter().map(|problem| (Some(&*composite.owner), problem))
        }))
    }

    /// For people. `command` is the call that removes what was found.
    pub fn text(&self, command: &str) -> String {
        let Self { project, region, account, .. } = self;
        let mut text = if self.states.is_empty() {
            format!(
                "No state was given: everything of project {project} in region {region} of account {account} counts \
                 as left over, also what is in use.\n"
            )
        } else {
            let states = plural(self.states.len(), "state");
            format!("Project {project} in region {region} of account {account}, beside {states}.\n")
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
                "Nothing is left over.\n"
            } else {
                "Nothing was found to be left over, and not everything could be looked at.\n"
            });
        } else if self.remove {
            let _ = writeln!(text, "{} removed, {stay} left.", plural(removed, "object"));
        } else {
            let can = plural(removable, "object");
            let _ = writeln!(text, "{can} can be removed, {stay} must stay. Nothing was removed.");
            if removable > 0 {
                let _ = writeln!(text, "To remove what can be removed:\n\n  {command}");
            }
        }
        text
    }

    /// For programs.
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
            json!({ "owner": owner, "summary": problem.summary, "detail": problem.detail })
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

/// One line for each object, in columns.
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

/// What becomes of an object in a word, and why it stays.
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
        Why::UnknownInstance(instance) => format!("instance unknown: no given state has {instance}"),
        Why::NotRecorded(resource) => format!("in no state: not in the record of {resource}"),
        Why::NoInstance => "instance unknown: no tag tandem:instance".to_owned(),
        Why::With(parent) => format!("goes with {parent}"),
    }
}

fn stays(reason: &Reason) -> String {
    match reason {
        Reason::AtWork(by) => format!(
            "process {by} may be at work on it; it counts as dead half an hour after the end of its lease"
        ),
        Reason::Holds(held) => format!("it holds {held}, which --force-destroy deletes with it"),
        Reason::With(parent) => format!("it belongs to {parent}, which stays"),
        Reason::Anchor => "it is the last of its composite to go, and something of that stays".to_owned(),
        Reason::NoInstance => {
            "without that tag nothing tells whose it is; if it is nobody's, delete it by hand".to_owned()
        }
        Reason::UnknownComposite => {
            "this version knows no such composite; use the version that made it, or a newer one".to_owned()
        }
        Reason::Unseen => "not everything could be looked at".to_owned(),
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
