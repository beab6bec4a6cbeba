//! `cargo xtask bench --peers`: this provider and hashicorp/aws create the same objects on one emulator, in turns.
//!
//! Both sides apply a module that `tandem generate` writes for the example `video-thumbnailer`: the composite flavor
//! for this provider, the native flavor for hashicorp/aws. The times are printed and not checked. At the end, the
//! generator and a script of troposphere write the same resources in turns.

mod generation;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tandem_testkit::calls::Account;
use tandem_testkit::emulator::{Emulator, Settings};
use tandem_testkit::environment::{Packages, private, root};
use tandem_testkit::hashicorp::{self, Hashicorp};
use tandem_testkit::terraform::provider_binary;

use crate::bench::median;
use crate::step::{Result, quiet, step};
use crate::{build, install, setup};

/// The measured steps: a name and the arguments of Terraform.
const STEPS: [(&str, &[&str]); 5] = [
    ("validate", &["validate", "-no-color"]),
    ("plan", &["plan", "-no-color", "-input=false", "-out=plan"]),
    ("apply", &["apply", "-no-color", "-input=false", "plan"]),
    ("second plan", &["plan", "-no-color", "-input=false"]),
    ("destroy", &["destroy", "-auto-approve", "-no-color", "-input=false"]),
];
const APPLY: usize = 2;
const SECOND_PLAN: usize = 3;

/// The seconds from which a resource of hashicorp/aws is listed as slow. The emulator answers within milliseconds.
const SLOW: u64 = 10;

/// Prints the medians of all steps of both sides.
pub(crate) fn run(rounds: usize, dev: bool) -> Result {
    setup::prerequisites()?;
    setup::packages(Packages::MiniStack)?;
    let hashicorp = setup::hashicorp()?;
    build::build_programs()?;
    let binary = if dev { provider_binary() } else { install::release()? };

    let folder = private().join("bench/peers");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    write_code(&folder)?;
    generate(&folder)?;
    let mut sides = [Side::new("tandem", &folder)?, Side::new("hashicorp/aws", &folder)?];
    let rc = configure_cli(&folder, &binary, &hashicorp)?;
    let emulator = step("Starting an AWS emulator", || {
        Ok(Emulator::ministack(&folder.join("ministack.log"), &Settings::default())?)
    })?;
    for round in 0..rounds {
        // The order changes with each round: a drift of the machine meets both sides.
        for position in 0..sides.len() {
            let number = (position + round) % sides.len();
            let side = &mut sides[number];
            let account = account(&emulator, round * 2 + number);
            side.measure(&format!("Round {} of {rounds}, {}", round + 1, side.name), &account, &rc)?;
        }
        let [tandem, aws] = &sides;
        compare(tandem, aws)?;
    }
    report(&sides, rounds, dev)?;
    generation::run(&folder)
}

/// Writes the code of the functions, which no step runs: an ELF header for x86-64, and a zip that contains it.
fn write_code(folder: &Path) -> Result {
    const ZIP: &str = "
import zipfile
header = b'\\x7fELF' + bytes([2, 1]) + bytes(12) + bytes([62]) + bytes(45)
open('bootstrap', 'wb').write(header)
info = zipfile.ZipInfo('bootstrap', (1980, 1, 1, 0, 0, 0))
info.create_system, info.external_attr = 3, 0o755 << 16
with zipfile.ZipFile('bootstrap.zip', 'w') as archive:
    archive.writestr(info, header)
";
    let mut python = Command::new("python3");
    quiet(python.args(["-c", ZIP]).current_dir(folder)).map(drop)
}

/// Generates both flavors from the spec of the example, with a given image in place of a build.
fn generate(folder: &Path) -> Result {
    const BUILD: &str = "build: { context: container }";
    let example = root().join("examples/video-thumbnailer/tandem.yaml");
    let spec = std::fs::read_to_string(&example)?;
    if spec.matches(BUILD).count() != 1 {
        return Err(format!("{} does not contain `{BUILD}`: update the bench", example.display()).into());
    }
    let spec = spec.replace(BUILD, "image: public.ecr.aws/docker/library/busybox:1");
    let path = folder.join("tandem.yaml");
    std::fs::write(&path, spec)?;
    for flavor in ["composite", "native"] {
        let mut tandem = build::program("tandem")?;
        tandem.args(["generate", "--quiet", "--only", "modules", "--flavor", flavor, "--file"]).arg(&path);
        quiet(tandem.arg("--out").arg(folder.join(flavor)))?;
    }
    Ok(())
}

