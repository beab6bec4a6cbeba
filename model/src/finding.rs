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
    ($($name:ident $code:literal $title:literal;)*) => {
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
        }
    };
}

codes! {
    Missing "TDM001" "A required input is missing";
    WrongType "TDM002" "An input has the wrong type";
    UnknownInput "TDM003" "An input does not exist";
    OutOfRange "TDM004" "A value is outside of what is allowed";
    Choice "TDM005" "Exactly one of several shapes must be given";
    Code "TDM010" "The code of a function cannot be used";
    Schedule "TDM011" "A schedule is not valid";
    Environment "TDM012" "An environment cannot be set";
    SecretInEnvironment "TDM013" "An environment variable looks like a secret";
    Build "TDM015" "A container image cannot be built";
    TaskSize "TDM016" "Fargate does not offer this pair of CPU and memory";
    ReservedTag "TDM014" "A tag is not the user's to set";
    OverlappingFilters "TDM020" "Two triggers on one bucket overlap";
    Loop "TDM022" "What a trigger causes would set it off again";
    VisibilityTimeout "TDM021" "A queue gives a message out again while it is still being worked on";
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
    }
}
