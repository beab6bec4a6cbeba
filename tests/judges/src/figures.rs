//! The figures of judges, which `cargo xtask test` prints at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value as Json, json};

/// The number of things that a judge looked at, and of those that it refused.
type Figure = (u64, u64);

static FIGURES: LazyLock<Mutex<BTreeMap<&'static str, Figure>>> = LazyLock::new(Mutex::default);

/// The folder of the figures: one file per process.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.tandem/judges")
}

/// Adds to the figures of a judge, e.g. `calls judged by the models of botocore`.
pub fn add(judge: &'static str, judged: u64, refused: u64) {
    let mut figures = FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
    let figure = figures.entry(judge).or_default();
    figure.0 += judged;
    figure.1 += refused;
}

/// Writes the figures of this process into its file.
pub fn keep() {
    let figures = FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
    let all: Json = figures.iter().map(|(judge, figure)| json!([judge, figure.0, figure.1])).collect();
    let written = std::fs::create_dir_all(folder())
        .and_then(|()| std::fs::write(folder().join(std::process::id().to_string()), all.to_string()));
    if let Err(error) = written {
        eprintln!("note: the figures of judges are incomplete: {error}");
    }
}

/// The sums over all processes since [`forget`], by judge.
pub fn all() -> BTreeMap<String, Figure> {
    let mut sums: BTreeMap<String, Figure> = BTreeMap::new();
    for file in std::fs::read_dir(folder()).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        let figures: Vec<Json> = serde_json::from_str(&text).unwrap_or_default();
        for figure in figures {
            let sum = sums.entry(figure[0].as_str().unwrap_or_default().to_owned()).or_default();
            sum.0 += figure[1].as_u64().unwrap_or_default();
            sum.1 += figure[2].as_u64().unwrap_or_default();
        }
    }
    sums
}

/// Removes the figures of earlier runs.
pub fn forget() {
    let _ = std::fs::remove_dir_all(folder());
}
