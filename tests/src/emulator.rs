//! Emulators of AWS on loopback: started on a free port, ended when dropped.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::environment::Packages;

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    /// The folder with the unpacked code of functions, which the emulator leaves when it is ended.
    scratch: TempDir,
    /// Its address: `http://127.0.0.1:PORT`.
    pub endpoint: String,
}

/// The settings of an emulator.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// True to enforce the policies of identities (MiniStack only).
    pub enforce_iam: bool,
    /// The container engine that runs tasks (MiniStack only): a `DOCKER_HOST`.
    pub engine: Option<String>,
    /// The account of requests that contain none, e.g. those to the registry (MiniStack only).
    pub account: Option<String>,
}

impl Emulator {
    /// Starts MiniStack; its log goes to a file, and unpacked code to a folder beside the log.
    pub fn ministack(log: &Path, settings: &Settings) -> io::Result<Self> {
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(Packages::MiniStack.program("ministack"));
        command
            .env("GATEWAY_PORT", port.to_string())
            // Functions get the endpoint of AWS from MiniStack's own environment.
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("AUTH", if settings.enforce_iam { "true" } else { "false" })
            // An engine that does not exist, rather than the developer's own.
            .env("DOCKER_HOST", settings.engine.as_deref().unwrap_or("unix:///nonexistent"));
        if let Some(account) = &settings.account {
            command.env("MINISTACK_ACCOUNT_ID", account);
        }
        Self::start(command, endpoint, log, "/_ministack/health")
    }

    /// Starts moto's server; its log goes to a file, and unpacked code to a folder beside the log.
    pub fn moto(log: &Path) -> io::Result<Self> {
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(Packages::Moto.program("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let emulator = Self::start(command, endpoint, log, "/moto-api/")?;
        let config = r#"{"lambda":{"use_docker":false}}"#;
        ureq::post(format!("{}/moto-api/config", emulator.endpoint))
            .send(config)
            .map_err(io::Error::other)?;
        Ok(emulator)
    }

    /// A shell command that ends the emulator, for emulators that are never dropped.
    pub fn end_command(&self) -> String {
        let id = self.process.id();
        let gone = format!("timeout 10 sh -c 'while kill -0 {id}; do sleep 0.1; done'");
        format!("kill {id}; {gone}; {}", remove_command(self.scratch.path()))
    }

    fn start(mut command: Command, endpoint: String, log: &Path, health: &str) -> io::Result<Self> {
        let log_file = File::create(log)?;
        // An emulator passes its environment on to functions: remove the developer's own variables.
        let given: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for (name, _) in std::env::vars_os() {
            let kept = ["PATH", "HOME", "LANG"].iter().any(|kept| name == *kept);
            if !kept && !given.contains(&name) {
                command.env_remove(name);
            }
        }
        let beside = log.parent().unwrap_or(Path::new("."));
        let scratch = tempfile::Builder::new().prefix("tandem-emulator").tempdir_in(beside)?;
        command.env("TMPDIR", scratch.path());
        let process = command.stdin(Stdio::null()).stdout(log_file.try_clone()?).stderr(log_file).spawn()?;
        let mut emulator = Self { process, scratch, endpoint };
        let start = Instant::now();
        while ureq::get(format!("{}{health}", emulator.endpoint)).call().is_err() {
            if let Some(status) = emulator.process.try_wait()? {
                return Err(io::Error::other(format!(
                    "the emulator ended with {status}; see {}",
                    log.display()
                )));
            }
            if start.elapsed() > Duration::from_secs(60) {
                return Err(io::Error::other(format!("the emulator does not answer; see {}", log.display())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(emulator)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A shell command that removes a folder.
pub fn remove_command(folder: &Path) -> String {
    format!("rm -rf '{}'", folder.display().to_string().replace('\'', r"'\''"))
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
