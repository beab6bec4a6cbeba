//! Checks properties with the inputs of the corpus and with generated inputs.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::LazyLock;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};
use tfplugin::types::Type;

/// Input bytes with their use.
#[derive(Clone)]
pub(crate) enum Input {
    /// A value of a request.
    Msgpack(Type, Vec<u8>),
    /// A value of a state.
    Json(Type, Vec<u8>),
    /// The body of a request.
    Rpc(String, Vec<u8>),
}

/// The text of a corpus file: a line with the kind and the type or RPC, then the bytes in hex.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self {
            Self::Msgpack(ty, bytes) => {
                writeln!(f, "msgpack {}", ty.to_json())?;
                bytes
            }
            Self::Json(ty, bytes) => {
                writeln!(f, "json {}", ty.to_json())?;
                bytes
            }
            Self::Rpc(name, bytes) => {
                writeln!(f, "rpc {name}")?;
                bytes
            }
        };
        for line in bytes.chunks(48) {
            writeln!(f, "{}", hex::encode(line))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Input {
    /// Reads a corpus file. Lines that begin with `#` are comments with the reason for the input.
    fn parse(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let (kind, about) = lines.next().and_then(|line| line.split_once(' ')).expect("a kind");
        let bytes = hex::decode(lines.collect::<String>().replace(' ', "")).expect("hex");
        let ty = || {
            let json = serde_json::from_str(about).expect("JSON");
            Type::from_json(&json).expect("a type")
        };
        match kind {
            "msgpack" => Self::Msgpack(ty(), bytes),
            "json" => Self::Json(ty(), bytes),
            "rpc" => Self::Rpc(about.to_owned(), bytes),
            _ => panic!("unknown kind of input: {kind}"),
        }
    }
}

/// The result of a check; the error describes the defect.
pub(crate) type Verdict = Result<(), String>;

/// Runs a check with every input of the corpus. The check ignores inputs of other kinds.
pub(crate) fn replay(check: impl Fn(&Input) -> Verdict) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<_> =
        folder.read_dir().expect("the corpus").map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "the corpus is empty");
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let input = Input::parse(&fs::read_to_string(file).expect("text"));
            let verdict = catch_unwind(AssertUnwindSafe(|| check(&input)));
            let message = verdict.unwrap_or_else(|_| Err("a panic".to_owned())).err()?;
            Some(format!("{}: {message}", file.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn full() -> bool {
    std::env::var_os("TANDEM_FULL").is_some()
}

/// The number of cases of a property.
fn cases() -> u32 {
    if full() { 1_000_000 } else { 10_000 }
}

/// The seed: constant in quick runs, random in full runs.
static SEED: LazyLock<u64> = LazyLock::new(|| match std::env::var("TANDEM_SEED") {
    Ok(seed) => seed.parse().expect("TANDEM_SEED is a number"),
    Err(_) if full() => RandomState::new().build_hasher().finish(),
    Err(_) => 1,
});

/// A runner that generates cases from the seed.
pub(crate) fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: cases(),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(*SEED),
        rng_algorithm: RngAlgorithm::XorShift,
        max_shrink_iters: 20_000,
        ..Config::default()
    })
}

/// Checks a property with generated cases. `input` converts a case to an input for the corpus.
pub(crate) fn hold<C: fmt::Debug>(
    property: &str,
    strategy: impl Strategy<Value = C>,
    input: impl Fn(&C) -> Input,
    check: impl Fn(&C) -> Verdict,
) {
    // A process that crashes prints no input: write each input to a file first.
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{property}.txt"));
    let last = RefCell::new(File::create(&path).expect("a file"));
    let result = runner().run(&strategy, |case| {
        let text = input(&case).to_string();
        let mut file = last.borrow_mut();
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        check(&case).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!(
            "{property}, with TANDEM_SEED={}: {reason}\n\nAs a file of tests/corpus:\n\n{}",
            *SEED,
            input(&case)
        ),
        Err(TestError::Abort(reason)) => panic!("{property}, with TANDEM_SEED={}: {reason}", *SEED),
    }
}
