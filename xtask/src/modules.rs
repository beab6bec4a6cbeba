//! `modules/` and the generated parts of the examples, from the examples' specs.

use std::path::PathBuf;
use std::process::Command;

use tandem_testkit::environment::{private, root};

use crate::build::{build_all, program};
use crate::step::{Result, quiet, step};

/// Generates a project with a handler for every type of event, which tests of the generator build offline.
/// Returns its folder.
fn handlers() -> Result<PathBuf> {
    let data = root().join("codegen/tests/data");
    let folder = private().join("handlers");
    // An earlier version of the spec may have left handlers.
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let mut tandem = program("tandem")?;
    tandem.args(["generate", "--overwrite", "--only", "handlers", "--file"]).arg(data.join("handlers.yaml"));
    quiet(tandem.arg("--out").arg(&folder))?;
    let folder = folder.join("handlers");
    std::fs::copy(data.join("handlers.lock"), folder.join("Cargo.lock"))?;
    Ok(folder)
}

/// Fetches the dependencies of generated handlers. `tandem` must have been built.
pub(crate) fn fetch() -> Result {
    step("Fetching the dependencies of generated handlers", || {
        let folder = handlers()?;
        quiet(Command::new(env!("CARGO")).args(["fetch", "--locked"]).current_dir(folder))
    })?;
    Ok(())
}

/// Generates `modules/` and the generated parts of the examples.
pub(crate) fn run() -> Result {
    build_all()?;
    step("Lock file of the handlers in tests", || {
        let folder = handlers()?;
        quiet(Command::new(env!("CARGO")).args(["metadata", "--format-version", "1"]).current_dir(&folder))?;
        std::fs::copy(folder.join("Cargo.lock"), root().join("codegen/tests/data/handlers.lock"))?;
        Ok(())
    })?;
    for entry in std::fs::read_dir(root().join("examples"))? {
        let folder = entry?.path();
        let spec = folder.join("tandem.yaml");
        let Some(name) = folder.file_name().filter(|_| spec.exists()) else { continue };
        let generate = |arguments: &[&str], out: &std::path::Path| {
            let mut tandem = program("tandem")?;
            tandem.args(["generate", "--file"]).arg(&spec).args(arguments).arg("--out").arg(out);
            quiet(&mut tandem).map(drop)
        };
        step(&format!("Modules and handlers of {}", name.display()), || {
            for flavor in ["composite", "native"] {
                let out = root().join("modules").join(name).join(flavor);
                generate(&["--only", "modules", "--flavor", flavor], &out)?;
            }
            generate(&["--only", "handlers"], &folder)
        })?;
    }
    Ok(())
}
