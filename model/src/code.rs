//! The stable codes of messages. Every code is listed here, once.

use std::fmt;

macro_rules! codes {
    (inputs { $($input:ident $input_code:literal $input_title:literal;)* }
     operations { $($operation:ident $operation_code:literal $operation_title:literal;)* }) => {
        /// The stable code of a message. `tandem explain` prints a page for each code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $input_title] $input,)*
            $(#[doc = $operation_title] $operation,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$input,)* $(Code::$operation,)*];

            /// The codes of findings: a spec or a configuration causes them.
            pub const OF_INPUTS: &[Code] = &[$(Code::$input,)*];

            /// The codes of problems of an operation: the existing objects cause them.
            pub const OF_OPERATIONS: &[Code] = &[$(Code::$operation,)*];

            /// The code as printed, e.g. `TDM001`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$input => $input_code,)*
                    $(Self::$operation => $operation_code,)*
                }
            }

            /// The fact that the code reports, as a short sentence.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$input => $input_title,)*
                    $(Self::$operation => $operation_title,)*
                }
            }
        }
    };
}

codes! {
    inputs {
        Missing "TDM001" "A required input is missing";
        WrongType "TDM002" "An input has the wrong type";
        UnknownInput "TDM003" "An input does not exist";
        OutOfRange "TDM004" "A value is not allowed";
        Choice "TDM005" "Inputs conflict, or a required choice is missing";
        Code "TDM010" "The code of a function cannot be used";
        Schedule "TDM011" "A schedule or time zone is not valid";
        Environment "TDM012" "An environment variable is reserved, invalid or too large";
        SecretInEnvironment "TDM013" "An environment variable looks like a secret";
        Tag "TDM014" "A tag is reserved or not valid";
        Build "TDM015" "A container image cannot be built";
        TaskSize "TDM016" "Fargate does not offer this pair of CPU and memory";
        Pattern "TDM017" "An event pattern or filter is not valid";
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
    operations {
        Denied "TDM101" "The credentials do not allow a call";
        Lasting "TDM102" "A temporary failure lasted too long";
        Failed "TDM103" "A call failed";
        OtherPlace "TDM104" "The provider is configured for another account or region";
        UnknownKind "TDM105" "The state contains a kind of object that this version does not support";
        StillUnknown "TDM106" "A value is still unknown at apply";
        ApplyInterrupted "TDM110" "The apply was interrupted";
        DeleteInterrupted "TDM111" "The delete was interrupted";
        SweepInterrupted "TDM112" "The sweep was interrupted";
        Incomplete "TDM113" "The composite is incomplete";
        Resumed "TDM114" "An earlier apply was resumed";
        Adopted "TDM115" "An existing composite was adopted";
        AtWork "TDM120" "Another apply may still be running";
        BeingDeleted "TDM121" "The composite is being deleted";
        BeingCreated "TDM122" "Another apply is creating the composite";
        TakenOver "TDM123" "Another apply took the composite over";
        CompleteElsewhere "TDM130" "The composite exists already, and is not in this state";
        NameTaken "TDM131" "An object of another owner has the name";
        OtherInstance "TDM132" "The objects of the composite do not belong to this state";
        OtherOwner "TDM133" "Some objects of the state belong to another owner";
        SameObject "TDM134" "Two resources would own the same object";
        WouldLoseData "TDM140" "An object that holds data would be replaced";
        NotEmpty "TDM141" "An object that a destroy deletes is not empty";
        NotFound "TDM150" "The composite to import does not exist";
        NotOurs "TDM151" "The object to import does not belong to the composite";
        ImportIncomplete "TDM152" "The composite to import is incomplete";
    }
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
