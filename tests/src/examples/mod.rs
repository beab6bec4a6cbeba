//! The examples: what each takes, and how real input is driven through it once it is applied. The demo shows
//! what comes of it, and the acceptance tests want it right.

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
    /// What it is about, in one line.
    pub title: &'static str,
    /// The program of its container, when it has one: it is built from the folder `container`.
    pub container: Option<&'static str>,
    /// Whether its driver makes videos or pictures, or looks at them.
    pub ffmpeg: bool,
    /// Its configurations, each from its folder on: with the generated module, and by hand.
    pub configurations: &'static [&'static str],
    /// Drives input through it, judges what comes of it, and says so in lines for people.
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

/// What went wrong, in words.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An example that was applied.
pub struct Applied<'a> {
    /// Where.
    pub account: &'a Account,
    /// The outputs of its configuration: name and value.
    pub outputs: Json,
    /// Where pictures and the like are to be put for people to look at.
    pub folder: &'a Path,
}

impl Applied<'_> {
    /// An output that is a text.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs[name].as_str().ok_or_else(|| format!("there is no output `{name}`").into())
    }

    /// An entry of an output that is a map of texts.
    pub fn entry(&self, output: &str, name: &str) -> Result<&str> {
        self.outputs[output][name].as_str().ok_or_else(|| format!("`{output}` has no `{name}`").into())
    }

    /// The line of a log group that holds a text.
    pub fn log_line(&self, group: &str, text: &str) -> Result<String> {
        wait(&format!("a line with {text:?} in {group}"), || {
            let messages = self.account.log_messages(group)?;
            Ok(messages.into_iter().find(|message| message.contains(text)).map(|line| line.trim().to_owned()))
        })
    }

    /// Puts a file where people may look at it; its path.
    pub fn keep(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        std::fs::create_dir_all(self.folder)?;
        let path = self.folder.join(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }
}

impl Example {
    /// The example of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|example| example.name == name)
    }

    /// Copies what it takes to apply it to the same places below another folder: it must have been built.
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

/// How long it may take until what was asked for comes: on a busy machine, with all tests at once.
const PATIENCE: Duration = Duration::from_secs(300);

/// Asks again and again until there is an answer.
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
    if found == wanted {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, and should be {wanted:?}").into())
    }
}