/// Puts the provider into a mirror, and writes a CLI configuration for both providers.
fn configure_cli(folder: &Path, binary: &Path, hashicorp: &Hashicorp) -> Result<PathBuf> {
    let mirror = folder.join("mirror");
    install::put(binary, &mirror)?;
    let rc = folder.join("terraform.rc");
    std::fs::write(&rc, hashicorp.cli_configuration(&mirror))?;
    Ok(rc)
}

/// A fresh account for each run: no objects of an earlier run slow the emulator's answers down.
fn account(emulator: &Emulator, number: usize) -> Account {
    Account {
        endpoint: emulator.endpoint.clone(),
        id: format!("1{number:011}"),
        region: "eu-central-1".to_owned(),
        alarms: emulator.endpoint.clone(),
    }
}

/// One of the two providers, with its measurements.
struct Side {
    name: &'static str,
    folder: PathBuf,
    /// Seconds of each step, by round.
    seconds: [Vec<f64>; STEPS.len()],
    /// Peak memory of a provider process, in KiB.
    memory: u64,
    /// The number of objects in the state after the last apply.
    objects: usize,
    /// The content of the account after the last apply.
    content: BTreeSet<String>,
    /// The result that the last second plan reports.
    second_plan: String,
    /// Resources whose creation or deletion took [`SLOW`] seconds or longer in the last round, by type.
    slow: BTreeMap<String, u64>,
}

impl Side {
    fn new(name: &'static str, top: &Path) -> Result<Self> {
        let folder = top.join(name.replace('/', "-"));
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            name,
            folder,
            seconds: std::array::from_fn(|_| Vec::new()),
            memory: 0,
            objects: 0,
            content: BTreeSet::new(),
            second_plan: String::new(),
            slow: BTreeMap::new(),
        })
    }

    /// Writes the configuration that calls the module, for an account.
    fn configure(&self, account: &Account) -> Result {
        let (provider, module, code) = if self.name == "tandem" {
            // The project is the name of the app: both sides give the same names.
            let provider = "terraform {\n  required_providers {\n    tandem = { source = \"tandem/tandem\" }\n  }\n}\n\n\
                            provider \"tandem\" {\n  project = \"video-thumbnailer\"\n}\n";
            (provider.to_owned(), "composite", ["code_bootstrap", "bootstrap"])
        } else {
            (hashicorp::provider_block(account), "native", ["zip", "bootstrap.zip"])
        };
        let [input, file] = code;
        let text = format!(
            "{provider}\nmodule \"app\" {{\n  source = \"../{module}\"\n  videos = {{\n    launcher_{input}     = \
             \"../{file}\"\n    on_thumbnail_{input} = \"../{file}\"\n  }}\n}}\n"
        );
        Ok(std::fs::write(self.folder.join("main.tf"), text)?)
    }

    /// Runs all steps in a fresh account.
    fn measure(&mut self, title: &str, account: &Account, rc: &Path) -> Result {
        self.configure(account)?;
        let run = |arguments: &[&str]| terraform(&self.folder, arguments, account, rc);
        if !self.folder.join(".terraform").exists() {
            step(&format!("{title}: init"), || run(&["init", "-no-color", "-input=false"]))?;
        }
        let before = account.everything()?;
        let mut slow = BTreeMap::new();
        for (number, (name, arguments)) in STEPS.iter().enumerate() {
            let done = step(&format!("{title}: {name}"), || run(arguments))?;
            self.seconds[number].push(done.elapsed.as_secs_f64());
            self.memory = self.memory.max(done.memory);
            collect_slow(&done.text, &mut slow);
            if number == APPLY {
                self.objects = objects(&self.folder.join("terraform.tfstate"))?;
                self.content = content(account, &before)?;
            }
            if number == SECOND_PLAN {
                let line = done.text.lines().find(|line| line.starts_with("Plan: "));
                let summary = line.map_or("no changes", |line| line.trim_start_matches("Plan: "));
                summary.clone_into(&mut self.second_plan);
            }
        }
        self.slow = slow;
        let left: Vec<String> = account.everything()?.difference(&before).cloned().collect();
        if !left.is_empty() {
            return Err(format!("{} left behind:\n{}", self.name, left.join("\n")).into());
        }
        Ok(())
    }

    /// Returns the version and the size of the program that Terraform selected.
    fn program(&self) -> Result<(String, u64)> {
        let address = if self.name == "tandem" { "tandem/tandem" } else { self.name };
        let versions = self.folder.join(".terraform/providers/registry.terraform.io").join(address);
        let only = |folder: &Path, prefix: &str| -> Result<PathBuf> {
            let entries = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path());
            let mut fitting = entries.filter(|path| name(path).starts_with(prefix));
            fitting.next().ok_or_else(|| format!("{} is empty", folder.display()).into())
        };
        let version = only(&versions, "")?;
        let program = only(&only(&version, "")?, "terraform-provider-")?;
        Ok((name(&version), std::fs::metadata(program)?.len()))
    }

    fn median(&self, step: usize) -> f64 {
        median(self.seconds[step].clone())
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A finished run of Terraform.
struct Done {
    elapsed: Duration,
    /// Peak memory of the provider, in KiB.
    memory: u64,
    text: String,
}

/// Runs Terraform in a folder, and watches the memory of the provider that it starts.
fn terraform(folder: &Path, arguments: &[&str], account: &Account, rc: &Path) -> Result<Done> {
    let mut command = Command::new("terraform");
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("TF_CLI_CONFIG_FILE", rc)
        .env("TF_IN_AUTOMATION", "1")
        .env("CHECKPOINT_DISABLE", "1")
        .env("AWS_ENDPOINT_URL", &account.endpoint)
        .env("AWS_ACCESS_KEY_ID", &account.id)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", &account.region)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let child = command.spawn().map_err(|error| format!("terraform: {error}"))?;
    let (id, ended) = (child.id(), AtomicBool::new(false));
    let (output, elapsed, memory) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(peak_of_children(id));
                std::thread::sleep(Duration::from_millis(50));
            }
            peak
        });
        let output: std::io::Result<Output> = child.wait_with_output();
        let elapsed = start.elapsed();
        ended.store(true, Ordering::Relaxed);
        (output, elapsed, watcher.join().unwrap_or_default())
    });
    let output = output?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("terraform {} failed:\n{text}{errors}", arguments.join(" ")).into());
    }
    Ok(Done { elapsed, memory, text })
}

