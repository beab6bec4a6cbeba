//! The environment of a test: its own account on an emulator that all tests share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value as Json, json};
use tandem_model::names;
use tandem_testkit::calls::Account;
use tandem_testkit::emulator::{Emulator, Settings, remove_command};
use tandem_testkit::engine::{Engine, let_containers_reach};
use tandem_testkit::environment::root;
use tandem_testkit::examples;
use tandem_testkit::shared::{self, end_with_this_process, new_account, watch};
use tandem_testkit::terraform::Terraform;

use crate::aws::Aws;
use crate::proxy::{Act, Phase, Proxy};
use tandem_crash::fixture::Fixture;

pub(crate) use tandem_testkit::shared::REGION;

/// An emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    MiniStack,
    Moto,
}

/// The folder of log files.
fn logs() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The address of the MiniStack that all tests of this process share, each in an account of its own.
pub(crate) fn ministack() -> &'static str {
    static SHARED: OnceLock<Emulator> = OnceLock::new();
    let start = || {
        let settings = Settings { engine: Some(engine().host.clone()), ..Settings::default() };
        let emulator = Emulator::ministack(&log("ministack"), &settings).expect("MiniStack");
        let_containers_reach(&emulator.endpoint, &engine().gateway).expect("a port for containers");
        end_with_this_process(emulator)
    };
    &SHARED.get_or_init(start).endpoint
}

fn log(name: &str) -> PathBuf {
    shared::log(logs(), name)
}

/// The variables with which containers reach a stage's account: the emulator gives them no credentials.
pub(crate) fn for_containers(stage: &Stage) -> Json {
    let port = ministack().rsplit(':').next().expect("a port");
    stage.account.for_containers(&format!("http://{}:{port}", engine().gateway))
}

/// The base image of containers.
pub(crate) fn base_image() -> &'static str {
    engine().base_image().expect("the base image");
    Engine::BASE_IMAGE
}

/// The container engine that all tests of this process share.
fn engine() -> &'static Engine {
    shared::engine(logs())
}

/// An account, AWS in it, and a folder for Terraform.
pub(crate) struct Stage {
    pub(crate) account: Account,
    pub(crate) aws: Aws,
    pub(crate) terraform: Terraform,
    /// Emulators that only this stage uses.
    emulators: Vec<Emulator>,
}

impl Stage {
    /// A stage on an emulator.
    pub(crate) fn new(on: On) -> Self {
        Self::proxied(on, |_, _, _| true).0
    }

    /// A stage on an emulator, with a proxy in between.
    pub(crate) fn proxied<A: Into<Act>>(
        on: On,
        hook: impl Fn(Phase, usize, &str) -> A + Send + Sync + 'static,
    ) -> (Self, Proxy) {
        match on {
            On::MiniStack => {
                let id = new_account();
                let proxy = Proxy::start(ministack(), &registry(&id), hook);
                (Self::in_account(&proxy.endpoint, id), proxy)
            }
            On::Moto => Self::on_moto(hook),
        }
    }

    /// moto has one account, and does not support the protocol that the SDK uses for CloudWatch. So each
    /// stage has servers of its own, and a MiniStack for alarms.
    fn on_moto<A: Into<Act>>(
        hook: impl Fn(Phase, usize, &str) -> A + Send + Sync + 'static,
    ) -> (Self, Proxy) {
        let moto = Emulator::moto(&log("moto")).expect("moto");
        let alarms = Emulator::ministack(&log("alarms"), &Settings::default()).expect("MiniStack");
        let proxy = Proxy::start(&moto.endpoint, &registry("123456789012"), hook);
        let account = Account {
            endpoint: proxy.endpoint.clone(),
            id: "123456789012".to_owned(),
            region: REGION.to_owned(),
            alarms: alarms.endpoint.clone(),
        };
        let mut stage = Self::of(account, &[("cloudwatch", &alarms.endpoint)]);
        stage.terraform.set("AWS_ENDPOINT_URL_CLOUDWATCH", &alarms.endpoint);
        stage.emulators = vec![moto, alarms];
        (stage, proxy)
    }

    /// A stage on a server of this address, in an account of its own.
    pub(crate) fn at(endpoint: &str) -> Self {
        Self::in_account(endpoint, new_account())
    }

    fn in_account(endpoint: &str, id: String) -> Self {
        let (endpoint, alarms) = (endpoint.to_owned(), endpoint.to_owned());
        Self::of(Account { endpoint, id, region: REGION.to_owned(), alarms }, &[])
    }

    /// Another state in the same account, of the same user.
    pub(crate) fn beside(&self) -> Self {
        let mut stage = Self::of(self.account.clone(), &[]);
        stage.terraform.set("TMPDIR", &self.terraform.path().display().to_string());
        stage
    }

    /// Another account on the same emulator.
    pub(crate) fn elsewhere(&self) -> Self {
        Self::at(&self.account.endpoint)
    }

    fn of(account: Account, endpoints: &[(&str, &str)]) -> Self {
        let mut terraform = Terraform::new(&[]).expect("a folder");
        terraform.set("AWS_ENDPOINT_URL", &account.endpoint);
        terraform.set("AWS_ACCESS_KEY_ID", &account.id);
        terraform.set("AWS_SECRET_ACCESS_KEY", "test");
        terraform.set("AWS_REGION", REGION);
        terraform.set("TANDEM_LEASE_SECONDS", "1");
        terraform.set("DOCKER_HOST", &engine().host);
        for (name, content) in code() {
            std::fs::copy(content, terraform.path().join(name)).expect("code");
        }
        for (path, content) in CONTEXTS {
            let path = terraform.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("a context");
        }
        Self { aws: Aws::new(&account, endpoints), account, terraform, emulators: Vec::new() }
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
        // Pretty-printed: Terraform shows the line with the error, which must contain only its attribute.
        let text = serde_json::to_string_pretty(&configuration).expect("JSON");
        self.terraform.write("main.tf.json", text);
    }

