//! The stable codes of messages. Every code is listed here, once.

use std::fmt;

macro_rules! codes {
    ($($name:ident $code:literal $title:literal;)*) => {
        /// The stable code of a check. `tandem explain` prints a page for each code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The code as printed, e.g. `TDM001`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The fact that the code reports, as a short sentence.
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
    OutOfRange "TDM004" "A value is not allowed";
    Choice "TDM005" "Inputs conflict, or a required choice is missing";
    Code "TDM010" "The code of a function cannot be used";
    Schedule "TDM011" "A schedule or time zone is not valid";
    Environment "TDM012" "An environment variable is reserved, invalid or too large";
    SecretInEnvironment "TDM013" "An environment variable looks like a secret";
    ReservedTag "TDM014" "A tag is reserved";
    Build "TDM015" "A container image cannot be built";
    TaskSize "TDM016" "Fargate does not offer this pair of CPU and memory";
    OverlappingFilters "TDM020" "Two triggers overlap";
    VisibilityTimeout "TDM021" "A visibility timeout is shorter than the timeout of the function";
    Loop "TDM022" "A trigger starts an endless loop";
    Syntax "TDM030" "The spec cannot be read";
    DuplicateName "TDM031" "A name occurs twice";
    UnknownReference "TDM032" "A reference does not resolve to an entry or a step";
    Cycle "TDM033" "References form a cycle";
    Edited "TDM040" "A generated file was edited";
    Handler "TDM041" "A handler does not match its triggers";
    Outdated "TDM042" "Generated files are out of date";
    Outside "TDM043" "A file would be written outside the output folder";
    Template "TDM044" "A template or its output is not valid";
    Native "TDM045" "A native module cannot express an entry";
    Foreign "TDM046" "A file of yours has the name of a generated file";
    Mixed "TDM047" "Triggers of one function disagree on `partial_batch_response`";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
    }
}
