//! `modules/` and the generated parts of the examples, from the examples' specs.

use std::process::Command;

use tandem_tests::environment::root;

use crate::step::{Result, quiet, step};

/// Generates anew.
pub(crate) fn run() -> Result {
    for entry in std::fs::read_dir(root().join("examples"))? {
        let folder = entry?.path();
        let spec = folder.join("tandem.yaml");
        let Some(name) = folder.file_name().filter(|_| spec.exists()) else { continue };
        let generate = |arguments: &[&str], out: &std::path::Path| {
            let mut tandem = Command::new(env!("CARGO"));
            tandem.current_dir(root()).args(["run", "--quiet", "--locked", "-p", "tandem", "--"]);
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
