//! `crash-matrix`: runs the matrix, or a sample of it, and prints the results.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tandem_crash::matrix::{self, Case, in_virtual_time};
use tandem_crash::report::{Report, Results};
use tandem_model::composites;

/// Run every combination of composite, operation, mutating call and fault against AWS in memory
#[derive(Parser)]
#[command(after_help = "Examples:\n  \
    crash-matrix --sample 500\n  \
    crash-matrix --results matrix.jsonl --report docs/guides/reliability.md\n  \
    crash-matrix --only thumbnailer/Create/KillAfter/ --verbose")]
struct Arguments {
    /// Run only this many cases, chosen by the seed
    #[arg(long, value_name = "CASES")]
    sample: Option<usize>,
    /// Seed of the sample and of the latencies
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run only cases whose name starts with NAME: COMPOSITE/OPERATION/FAULT/CALL
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Append results to this file, and skip the cases that it already contains
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Write the report to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Number of cases that run at a time; defaults to the number of cores
    #[arg(long)]
    threads: Option<usize>,
    /// Print the calls of each undisturbed operation, and run no case
    #[arg(long)]
    calls: bool,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    /// Print each case as it ends
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<usize, String> {
    // Resolve paths first: the cases run in a temporary folder.
    let here = |path: &Option<PathBuf>| {
        let absolute = path.as_ref().map(std::path::absolute).transpose();
        absolute.map_err(|error| format!("cannot determine the current folder: {error}"))
    };
    let (results, report_to) = (here(&arguments.results)?, here(&arguments.report)?);
    eprintln!("counting the calls of undisturbed runs");
    let mut cases: Vec<Case> = Vec::new();
    let wanted = |name: &str| {
        let begins = format!("{name}/");
        begins.starts_with(&arguments.only) || arguments.only.starts_with(&begins)
    };
    for definition in composites::ALL.iter().filter(|definition| wanted(definition.type_name)) {
        cases.extend(in_virtual_time(matrix::cases(definition.type_name)));
    }
    cases.retain(|case| case.to_string().starts_with(&arguments.only));
    if arguments.calls {
        print_calls(&cases);
        return Ok(0);
    }
    if let Some(count) = arguments.sample {
        fastrand::Rng::with_seed(arguments.seed).shuffle(&mut cases);
        cases.truncate(count);
    }
    eprintln!("{} runs", cases.len());
    let results = Results::open(results.as_deref(), arguments.seed)?;
    let threads =
        arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let how = matrix::How {
        seed: arguments.seed,
        threads,
        fail_fast: arguments.fail_fast,
        verbose: arguments.verbose,
    };
    let outcomes = matrix::run_all(&cases, &how, &results);
    let report = Report::of(&outcomes);
    print!("{}", report.table());
    for (case, wrong) in &report.failures {
        println!("\nFAILED {case}\n{wrong}");
    }
    if let Some(path) = &report_to {
        std::fs::write(
            path,
            report
                .markdown(&composites::ALL.iter().map(|definition| definition.type_name).collect::<Vec<_>>()),
        )
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    println!("{}", report.last_line());
    Ok(report.failures.len())
}

fn print_calls(cases: &[Case]) {
    let operations: std::collections::BTreeSet<_> =
        cases.iter().map(|case| (case.composite, case.operation)).collect();
    for (composite, operation) in operations {
        let Some(run) = in_virtual_time(matrix::undisturbed(composite, operation)) else { continue };
        println!("{composite}, {operation}");
        run.calls.iter().filter(|call| !call.ends_with(":read")).for_each(|call| println!("  {call}"));
    }
}
