//! Specs, and Terraform with both providers in a mirror.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value as Json, json};
use tandem::diagnostic::Diagnostic;
use tandem::module::Flavor;
use tandem::output;
use tandem::project::{Part, Request, plan};
use tandem::source::Source;
use tandem::spec::{self, App};
use tandem_model::composites;
use tandem_testkit::environment::root;
use tandem_testkit::terraform::{Run, provider_binary, run};

/// The account id that the stand-in for hashicorp/aws returns.
pub(crate) const ACCOUNT: &str = "123456789012";

pub(crate) const FLAVORS: [(Flavor, &str); 2] =
    [(Flavor::Composite, "composite"), (Flavor::Native, "native")];

/// Returns name and path of the spec of each example.
pub(crate) fn examples() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("examples")).expect("examples") {
        let entry = entry.expect("an example");
        let spec = entry.path().join("tandem.yaml");
        if spec.exists() {
            found.push((entry.file_name().to_string_lossy().into_owned(), spec));
        }
    }
    found.sort();
    assert!(found.len() > 1, "no specs");
    found
}

/// Returns the specs of the module tests: those of the examples, one for the fixture of each composite, which
/// sets every possible input, and one for the remaining cases.
pub(crate) fn specs(work: &Path) -> Vec<(String, PathBuf)> {
    let mut specs = examples();
    specs.push(("mixed".to_owned(), root().join("tests/data/specs/mixed.yaml")));
    for definition in composites::ALL {
        let file = format!("tests/fixtures/{}.json", definition.type_name);
        let text = std::fs::read_to_string(root().join(file)).expect("a fixture");
        let fixture: Json = serde_json::from_str(&text.replace("ACCOUNT", ACCOUNT)).expect("JSON");
        let mut inputs = fixture["inputs"].clone();
        let name = inputs.as_object_mut().and_then(|inputs| inputs.remove("name")).expect("a name");
        let section = spec::section(definition);
        let spec = json!({ "app": "test", section: { name.as_str().expect("a string"): inputs } });
        let path = work.join(format!("{}.json", definition.type_name));
        std::fs::write(&path, spec.to_string()).expect("written");
        specs.push((definition.type_name.to_owned(), path));
    }
    specs
}

/// Reads a spec without errors.
pub(crate) fn read(path: &Path) -> App {
    let source = Source { path: path.to_owned(), text: std::fs::read_to_string(path).expect("a spec") };
    let (app, diagnostics) = spec::read(&source);
    let shown: Vec<String> = diagnostics.iter().map(|found| found.render(&source, false)).collect();
    app.unwrap_or_else(|| panic!("{}:\n{}", path.display(), shown.join("\n")))
}

/// Returns the changes that a generation would write, and its diagnostics.
pub(crate) fn pending(
    app: &App,
    spec: &Path,
    out: &Path,
    flavor: Flavor,
    only: Option<Part>,
) -> (output::Changes, Vec<Diagnostic>) {
    let spec = spec.parent().expect("a folder").to_owned();
    let request = Request { spec, out: out.to_owned(), flavor: Some(flavor), only, ..Request::default() };
    let (plan, mut diagnostics) = plan(app, &request).expect("a plan");
    let (changes, edited) = output::compare(out, &plan, false).expect("a comparison");
    diagnostics.extend(edited);
    (changes, diagnostics)
}

/// Generates into a folder.
pub(crate) fn generate(app: &App, spec: &Path, out: &Path, flavor: Flavor, only: Option<Part>) {
    let (changes, diagnostics) = pending(app, spec, out, flavor, only);
    assert_eq!(diagnostics, []);
    output::write(out, &changes).expect("written");
}

/// Creates a mirror with both providers: `terraform init` then works as it does for a user.
fn configuration() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mirror");
        let stand_in = provider_binary().with_file_name("examples").join("terraform-provider-aws");
        assert!(stand_in.exists(), "{} is missing: run `cargo xtask test`", stand_in.display());
        for (address, version, binary) in [
            ("hashicorp/aws", "5.100.0", stand_in.clone()),
            ("hashicorp/aws", "6.66.0", stand_in),
            ("tandem/tandem", env!("CARGO_PKG_VERSION"), provider_binary()),
        ] {
            let name = address.split('/').next_back().expect("a name");
            let platform = format!("linux_{}", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" });
            let at = folder.join("registry.terraform.io").join(address).join(version).join(platform);
            std::fs::create_dir_all(&at).expect("a mirror");
            let link = at.join(format!("terraform-provider-{name}_v{version}"));
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(binary, link).expect("a link");
        }
        let rc = folder.join("terraform.rc");
        let text = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            folder.display()
        );
        std::fs::write(&rc, text).expect("a configuration");
        rc
    })
}

/// Runs Terraform in a folder.
pub(crate) fn terraform(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new("terraform");
    let output = command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("TF_CLI_CONFIG_FILE", configuration())
        .env("TF_IN_AUTOMATION", "1")
        .env("CHECKPOINT_DISABLE", "1")
        .output();
    run(&output.expect("terraform on PATH"))
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::create_dir_all(to).expect("a folder");
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
