//! Reports a panic as a diagnostic and as a `panic: ` block that Terraform recognizes.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::Write;

/// Makes every panic print a block that Terraform shows as "Stack trace from the … plugin".
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let backtrace = Backtrace::force_capture();
        // stderr may be closed already: printing must not panic again.
        let _ = writeln!(std::io::stderr(), "panic: {info}\n\n{backtrace}");
    }));
}

/// The message of a caught panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no panic message".to_owned())
}
