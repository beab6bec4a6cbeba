//! What is wrong with inputs: where, why, what to do.

use std::fmt;

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// An input, or a field of a block.
    Field(String),
    /// An item of a list, from 0.
    Index(usize),
    /// An entry of a map.
    Key(String),
}

/// Where in the inputs: `on[1].prefix`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of one field of the top.
    pub fn field(name: impl Into<String>) -> Self {
        Self(vec![Step::Field(name.into())])
    }

    /// This path and one step more.
    pub fn join(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a finding stops the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable code of the check.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// Where.
    pub path: Path,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do.
    pub help: String,
}

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explanation:literal;)*) => {
        /// The stable code of a check; its title says what the check is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// `TDM001` and so on.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What the check is about.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Why it is checked, and what to do, in Markdown.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)* }
            }
        }
    };
}

codes! {
    Missing "TDM001" "A required input is missing"
        "What has no default must be given. The message names the input; the documentation of the composite says what it means.";
    WrongType "TDM002" "An input has the wrong type"
        "Every input has one type: a text, a whole number, `true` or `false`, a list, a map, or a block. In YAML, quote what looks like a number and is meant as a text: `VERSION: \"1\"`.";
    UnknownInput "TDM003" "An input does not exist"
        "A name that is not known is most often misspelt, and would be ignored silently if it were let through. The message suggests the nearest name, or lists all of them.";
    OutOfRange "TDM004" "A value is outside of what is allowed"
        "AWS refuses the value, or it cannot work. The message says what is allowed.";
    Choice "TDM005" "Exactly one of several shapes must be given"
        "Some blocks have several shapes, told apart by one input: a trigger is on a `bucket`, a `queue`, a `schedule` and so on, and a step of a workflow is a `function`, a `task` and so on. Give the inputs of exactly one shape; for two triggers, give two blocks.";
    Code "TDM010" "The code of a function cannot be used"
        "Lambda's runtime `provided.al2023` starts a Linux binary called `bootstrap`, by itself or at the top of a zip. Build the handler for Linux first: `tandem build`, or `cargo build --release`.";
    Schedule "TDM011" "A schedule is not valid"
        "A schedule is `rate(5 minutes)` or `cron(0 12 * * ? *)`, with the six fields of EventBridge: minutes, hours, day of month, month, day of week, year. One of the two days must be `?`.";
    Environment "TDM012" "An environment cannot be set"
        "Lambda sets some variables itself, and takes at most 4 KiB of variables in all. ECS takes at most 8,192 characters of overrides.";
    SecretInEnvironment "TDM013" "An environment variable looks like a secret"
        "Everybody who may read a function or task definition reads its environment, and Terraform keeps it in its state. Put the secret into Secrets Manager or Systems Manager, and its ARN here.";
    ReservedTag "TDM014" "A tag is not the user's to set"
        "Tags that begin with `tandem:` say whose an object is: what carries them is found again after a crash. Tags that begin with `aws:` are AWS's own.";
    Build "TDM015" "A container image cannot be built"
        "The build context is a folder that holds the Dockerfile and all that it copies. Paths are taken from the folder in which Terraform runs, or the spec lies.";
    TaskSize "TDM016" "Fargate does not offer this pair of CPU and memory"
        "For each number of CPU units Fargate offers certain sizes of memory only: 256 goes with 512, 1024 and 2048 MiB. The message names the nearest pairs.";
    OverlappingFilters "TDM020" "Two triggers overlap"
        "S3 refuses two notification entries that one object could match: prefixes or suffixes must exclude each other. A function reads a queue or stream once, and is once on a topic.";
    VisibilityTimeout "TDM021" "A queue gives a message out again while it is still being worked on"
        "A queue hides a message for its visibility timeout. Is that shorter than the function's timeout, the message is given out twice; AWS advises six times the function's timeout.";
    Loop "TDM022" "What a trigger causes would set it off again"
        "What is written matches the filter of the trigger that causes the writing: the application would work for ever, and be billed for it. Lambda's own detection of loops does not see those that go through a container. Let the prefixes exclude each other.";
    Syntax "TDM030" "The spec cannot be read"
        "The spec is one document of YAML 1.2 or JSON, with `app` and one section for each type of composite.";
    DuplicateName "TDM031" "A name is given twice"
        "Modules, handlers and objects in AWS are named after the entries of the spec, so each name stands for one entry, whatever its section. The steps of a workflow and the queues of a group have names of their own, too.";
    UnknownReference "TDM032" "A reference names no entry of the spec"
        "In `launches: [ffmpeg]`, `ffmpeg` is the name of an entry in the section `tasks`. A bucket that is no entry of the spec is taken for an existing bucket, by its name in AWS. In a workflow, `next`, `catch`, `otherwise` and `within` name steps, and something must lead to each step.";
    Cycle "TDM033" "Entries refer to each other in a circle"
        "Terraform makes one module after the other, so that references may not lead back to where they began. Nor may a step of a workflow be within itself. Take one of them out, and join the two some other way.";
    Edited "TDM040" "A generated file was edited by hand"
        "Generated files are written again by each `tandem generate`, and an edit would be lost. Move it to a file of your own: a handler's `handler.rs`, a module that calls the generated one, a template (`tandem templates export`). `--overwrite` gives the edit up.";
    Handler "TDM041" "A handler does not fit its triggers"
        "The generated `main.rs` calls one function of `handler.rs` for each type of event. `tandem generate --fix` adds a function that is missing, and touches nothing else.";
    Outdated "TDM042" "Generated files are out of date"
        "The spec, the templates or Tandem changed since the files were generated. `tandem generate` writes them again.";
    Outside "TDM043" "A file would be written outside of the output folder"
        "Names of a spec become names of files. What leads out of the folder, by `..` or by a symbolic link, is refused.";
    Template "TDM044" "A template does not give valid text"
        "What a template gives is parsed before it is written. The message has the place in the text that was made.";
    Native "TDM045" "Resources of hashicorp/aws cannot say what an entry asks for"
        "Modules of the flavour native are text: what nobody knows before an apply, or what only the provider does, has no place in them. Give what the message names, or generate the flavour composite.";
    Foreign "TDM046" "A file that Tandem did not write is in the way"
        "Generated files have fixed names, such as `main.tf` and `README.md`. One of that name is there and is not in `tandem.manifest.json`, so it is yours, and no option writes over it.";
    Mixed "TDM047" "A function cannot be told apart from its triggers"
        "A generated handler answers one way to all queues: it says which messages of a batch failed, or fails the whole batch. Give `partial_batch_response` the same value on all triggers of the function, or make two functions.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A list of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds an error.
    pub fn error(&mut self, code: Code, path: Path, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        self.0.push(Finding { code, severity: Severity::Error, path, message, help });
    }

    /// Adds a warning.
    pub fn warning(&mut self, code: Code, path: Path, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        self.0.push(Finding { code, severity: Severity::Warning, path, message, help });
    }

    /// Whether any of them is an error.
    pub fn any_error(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// The name nearest to a misspelt one, if any is near.
pub fn suggest<'a>(misspelt: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (distance(misspelt, name), name)).min()?;
    (near.0 <= misspelt.len().div_ceil(3)).then_some(near.1)
}

fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let substitute = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(suggest("memroy_size", ["timeout", "memory_size"]), Some("memory_size"));
        assert_eq!(suggest("colour", ["timeout", "memory_size"]), None);
    }

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.explanation().len() > code.title().len(), "{code}");
        }
    }
}
