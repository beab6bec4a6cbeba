//! `tandem init`

use std::path::Path;

use super::quoted;
use crate::{DEFAULT_SPEC, Failure, Global, Outcome};

/// An example to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Example {
    /// An upload triggers a function
    #[default]
    UploadNotice,
    /// Thumbnails of videos: functions and a container
    VideoThumbnailer,
}

/// A file of an example: its path next to the spec, and its content.
macro_rules! file {
    ($example:literal, $path:literal) => {
        ($path, include_str!(concat!("../../../examples/", $example, "/", $path)))
    };
}

impl Example {
    /// The spec.
    fn spec(self) -> &'static str {
        match self {
            Self::UploadNotice => include_str!("../../../examples/upload-notice/tandem.yaml"),
            Self::VideoThumbnailer => include_str!("../../../examples/video-thumbnailer/tandem.yaml"),
        }
    }

    /// Files that the spec refers to. Handlers are not among them: `tandem generate` writes those.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::UploadNotice => &[],
            Self::VideoThumbnailer => &[
                file!("video-thumbnailer", "container/.cargo/config.toml"),
                file!("video-thumbnailer", "container/.dockerignore"),
                file!("video-thumbnailer", "container/Cargo.lock"),
                file!("video-thumbnailer", "container/Cargo.toml"),
                file!("video-thumbnailer", "container/Dockerfile"),
                file!("video-thumbnailer", "container/src/main.rs"),
            ],
        }
    }

    /// The commands that build and deploy the application.
    fn next(self) -> &'static [&'static str] {
        match self {
            Self::UploadNotice => &["tandem generate", "tandem build", APPLY],
            Self::VideoThumbnailer => {
                &["tandem generate", "tandem build", "(cd container && cargo build --release)", APPLY]
            }
        }
    }
}

const APPLY: &str = "cd terraform/examples/complete && terraform init && terraform apply";

pub(crate) fn run(global: &Global, example: Example) -> Outcome {
    let spec = &global.file;
    let folder = spec.parent().unwrap_or(Path::new(""));
    let files = example.files().iter().map(|(path, text)| (folder.join(path), *text));
    let files: Vec<_> = std::iter::once((spec.clone(), example.spec())).chain(files).collect();
    // Write all files or none: a part of an example does not work.
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "{path} already exists. Run `tandem init` in an empty folder, or pass `--file` with another path"
        )));
    }
    for (path, text) in &files {
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        written
            .and_then(|()| std::fs::write(path, text))
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
        global.say(&format!("wrote {}", path.display()));
    }
    global.say("next:");
    if !folder.as_os_str().is_empty() {
        global.say(&format!("  cd {}", quoted(folder)));
    }
    let name = Path::new(spec.file_name().unwrap_or_default());
    for command in example.next() {
        match command.strip_prefix("tandem ") {
            Some(rest) if name != Path::new(DEFAULT_SPEC) => {
                global.say(&format!("  tandem --file {} {rest}", quoted(name)));
            }
            _ => global.say(&format!("  {command}")),
        }
    }
    Ok(())
}
