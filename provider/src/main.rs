//! The Terraform provider of Tandem.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    terraform_provider_tandem::run(&arguments).await
}