/// Returns the largest peak of memory among the child processes of a process, in KiB; zero without `/proc`.
fn peak_of_children(parent: u32) -> u64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Children have higher ids, as long as ids do not wrap around: few files are read.
    let peaks = ids.filter(|id| *id > parent).filter_map(|id| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        if field("PPid:")?.trim() != parent.to_string() {
            return None;
        }
        field("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    peaks.max().unwrap_or_default()
}

/// Counts the objects in a state: the components of composites, and all other resources.
fn objects(state: &Path) -> Result<usize> {
    let state: Json = serde_json::from_str(&std::fs::read_to_string(state)?)?;
    let resources = state["resources"].as_array().into_iter().flatten();
    let managed = resources.filter(|resource| resource["mode"] == "managed");
    let instances = managed.flat_map(|resource| resource["instances"].as_array().into_iter().flatten());
    let count =
        |instance: &Json| instance["attributes"]["components"].as_object().map_or(1, serde_json::Map::len);
    Ok(instances.map(count).sum())
}

/// Returns the objects in an account that stand by themselves, without the values that differ by account.
fn content(account: &Account, before: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let found = account.everything()?;
    // The name of a bucket ends in a hash of account and region.
    let bucket = found.iter().find_map(|text| text.strip_prefix("bucket ")).ok_or("there is no bucket")?;
    let plain = |text: &String| text.replace(bucket, "BUCKET").replace(&account.id, "ACCOUNT");
    Ok(found.difference(before).map(plain).collect())
}

/// Fails unless both sides have created the same objects.
fn compare(tandem: &Side, aws: &Side) -> Result {
    let different: Vec<&str> =
        tandem.content.symmetric_difference(&aws.content).map(String::as_str).collect();
    if !different.is_empty() {
        return Err(format!("only one side created:\n{}", different.join("\n")).into());
    }
    if tandem.objects != aws.objects {
        return Err(
            format!("tandem has {} objects, hashicorp/aws has {}", tandem.objects, aws.objects).into()
        );
    }
    Ok(())
}

/// Reads the types of resources of hashicorp/aws that took [`SLOW`] seconds or longer from the output of Terraform,
/// e.g. `module.app.aws_sqs_queue.it: Creation complete after 1m25s [id=…]`.
fn collect_slow(text: &str, slow: &mut BTreeMap<String, u64>) {
    for line in text.lines() {
        let Some((address, rest)) = line.split_once(": ") else { continue };
        let Some((done, rest)) = rest.split_once(" complete after ") else { continue };
        let Some(seconds) = seconds(rest.split_whitespace().next().unwrap_or_default()) else { continue };
        let Some(kind) = address.split('.').find(|part| part.starts_with("aws_")) else { continue };
        if seconds >= SLOW {
            let action = if done == "Creation" { "create" } else { "delete" };
            let longest = slow.entry(format!("{action} {kind}")).or_default();
            *longest = seconds.max(*longest);
        }
    }
}

/// Parses a duration of Terraform, e.g. `1m25s`.
fn seconds(text: &str) -> Option<u64> {
    let text = text.strip_suffix('s')?;
    match text.split_once('m') {
        Some((minutes, seconds)) => Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?),
        None => text.parse().ok(),
    }
}

