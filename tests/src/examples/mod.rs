//! The examples, and a driver for each that sends real input through it after the apply. The demo prints the
//! results, and the acceptance tests check them.

mod content_moderation;
mod function_chaining;
mod image_thumbnail;
mod queues;
mod ray_tracing;
mod route_counter;
mod scheduled_task;
mod stream_analysis;
mod upload_notice;
mod video_thumbnailer;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::calls::Account;
use crate::environment::{copy, root};

/// An example.
#[derive(Debug)]
pub struct Example {
    /// The name of its folder.
    pub name: &'static str,
    /// One-line description, as `cargo xtask demo --list` prints it.
    pub title: &'static str,
    /// The program of its container, if it has one, built from the folder `container`.
    pub container: Option<&'static str>,
    /// True if its driver needs ffmpeg to make or inspect videos or images.
    pub ffmpeg: bool,
    /// Paths of its configurations in its folder: one calls the generated module, others use resources.
    pub configurations: &'static [&'static str],
    /// Sends input through the applied example and checks the results. Returns lines for the user.
    pub drive: fn(&Applied<'_>) -> Result<Vec<String>>,
}

/// Every example.
pub static ALL: &[Example] = &[
    content_moderation::EXAMPLE,
    function_chaining::EXAMPLE,
    image_thumbnail::EXAMPLE,
    queues::EXAMPLE,
    ray_tracing::EXAMPLE,
    route_counter::EXAMPLE,
    scheduled_task::EXAMPLE,
    stream_analysis::EXAMPLE,
    upload_notice::EXAMPLE,
    video_thumbnailer::EXAMPLE,
];

/// A result with an error message for the user.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An applied example.
pub struct Applied<'a> {
    /// The account that it is applied in.
    pub account: &'a Account,
    /// The outputs of its configuration: name and value.
    pub outputs: Json,
    /// Folder for result files, e.g. images, that the user can open.
    pub folder: &'a Path,
}

impl Applied<'_> {
    /// Returns an output that is a string.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs[name].as_str().ok_or_else(|| format!("there is no output `{name}`").into())
    }

    /// Returns an entry of an output that is a map of strings.
    pub fn entry(&self, output: &str, name: &str) -> Result<&str> {
        self.outputs[output][name].as_str().ok_or_else(|| format!("`{output}` has no `{name}`").into())
    }

    /// Waits for a line of a log group that contains `text`, and returns it.
    pub fn log_line(&self, group: &str, text: &str) -> Result<String> {
        wait(&format!("a line with {text:?} in {group}"), || {
            let messages = self.account.log_messages(group)?;
            Ok(messages.into_iter().find(|message| message.contains(text)).map(|line| line.trim().to_owned()))
        })
    }

    /// Writes a result file. Returns its path.
    pub fn keep(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        std::fs::create_dir_all(self.folder)?;
        let path = self.folder.join(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }
}

impl Example {
    /// Returns the example with that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|example| example.name == name)
    }

    /// Copies the files of an apply to the same paths below another folder. The example must be built.
    pub fn copy(&self, to: &Path) -> std::io::Result<()> {
        let own = format!("examples/{}", self.name);
        let mut files: Vec<String> =
            self.configurations.iter().map(|configuration| format!("{own}/{configuration}")).collect();
        files.push(format!("modules/{}/composite", self.name));
        if root().join(&own).join("handlers").exists() {
            files.push(format!("{own}/handlers/target/lambda"));
        }
        if let Some(program) = self.container {
            files.extend(["Dockerfile", ".dockerignore"].map(|file| format!("{own}/container/{file}")));
            files.push(format!("{own}/container/target/{STATIC_TARGET}/release/{program}"));
        }
        copy(&files.iter().map(String::as_str).collect::<Vec<_>>(), to)
    }
}

/// The platform of containers in demo and tests.
pub const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Timeout of [`wait`]: enough for a busy machine that runs all tests in parallel.
const PATIENCE: Duration = Duration::from_secs(300);

/// Polls until there is an answer. Fails after [`PATIENCE`].
pub fn wait<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > PATIENCE {
            return Err(format!("{what} did not come within five minutes").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Fails unless two values are equal.
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<()> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:?}, expected {wanted:?}").into()) }
}
