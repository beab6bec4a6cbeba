//! Processes that all tests of one program share: emulators and the container engine.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::emulator::Emulator;
use crate::engine::Engine;

/// The region of all tests.
pub const REGION: &str = "eu-central-1";

/// The container engine that all tests of this process share. Its log goes to a folder.
pub fn engine(logs: &Path) -> &'static Engine {
    static SHARED: OnceLock<Engine> = OnceLock::new();
    let start = || {
        let engine =
            Engine::start(&log(logs, "engine")).expect("a container engine: run `cargo xtask setup`");
        watch(&Engine::end_command());
        engine
    };
    SHARED.get_or_init(start)
}

/// The id of an account that no other test of this machine uses.
pub fn new_account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    format!("{:08}{:04}", std::process::id() % 89_999_999 + 10_000_000, number)
}

/// A new log file in a folder.
pub fn log(folder: &Path, name: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    folder.join(format!("tandem-{name}-{}-{number}.log", std::process::id()))
}

/// Statics are not dropped: a watcher ends the emulator when this process is gone.
pub fn end_with_this_process(emulator: Emulator) -> Emulator {
    watch(&emulator.end_command());
    emulator
}

/// Runs a shell command when this process is gone.
pub fn watch(command: &str) {
    let me = std::process::id();
    let script = format!("while kill -0 {me} 2>/dev/null; do sleep 1; done; {command}");
    // It outlives this process on purpose, by a second at most.
    #[allow(clippy::zombie_processes)]
    let _watcher = Command::new("sh")
        .args(["-c", &script])
        // Ctrl-C ends this process, and then the watcher runs the command.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a watcher");
}
