//! The private folder with third-party programs, and their installation.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root folder of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Copies files and whole folders of the project to the same places below another folder. The paths are
/// relative to the root folder.
pub fn copy(paths: &[&str], to: &Path) -> std::io::Result<()> {
    for path in paths {
        copy_one(&root().join(path), &to.join(path))
            .map_err(|error| std::io::Error::new(error.kind(), format!("{path}: {error}")))?;
    }
    Ok(())
}

fn copy_one(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        std::fs::create_dir_all(to.parent().unwrap_or(to))?;
        return std::fs::copy(from, to).map(drop);
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy_one(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The files that an apply of the example `video-thumbnailer` needs, once it is built.
pub const VIDEO_THUMBNAILER: &[&str] = &[
    "examples/video-thumbnailer/main.tf",
    "examples/video-thumbnailer/parts/main.tf",
    "examples/video-thumbnailer/container/Dockerfile",
    "examples/video-thumbnailer/container/.dockerignore",
    "examples/video-thumbnailer/container/target/x86_64-unknown-linux-gnu/release/make-thumbnail",
    "examples/video-thumbnailer/handlers/target/lambda",
    "modules/video-thumbnailer/composite",
];

/// The private folder.
pub fn private() -> PathBuf {
    root().join(".tandem")
}

/// Terraform's name of this platform, e.g. `linux_amd64`.
pub fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!("{system}_{architecture}")
}

/// Pinned Python packages: emulators, and packages with a binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packages {
    /// The emulator that most tests use.
    MiniStack,
    /// The second emulator.
    Moto,
    /// A static ffmpeg.
    Ffmpeg,
    /// A scanner of Terraform configurations.
    Checkov,
    /// The command line of AWS.
    AwsCli,
    /// A spelling checker for source code.
    Typos,
    /// The service models and resource schemas of AWS.
    AwsFacts,
    /// A generator of templates of CloudFormation, for a benchmark.
    Troposphere,
}

impl Packages {
    fn name(self) -> &'static str {
        match self {
            Self::MiniStack => "ministack",
            Self::Moto => "moto",
            Self::Ffmpeg => "ffmpeg",
            Self::Checkov => "checkov",
            Self::AwsCli => "awscli",
            Self::Typos => "typos",
            Self::AwsFacts => "aws-facts",
            Self::Troposphere => "troposphere",
        }
    }

    fn requirements(self) -> PathBuf {
        root().join("tests/requirements").join(format!("{}.txt", self.name()))
    }

    fn folder(self) -> PathBuf {
        private().join(self.name())
    }

    /// A program of these packages.
    ///
    /// # Panics
    /// If they are not installed. The message contains the command that installs them.
    pub fn program(self, name: &str) -> PathBuf {
        let program = self.folder().join("bin").join(name);
        assert!(program.exists(), "{} is missing: run `cargo xtask setup`", program.display());
        program
    }

    /// The folder with the Python modules of these packages.
    pub fn site_packages(self) -> std::io::Result<PathBuf> {
        // The folder between contains the version of Python.
        let lib = std::fs::read_dir(self.folder().join("lib"))?.next();
        let python = lib.ok_or(std::io::ErrorKind::NotFound)??;
        Ok(python.path().join("site-packages"))
    }

    /// Returns true if the packages are installed as pinned.
    pub fn installed(self) -> bool {
        let pinned = std::fs::read(self.requirements()).unwrap_or_default();
        std::fs::read(self.folder().join("requirements.txt")).is_ok_and(|installed| installed == pinned)
    }

    /// Installs the packages into a virtual environment of their own.
    pub fn install(self) -> Result<(), String> {
        let folder = self.folder();
        let run = |command: &mut Command| {
            let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
            if output.status.success() {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("{command:?} failed:\n{}", text.trim()))
        };
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let pip = folder.join("bin/pip");
        run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(self.requirements()))?;
        std::fs::copy(self.requirements(), folder.join("requirements.txt"))
            .map_err(|error| error.to_string())?;
        Ok(())
    }
}