fn report(sides: &[Side; 2], rounds: usize, dev: bool) -> Result {
    let [tandem, aws] = sides;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if dev { "a dev build, which is slower than the release build" } else { "the release build" };
    println!(
        "\nMedians of alternating rounds on one MiniStack. Rounds: {rounds}. CPUs: {cpus}. tandem is {build}."
    );
    println!("The ratio is hashicorp/aws divided by tandem.\n");
    println!("  {:<26}{:>14}{:>16}{:>9}", "", tandem.name, aws.name, "ratio");
    let row = |name: &str, [ours, theirs]: [f64; 2]| {
        println!("  {name:<26}{ours:>12.2} s{theirs:>14.2} s{:>9.1}", theirs / ours);
    };
    let mut sums = [0.0; 2];
    for (number, (name, _)) in STEPS.iter().enumerate() {
        let medians = [tandem.median(number), aws.median(number)];
        sums = [sums[0] + medians[0], sums[1] + medians[1]];
        row(name, medians);
    }
    row("sum of the medians", sums);
    let [(our_version, our_size), (their_version, their_size)] = [tandem.program()?, aws.program()?];
    println!("  {:<26}{:>14}{:>16}", "version", our_version, their_version);
    println!("  {:<26}{:>14}{:>16}", "AWS objects", tandem.objects, aws.objects);
    #[allow(clippy::cast_precision_loss)]
    let megabytes = |name: &str, ours: u64, theirs: u64| {
        let [ours, theirs] = [ours, theirs].map(|bytes| bytes as f64 / f64::from(1 << 20));
        println!("  {name:<26}{ours:>11.0} MiB{theirs:>12.0} MiB{:>9.1}", theirs / ours);
    };
    if tandem.memory > 0 && aws.memory > 0 {
        megabytes("peak memory of a provider", tandem.memory << 10, aws.memory << 10);
    }
    megabytes("size of the program", our_size, their_size);
    println!("\n  Second plan, tandem:        {}", tandem.second_plan);
    println!("  Second plan, hashicorp/aws: {}", aws.second_plan);
    if !aws.slow.is_empty() {
        println!("\n  Resources of hashicorp/aws that took {SLOW} s or longer in the last round:");
        aws.slow.iter().for_each(|(what, seconds)| println!("  {seconds:>5} s  {what}"));
    }
    println!("{HIDDEN}");
    Ok(())
}

/// The limits of a comparison on an emulator.
const HIDDEN: &str = "
  Differences between the emulator and AWS:

  - Fixed waits: hashicorp/aws waits for AWS to become consistent. For example, it reads the attributes of an
    SQS queue six times, five seconds apart, after each change. The emulator is consistent immediately and does
    not need these waits, AWS does. The times above contain them.
  - Latency and rate limits: a call to AWS takes longer than a call on this machine, and AWS throttles. Both
    providers are slower there, and the ratios are different.
  - Answers: MiniStack does not return all settings of all objects, e.g. those of alarms in the protocol that
    hashicorp/aws uses. Changes in a second plan can therefore be wrong.
  - Objects: both accounts contain the same named objects. hashicorp/aws has one resource for all notifications
    of a bucket, and one for the capacity providers of a cluster; tandem counts each notification.";
