//! `tandem init`

use crate::{Failure, Global, Outcome};

/// A spec to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Example {
    /// A function that hears of uploads
    #[default]
    UploadNotice,
    /// Videos in, thumbnails out: functions and a container
    VideoThumbnailer,
}

impl Example {
    fn text(self) -> &'static str {
        match self {
            Self::UploadNotice => include_str!("../../../examples/upload-notice/tandem.yaml"),
            Self::VideoThumbnailer => include_str!("../../../examples/video-thumbnailer/tandem.yaml"),
        }
    }
}

pub(crate) fn run(global: &Global, example: Example) -> Outcome {
    let path = &global.file;
    if path.exists() {
        return Err(Failure::Usage(format!("{} is there already; `--file` names another", path.display())));
    }
    std::fs::write(path, example.text())
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    global.say(&format!("wrote {}; next: `tandem check`, `tandem generate`", path.display()));
    if example == Example::VideoThumbnailer {
        global.say("it builds a container from the folder `container`, which needs a Dockerfile");
    }
    Ok(())
}