    /// Writes the `import` block that a message prints, with the name of the configuration's resource.
    pub(crate) fn follow_import(&self, message: &str) {
        let lines = message.lines().map(|line| line.trim_start_matches('│').trim());
        let block = lines.skip_while(|line| *line != "import {");
        let mut block: Vec<&str> = block.take_while(|line| *line != "}").collect();
        assert!(block.len() == 3, "no import block in:\n{message}");
        block.push("}\n");
        self.terraform.write("import.tf", block.join("\n").replace(".NAME", ".it"));
    }

    /// Creates the objects that a fixture needs, and returns its inputs.
    pub(crate) fn prepare(&self, fixture: &Fixture) -> Json {
        let existing = fixture.existing(&self.account.id);
        for existing in &existing {
            self.aws.create(existing["kind"].as_str().expect("a kind"), &existing["settings"]);
        }
        let mut inputs = fixture.inputs(&self.account.id);
        if self.is_moto() {
            fixture.for_moto(&mut inputs, &self.account.id);
            // moto does not return the logging settings of a function.
            inputs["ignore_drift"] = json!(moto_ignores().collect::<Vec<_>>());
        }
        inputs
    }

    /// Returns true for a stage on moto.
    pub(crate) fn is_moto(&self) -> bool {
        !self.emulators.is_empty()
    }
}

/// The host of an account's registry.
fn registry(account: &str) -> String {
    format!("{account}.dkr.ecr.{REGION}.amazonaws.com")
}

/// The build contexts of images.
const CONTEXTS: [(&str, &str); 5] = [
    ("context/Dockerfile", DOCKERFILE),
    ("context/Other.Dockerfile", DOCKERFILE),
    ("context/hello", "hello"),
    ("context2/Other.Dockerfile", DOCKERFILE),
    ("context2/hello", "bye"),
];

const DOCKERFILE: &str = "FROM scratch AS first\nARG GREETING\nLABEL greeting=$GREETING\nCOPY hello /hello\n\
    FROM first AS second\nLABEL second=1\n";

/// Fields that moto does not return or store: logging settings of functions, architecture changes together
/// with code, and a second PutFunctionEventInvokeConfig.
fn moto_ignores() -> impl Iterator<Item = String> {
    let fields = [
        ("lambda_function", "log_*"),
        ("lambda_function", "architectures"),
        ("lambda_function_event_invoke_config", "maximum_retry_attempts"),
        ("lambda_function_event_invoke_config", "on_failure"),
    ];
    let roles = ["consumer", "function", "launcher", "on_thumbnail"];
    fields.into_iter().flat_map(move |(kind, field)| roles.map(|role| format!("{kind}.{role}.{field}")))
}

/// Fixtures for long tests. Without `TANDEM_FULL=1` they omit composites whose parts other composites cover;
/// on moto they omit more than on MiniStack.
pub(crate) fn judged(on: On) -> Vec<Fixture> {
    let left_out: &[&str] = match (is_full(), on) {
        (true, _) => &[],
        (false, On::MiniStack) => &["queues", "thumbnailer"],
        (false, On::Moto) => &["container_task", "queues", "thumbnailer"],
    };
    let mut fixtures = Fixture::all();
    fixtures.retain(|fixture| !left_out.contains(&fixture.definition.type_name));
    fixtures
}

/// Waits for the result of a check.
pub(crate) fn wait<T>(subject: &str, check: impl Fn() -> Option<T>) -> T {
    examples::wait(subject, || Ok(check())).unwrap_or_else(|error| panic!("{error}"))
}

/// True if every test runs all of its cases.
pub(crate) fn is_full() -> bool {
    std::env::var_os("TANDEM_FULL").is_some()
}

/// The cases of a long test that run on an emulator: all with `TANDEM_FULL=1`, otherwise half of them by the hash of
/// their name. MiniStack gets the other half than moto, and all cases of a composite that moto leaves out.
pub(crate) fn sampled<T>(
    on: On,
    fixture: &Fixture,
    cases: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> String,
) -> Vec<T> {
    let others = judged(On::Moto);
    let alone = others.iter().all(|other| other.definition.type_name != fixture.definition.type_name);
    let is_own = |case: &T| {
        let on_moto = names::hash(&name(case)).ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']);
        is_full() || alone || on_moto == (on == On::Moto)
    };
    cases.into_iter().filter(is_own).collect()
}

/// Returns true if moto cannot check a field of an object.
pub(crate) fn moto_cannot_judge(key: &str, field: &str) -> bool {
    let full = format!("{key}.{field}");
    moto_ignores().any(|pattern| full.starts_with(pattern.trim_end_matches('*')))
}

/// Code of functions, made once: two binaries and a zip. The first is the example's handler.
fn code() -> Vec<(&'static str, PathBuf)> {
    static MADE: OnceLock<Vec<(&'static str, PathBuf)>> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tandem-code-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        watch(&remove_command(&folder));
        let built = root().join("examples/upload-notice/handlers/target/lambda/notice/bootstrap");
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
