//! How the provider is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(name).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        // At a fixed address, as providers written in Go are: twenty thousand relocations less at each
        // start, of which one `terraform plan` has several, and a megabyte less to hash before it.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
