//! Where a test runs: an account of its own on an emulator that all tests share.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value as Json, json};
use tandem_tests::calls::Account;
use tandem_tests::emulator::{Emulator, Settings};
use tandem_tests::environment::root;
use tandem_tests::terraform::Terraform;

use crate::aws::Aws;
use crate::fixture::Fixture;

pub(crate) const REGION: &str = "eu-central-1";

/// Which emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    MiniStack,
    Moto,
}

impl On {
    /// The address of the one emulator that all tests of this process share.
    pub(crate) fn endpoint(self) -> &'static str {
        static MINISTACK: OnceLock<Emulator> = OnceLock::new();
        static MOTO: OnceLock<Emulator> = OnceLock::new();
        let log = |name: &str| std::env::temp_dir().join(format!("tandem-{name}-{}.log", std::process::id()));
        let emulator = match self {
            Self::MiniStack => MINISTACK.get_or_init(|| {
                end_with_this_process(
                    Emulator::ministack(&log("ministack"), Settings::default()).expect("MiniStack"),
                )
            }),
            Self::Moto => {
                MOTO.get_or_init(|| end_with_this_process(Emulator::moto(&log("moto")).expect("moto")))
            }
        };
        &emulator.endpoint
    }
}

/// Statics are not dropped: a watcher ends the emulator when this process is gone.
fn end_with_this_process(emulator: Emulator) -> Emulator {
    let script = format!(
        "while kill -0 {} 2>/dev/null; do sleep 1; done; kill {} 2>/dev/null",
        std::process::id(),
        emulator.id()
    );
    // It outlives this process on purpose, for a second at the most.
    #[allow(clippy::zombie_processes)]
    let _watcher = std::process::Command::new("sh")
        .args(["-c", &script])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a watcher");
    emulator
}

/// An account, AWS in it, and a folder for Terraform.
pub(crate) struct Stage {
    pub(crate) account: Account,
    pub(crate) aws: Aws,
    pub(crate) terraform: Terraform,
}

impl Stage {
    /// A stage on an emulator.
    pub(crate) fn new(on: On) -> Self {
        match on {
            On::MiniStack => Self::at(on.endpoint()),
            On::Moto => Self::on_moto(),
        }
    }

    /// moto knows one account, and not the protocol that the SDK speaks to CloudWatch: alarms are
    /// MiniStack's there.
    fn on_moto() -> Self {
        let account = Account {
            endpoint: On::Moto.endpoint().to_owned(),
            id: "123456789012".to_owned(),
            region: REGION.to_owned(),
        };
        let alarms = On::MiniStack.endpoint();
        let mut stage = Self::of(account, &[("cloudwatch", alarms)]);
        stage.terraform.set("AWS_ENDPOINT_URL_CLOUDWATCH", alarms);
        stage
    }

    /// A stage on a server of this address.
    pub(crate) fn at(endpoint: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let id = format!("{:08}{:04}", std::process::id() % 89_999_999 + 10_000_000, number);
        Self::of(Account { endpoint: endpoint.to_owned(), id, region: REGION.to_owned() }, &[])
    }

    fn of(account: Account, endpoints: &[(&str, &str)]) -> Self {
        let mut terraform = Terraform::new(&[]).expect("a folder");
        terraform.set("AWS_ENDPOINT_URL", &account.endpoint);
        terraform.set("AWS_ACCESS_KEY_ID", &account.id);
        terraform.set("AWS_SECRET_ACCESS_KEY", "test");
        terraform.set("AWS_REGION", REGION);
        terraform.set("TANDEM_LEASE_SECONDS", "1");
        for (name, content) in code() {
            std::fs::copy(content, terraform.path().join(name)).expect("code");
        }
        Self { aws: Aws::new(&account, endpoints), account, terraform }
    }

    /// Writes a configuration with one composite.
    pub(crate) fn configure(&self, fixture: &Fixture, inputs: &Json) {
        self.configure_with(json!({ fixture.resource_type(): { "it": inputs } }));
    }

    /// Writes a configuration with these resources.
    pub(crate) fn configure_with(&self, resources: Json) {
        let configuration = json!({
            "terraform": { "required_providers": { "tandem": { "source": "tandem/tandem" } } },
            "provider": { "tandem": { "project": "test" } },
            "resource": resources,
        });
        // Pretty: Terraform shows the line at fault, and that must be the attribute's own.
        let text = serde_json::to_string_pretty(&configuration).expect("JSON");
        self.terraform.write("main.tf.json", text);
    }

    /// A fixture's inputs, with what must exist for them made.
    pub(crate) fn prepare(&self, fixture: &Fixture) -> Json {
        for existing in fixture.existing(&self.account.id) {
            self.aws.create(existing["kind"].as_str().expect("a kind"), &existing["settings"]);
        }
        fixture.inputs(&self.account.id)
    }
}

/// Code of functions, made once: two binaries and a zip. The first is the example's handler.
fn code() -> Vec<(&'static str, PathBuf)> {
    static MADE: OnceLock<Vec<(&'static str, PathBuf)>> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("tandem-code-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let built = root().join("examples/upload-notice/handlers/upload-notice/target/release/bootstrap");
        let mut binary = std::fs::read(&built).unwrap_or_else(|_| {
            panic!("{} is missing: run `cargo xtask test`, which builds it", built.display())
        });
        let mut files = vec![("bootstrap", folder.join("bootstrap"))];
        std::fs::write(&files[0].1, &binary).expect("code");
        // Another program: an ELF file may end in anything.
        binary.push(0);
        files.push(("bootstrap2", folder.join("bootstrap2")));
        std::fs::write(&files[1].1, &binary).expect("code");
        binary.push(0);
        let code = tandem_model::artifact::prepare(tandem_model::artifact::CodeKind::Bootstrap, &binary);
        files.push(("code.zip", folder.join("code.zip")));
        std::fs::write(&files[2].1, code.expect("a zip").zip).expect("code");
        files
    })
    .clone()
}
