//! The Terraform provider of Tandem.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Terraform starts the provider without arguments and waits for it: only `sweep` builds a clap parser.
    let sweeps = std::env::args_os().nth(1).is_some_and(|first| first == "sweep");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the provider cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = if sweeps {
        runtime.block_on(terraform_provider_tandem::sweep::run(std::env::args_os().collect()))
    } else {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        runtime.block_on(terraform_provider_tandem::run(&arguments))
    };
    // Do not wait for blocking work that may not end (a DNS lookup, a lock): Terraform kills the process after
    // two seconds.
    runtime.shutdown_background();
    code
}
