//! Words the problems of the engine: their remedies as commands and settings of Terraform.

use tandem_engine::problem::{Again, Instead, Other, Problem, Remedy};
use tandem_model::ownership::INSTANCE;
use tfplugin::{Diagnostic, Severity};

/// The diagnostic for a problem. Its detail ends with the code, as that of a finding.
pub(crate) fn diagnostic(problem: &Problem) -> Diagnostic {
    let severity = if problem.error { Severity::Error } else { Severity::Warning };
    Diagnostic { severity, summary: problem.fact.clone(), detail: with_code(problem), path: None }
}

/// The cause, the remedy and the code. The code does not extend a command or the item of a list.
pub(crate) fn with_code(problem: &Problem) -> String {
    let detail = detail(problem);
    let last = detail.lines().next_back().unwrap_or_default();
    let separator = if last.starts_with("  ") || last.starts_with("- ") { "\n\n" } else { " " };
    format!("{detail}{separator}[{}]", problem.code)
}

/// The cause and the remedy.
pub(crate) fn detail(problem: &Problem) -> String {
    let remedy = text(&problem.remedy);
    if problem.cause.is_empty() || remedy.is_empty() {
        return format!("{}{remedy}", problem.cause);
    }
    let separator = match &problem.remedy {
        // The cause is the message of a call, which may have several lines.
        Remedy::AllowCall(_) | Remedy::ApplyAgainOrWaitLonger | Remedy::FixCauseAndSweep => "\n\n",
        Remedy::OtherVersion => "; ",
        _ => " ",
    };
    format!("{}{separator}{remedy}", problem.cause)
}

fn text(remedy: &Remedy) -> String {
    match remedy {
        Remedy::None => String::new(),
        Remedy::ApplyAgain => "Apply again.".to_owned(),
        Remedy::ApplyAgainOrWaitLonger => {
            "This failure is usually temporary, but lasted too long. Apply again. If it occurs again, raise \
             `timeouts`."
                .to_owned()
        }
        Remedy::RunAgain => "Run the command again.".to_owned(),
        Remedy::SweepAgain => "Sweep again to continue.".to_owned(),
        Remedy::FixCauseAndSweep => "Fix the cause, then sweep again.".to_owned(),
        Remedy::AllowCall(again) => {
            let again = match again {
                Again::Apply => "apply",
                Again::Sweep => "sweep",
            };
            format!(
                "The credentials are not allowed to make this call. Allow it in IAM, or use other credentials, \
                 then {again} again."
            )
        }
        Remedy::WaitFor(Other::Operation) => "Apply again when that has ended.".to_owned(),
        Remedy::WaitFor(Other::Apply) => "Wait until the other apply has ended, then apply again.".to_owned(),
        Remedy::WaitFor(Other::Process) => {
            "Wait until that process has ended, then apply again. If it uses another state, give this composite \
             another `name`: two states must not own the same composite."
                .to_owned()
        }
        Remedy::ConfigurePlace { place, recorded } => format!(
            "Configure the provider for {place} {recorded}, e.g. with a provider alias, or destroy the composite \
             there first."
        ),
        Remedy::OtherVersion => "use the version that created it, or a newer one".to_owned(),
        Remedy::ReportBug => "This is a bug in the provider: please report it.".to_owned(),
        Remedy::KeepCreated => {
            "Terraform marks it as tainted: the next apply would destroy it and create it again. To complete it \
             instead, run this command with the address that Terraform prints above (e.g. \
             tandem_event_function.NAME), then apply again:\n\n  terraform untaint ADDRESS"
                .to_owned()
        }
        Remedy::ForgetState => {
            "If no other state owns them, remove the resource from this state, with the address that Terraform \
             prints above:\n\n  terraform state rm ADDRESS\n\nThen apply again: the apply completes an incomplete \
             composite, and prints the `import` block for a complete one."
                .to_owned()
        }
        Remedy::SetInstanceTag { instance, first } => format!(
            "If the objects are yours, set their tag `{INSTANCE}` to `{instance}` (the first is `{first}`). If \
             not, run `terraform state rm` to remove the resource from this state."
        ),
        Remedy::Import { composite, name } => format!(
            "If its state was lost, set `adopt = \"matching\"` in the provider configuration and apply again, or \
             import it, with NAME as in your configuration:\n\n  import {{\n    to = tandem_{composite}.NAME\n    \
             id = \"{name}\"\n  }}\n\nIf another state owns it, give this composite another `name`. If the \
             resource sets `create_before_destroy`, remove that: the new composite would have the name of the \
             old one."
        ),
        Remedy::AnotherName { key } => format!(
            "Give this composite another `name`, or set another `project` in the provider configuration. If the \
             object is not needed any more, delete it instead. (Its key is {key}.)"
        ),
        Remedy::AllowLoss(Instead::UndoChange) => {
            "Undo the change, or set `force_destroy = true` to delete the data.".to_owned()
        }
        Remedy::AllowLoss(Instead::ChangeByHand) => {
            "Set `force_destroy = true` to delete the data, or change the object by hand to the wanted settings."
                .to_owned()
        }
        Remedy::AllowLoss(Instead::Empty) => {
            "Empty it, or set `force_destroy = true` and apply, then destroy again.".to_owned()
        }
        Remedy::CheckName { place: true } => {
            "Check the name, and the provider's `project`, `region` and credentials.".to_owned()
        }
        Remedy::CheckName { place: false } => "Check the name and `project`.".to_owned(),
        Remedy::RemoveImport => "Remove the import: the next apply completes the composite.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tandem_model::code::Code;

    use super::*;

    #[test]
    fn a_command_can_be_copied_without_the_code() {
        let incomplete = Problem::warning(Code::Incomplete, "It is incomplete", "", Remedy::KeepCreated);
        let text = with_code(&incomplete);
        assert!(text.starts_with("Terraform marks"), "{text}");
        assert!(text.ends_with(":\n\n  terraform untaint ADDRESS\n\n[TDM113]"), "{text}");
        let resumed = Problem::warning(Code::Resumed, "It was resumed", "Its objects:\n- a.b", Remedy::None);
        assert_eq!(with_code(&resumed), "Its objects:\n- a.b\n\n[TDM114]");
    }

    #[test]
    fn the_remedy_follows_the_cause() {
        let deleted = Problem::error(
            Code::BeingDeleted,
            "a.b is being deleted",
            "Another apply is running.",
            Remedy::WaitFor(Other::Operation),
        );
        let found = diagnostic(&deleted);
        assert_eq!(found.summary, "a.b is being deleted");
        assert_eq!(found.detail, "Another apply is running. Apply again when that has ended. [TDM121]");
        let denied = Problem::error(Code::Denied, "x", "a:B: no", Remedy::AllowCall(Again::Sweep));
        assert_eq!(
            detail(&denied),
            "a:B: no\n\nThe credentials are not allowed to make this call. Allow it in IAM, or use other \
             credentials, then sweep again."
        );
    }

    #[test]
    fn the_import_block_is_complete() {
        let remedy = Remedy::Import { composite: "queue".to_owned(), name: "jobs".to_owned() };
        let block = "\n\n  import {\n    to = tandem_queue.NAME\n    id = \"jobs\"\n  }\n\n";
        assert!(text(&remedy).contains(block), "{}", text(&remedy));
    }
}
