//! An upload sets off a function.

use tandem_tests::emulator::Settings;

use super::{Stage, build_provider, log_line};
use crate::step::{Result, step};

const EXAMPLE: &str = "upload-notice";
const KEY: &str = "my video+ü.mp4";

pub(super) fn run(keep: bool) -> Result {
    build_provider()?;
    crate::check::handlers(EXAMPLE, "build")?;
    let files = ["examples/upload-notice/main.tf", "examples/upload-notice/handlers/target/lambda"];
    let stage = Stage::new(EXAMPLE, &files, &Settings::default())?;
    let before = stage.account.everything()?;
    stage.apply()?;
    let (bucket, log_group) = (stage.output("bucket")?, stage.output("log_group")?);
    let line = step(&format!("Uploading {KEY:?} to {bucket}, waiting for the function's log line"), || {
        stage.account.put_object(&bucket, KEY, b"not really a video")?;
        log_line(&stage.account, &log_group, KEY)
    })?;
    println!("\n  {line}\n");
    stage.end(&before, keep)
}
