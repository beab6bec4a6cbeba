//! Programs that acceptance tests and the demo start: emulators of AWS, a container engine, the real
//! Terraform.

pub mod calls;
pub mod cargo;
pub mod emulator;
pub mod engine;
pub mod environment;
pub mod examples;
pub mod ffmpeg;
pub mod hashicorp;
pub mod node;
pub mod rekognition;
pub mod shared;
pub mod skipped;
pub mod terraform;
