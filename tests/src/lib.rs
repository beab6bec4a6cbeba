//! What acceptance tests and the demo start: emulators of AWS, and the real Terraform.

pub mod calls;
pub mod cargo;
pub mod emulator;
pub mod engine;
pub mod environment;
pub mod examples;
pub mod ffmpeg;
pub mod rekognition;
pub mod terraform;
