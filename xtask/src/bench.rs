//! What the release build costs: start, memory, `terraform validate`. Each figure against its floor,
//! in turns within one run, as medians.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tandem_tests::environment::private;

use crate::install;
use crate::step::{Result, step};

const ROUNDS: usize = 41;
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

pub(crate) fn run() -> Result {
    let binary = install::release()?;
    let folder = private().join("bench");
    let (with, without) = (folder.join("with"), folder.join("without"));
    for folder in [&with, &without] {
        std::fs::create_dir_all(folder)?;
    }
    let certificate = client_certificate(&folder)?;
    let mirror = folder.join("mirror");
    install::put(&binary, &mirror)?;
    std::fs::write(folder.join("terraform.rc"), install::configuration(&mirror))?;
    std::fs::write(without.join("main.tf"), "output \"it\" {\n  value = 1\n}\n")?;
    std::fs::write(
        with.join("main.tf"),
        "terraform {\n  required_providers {\n    tandem = { source = \"tandem/tandem\" }\n  }\n}\n\nresource \"tandem_bucket\" \"it\" {\n  name = \"it\"\n}\n",
    )?;
    let terraform = |folder: &Path, arguments: &[&str]| -> Result<Duration> {
        let start = Instant::now();
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(folder)
            .env("TF_CLI_CONFIG_FILE", private().join("bench/terraform.rc"));
        crate::step::quiet(command.env("CHECKPOINT_DISABLE", "1"))?;
        Ok(start.elapsed())
    };
    let _ = std::fs::remove_file(with.join(".terraform.lock.hcl"));
    terraform(&with, &["init"])?;
    terraform(&without, &["init"])?;

    let (mut starts, mut memory, mut floors, mut validates) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    step(&format!("Measuring, {ROUNDS} rounds"), || {
        for _ in 0..ROUNDS {
            let (start, resident) = handshake(&binary, &certificate)?;
            starts.push(start.as_secs_f64() * 1e3);
            memory.push(resident);
            floors.push(terraform(&without, &["validate"])?.as_secs_f64() * 1e3);
            validates.push(terraform(&with, &["validate"])?.as_secs_f64() * 1e3);
        }
        Ok(())
    })?;
    let (start, memory) = (median(starts), median(memory));
    let (floor, validate) = (median(floors), median(validates));
    let size = std::fs::metadata(&binary)?.len() >> 10;
    println!("medians of {ROUNDS} alternating rounds:");
    println!("  start to handshake line      {start:8.1} ms   (limit 5)");
    println!("  resident memory              {memory:8.1} MB   (limit 20)");
    println!(
        "  terraform validate           {validate:8.1} ms   ({floor:.1} without a provider: {:.1} more, limit 60)",
        validate - floor
    );
    println!("  size of the binary           {size:8} KiB");
    if start < 5.0 && memory < 20.0 && validate - floor <= 60.0 {
        Ok(())
    } else {
        Err("a figure is over its limit".into())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A certificate like the one that Terraform sends.
fn client_certificate(folder: &Path) -> Result<String> {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:secp521r1",
        "-nodes",
        "-subj",
        "/CN=localhost",
    ]);
    crate::step::quiet(openssl.arg("-keyout").arg(key).arg("-out").arg(&certificate))?;
    Ok(std::fs::read_to_string(certificate)?)
}

/// Starts the provider as Terraform does: time to the handshake line, and resident megabytes then.
fn handshake(binary: &Path, certificate: &str) -> Result<(Duration, f64)> {
    let start = Instant::now();
    let mut child = Command::new(binary)
        .env(COOKIE.0, COOKIE.1)
        .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
        .env("PLUGIN_CLIENT_CERT", certificate)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("stdout")?).read_line(&mut line)?;
    let elapsed = start.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    child.kill()?;
    child.wait()?;
    if !line.starts_with("1|5|") {
        return Err(format!("no handshake: {line}").into());
    }
    Ok((elapsed, resident.ok_or("VmRSS")? / 1024.0))
}
