#![doc = include_str!("../README.md")]

pub mod diagnostic;
pub mod json;
pub mod log;
pub mod msgpack;
pub mod path;
pub mod provider;
pub mod schema;
pub mod types;
pub mod value;

mod check;
mod handshake;
mod panics;
mod rpc;
mod serve;
mod services;
pub mod stop;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;

pub use diagnostic::{Diagnostic, Severity};
pub use path::{Path, Step};
pub use provider::Provider;
pub use rpc::Server;
pub use serve::{Options, serve};
pub use stop::StopToken;
pub use value::Value;

/// The generated messages and services of the protocol.
#[allow(missing_docs, unreachable_pub, clippy::pedantic, rust_2018_idioms)]
pub mod proto {
    tonic::include_proto!("tfplugin5");

    /// The services of go-plugin.
    pub mod plugin {
        tonic::include_proto!("plugin");
    }
}
