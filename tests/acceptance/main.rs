//! The provider under the real Terraform, against real emulators.

mod architecture;
mod aws;
mod bad_input;
mod behind_the_back;
mod containers;
mod enumeration;
mod fixture;
mod foreign;
mod iam;
mod import;
mod interrupted;
mod killed;
mod lifecycle;
mod providers;
mod proxy;
mod replacement;
mod stage;
mod video;
