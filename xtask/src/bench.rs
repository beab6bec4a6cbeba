//! What the release build costs: start, memory, `terraform validate`. Each figure against its floor,
//! in turns within one run, as medians.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tandem_testkit::cargo::cargo;
use tandem_testkit::environment::{private, root};

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
    let generated = generate(&folder)?;
    if start < 5.0 && memory < 20.0 && validate - floor <= 60.0 && generated {
        Ok(())
    } else {
        Err("a figure is over its limit".into())
    }
}

/// How long `tandem generate` takes for that many thumbnailers in plain resources of hashicorp/aws, and how
/// much memory; whether both are within their limits.
fn generate(folder: &Path) -> Result<bool> {
    let binary = root().join("target/release/tandem");
    step("Building tandem for release", || {
        let mut build = cargo(&["build", "--release", "--locked", "-p", "tandem"]);
        crate::step::quiet(build.env_remove("CARGO_TARGET_DIR"))
    })?;
    let folder = folder.join("generate");
    let mut within = true;
    for (count, rounds, limit, limit_memory) in [(100, 9, 0.25, Some(60.0)), (1000, 3, 2.5, None)] {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let mut spec = "app: many\nthumbnailers:\n".to_owned();
        for number in 0..count {
            write!(spec, "  videos-{number}:\n    task: {{ build: {{ context: container }} }}\n")?;
            write!(spec, "    launcher: {{}}\n    on_thumbnail: {{}}\n")?;
        }
        std::fs::write(folder.join("tandem.yaml"), spec)?;
        let (mut times, mut memory) = (Vec::new(), Vec::new());
        step(&format!("Generating {count} thumbnailers, {rounds} times"), || {
            for round in 0..rounds {
                // Python tells the greatest memory of a child.
                let mut python = Command::new("python3");
                python.args(["-c", MEASURE]).arg(&binary).arg(format!("out-{round}")).current_dir(&folder);
                let printed = crate::step::quiet(&mut python)?;
                let mut figures = printed.split_whitespace().map(str::parse::<f64>);
                let mut figure =
                    || figures.next().ok_or("no figure").and_then(|f| f.map_err(|_| "no number"));
                times.push(figure()?);
                memory.push(figure()?);
            }
            Ok(())
        })?;
        let mut resources = 0;
        for module in std::fs::read_dir(folder.join("out-0/modules"))? {
            let main = std::fs::read_to_string(module?.path().join("main.tf"))?;
            resources +=
                main.matches("\nresource \"aws_").count() + usize::from(main.starts_with("resource"));
        }
        let (time, memory) = (median(times), median(memory));
        let limits = limit_memory.map_or(String::new(), |limit| format!(" and {limit} MB"));
        println!(
            "  {count} thumbnailers, native    {time:8.2} s    {memory:.0} MB, {resources} resources (limit {limit} s{limits})"
        );
        within &= time < limit && limit_memory.is_none_or(|limit| memory < limit);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(within)
}

/// Runs a generation; prints seconds and megabytes.
const MEASURE: &str = "
import resource, subprocess, sys, time
start = time.perf_counter()
call = [sys.argv[1], 'generate', '--quiet', '--only', 'modules', '--flavor', 'native', '--out', sys.argv[2]]
subprocess.run(call, check=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
";

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
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
