//! Steps with progress, and their failures.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The reason why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), code: 1 }
    }
}

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Runs one step. Prints its name, its progress and its duration.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let live = std::io::stderr().is_terminal();
    eprint!("{name} …");
    if !live {
        eprintln!();
    }
    let (done, waiting) = mpsc::channel::<()>();
    let result = std::thread::scope(|scope| {
        scope.spawn(move || {
            let every = Duration::from_secs(if live { 1 } else { 30 });
            while waiting.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                let seconds = start.elapsed().as_secs();
                if live {
                    eprint!("\r{name} … {seconds} s");
                    let _ = std::io::stderr().flush();
                } else {
                    eprintln!("  … {seconds} s");
                }
            }
        });
        let result = work();
        drop(done);
        result
    });
    let mark = if result.is_ok() { "done" } else { "failed" };
    let seconds = start.elapsed().as_secs_f32();
    if live {
        eprintln!("\r{name} … {mark} in {seconds:.1} s");
    } else {
        eprintln!("  {mark} in {seconds:.1} s");
    }
    result
}

/// Runs a program and returns its output. If it fails, the error contains the output.
pub(crate) fn quiet(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{}: {error}", program(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} failed:\n{text}{errors}", program(command)).into())
}

/// Runs a program with its output on the terminal.
pub(crate) fn loud(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| format!("{}: {error}", program(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed", program(command)).into()) }
}

fn program(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
