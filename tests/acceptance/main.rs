//! The provider under the real Terraform, against real emulators.

mod architecture;
mod aws;
mod bad_input;
mod behind_the_back;
mod containers;
mod double;
mod enumeration;
mod examples;
mod foreign;
mod hashicorp;
mod iam;
mod import;
mod interrupted;
mod killed;
mod lifecycle;
mod mistakes;
mod providers;
mod proxy;
mod readme;
mod replacement;
mod secrets;
mod stage;
mod throttled;
mod upgrades;
mod video;
mod workflow;
