//! Tests of generated modules under the real Terraform: composite modules with the provider, native ones with
//! a stand-in for hashicorp/aws.

mod cfn_lint;
mod checkov;
mod cloudformation;
mod example;
mod hostile;
mod modules;
mod mutants;
mod native;
mod project;
mod states;
