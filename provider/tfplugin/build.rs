//! Generates the protocol's messages and services in pure Rust, without `protoc`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(["proto/tfplugin5.proto", "proto/plugin.proto"])?;
    // Tests read the list of all RPCs and fields from it.
    let out =
        PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set; run the build with cargo")?);
    std::fs::write(out.join("protocol.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_client(std::env::var_os("CARGO_FEATURE_TESTING").is_some())
        .disable_comments(["."])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
