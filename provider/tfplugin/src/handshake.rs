//! go-plugin's handshake: the environment variables that Terraform sets, and the line that it waits for.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The version of the plugin protocol.
pub(crate) const PROTOCOL: u32 = 5;

const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The settings that Terraform passes in environment variables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) client_certificate: Option<String>,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) multiplex: Option<bool>,
    pub(crate) socket_directory: Option<PathBuf>,
    pub(crate) socket_group: Option<String>,
}

/// The reason for which a handshake cannot start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Started by a person, not by Terraform.
    NotTerraform,
    /// Terraform offers only these versions of the protocol.
    Versions(String),
}

/// Reads the environment through `get`.
pub(crate) fn environment(get: impl Fn(&str) -> Option<String>) -> Result<Environment, Refusal> {
    if get(COOKIE_NAME).as_deref() != Some(COOKIE) {
        return Err(Refusal::NotTerraform);
    }
    let given = |name: &str| get(name).filter(|value| !value.is_empty());
    if let Some(versions) = given("PLUGIN_PROTOCOL_VERSIONS") {
        let mut offered = versions.split(',').filter_map(|version| version.trim().parse().ok());
        if !offered.any(|version: u32| version == PROTOCOL) {
            return Err(Refusal::Versions(versions));
        }
    }
    let port = |name: &str| given(name).and_then(|value| value.parse().ok());
    Ok(Environment {
        client_certificate: given("PLUGIN_CLIENT_CERT"),
        ports: port("PLUGIN_MIN_PORT").zip(port("PLUGIN_MAX_PORT")),
        multiplex: given("PLUGIN_MULTIPLEX_GRPC").and_then(|value| value.parse().ok()),
        socket_directory: given("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
        socket_group: given("PLUGIN_UNIX_SOCKET_GROUP"),
    })
}

/// The one line on stdout that Terraform reads.
pub(crate) fn line(
    network: &str,
    address: &str,
    certificate: Option<&[u8]>,
    multiplex: Option<bool>,
) -> String {
    let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    let mut line = format!("1|{PROTOCOL}|{network}|{address}|grpc|{certificate}");
    // Only a client that sets the variable supports this field. Multiplexing is never offered.
    if multiplex.is_some() {
        line.push_str("|false");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Environment, Refusal> {
        environment(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    #[test]
    fn the_environment_is_read() {
        assert_eq!(read(&[]), Err(Refusal::NotTerraform));
        let cookie = (COOKIE_NAME, COOKIE);
        assert_eq!(read(&[cookie, ("PLUGIN_PROTOCOL_VERSIONS", "6")]), Err(Refusal::Versions("6".into())));
        let full = read(&[
            cookie,
            ("PLUGIN_PROTOCOL_VERSIONS", "5,6"),
            ("PLUGIN_MIN_PORT", "10000"),
            ("PLUGIN_MAX_PORT", "25000"),
            ("PLUGIN_CLIENT_CERT", "pem"),
            ("PLUGIN_MULTIPLEX_GRPC", "true"),
        ])
        .unwrap();
        assert_eq!(full.ports, Some((10000, 25000)));
        assert_eq!(full.client_certificate.as_deref(), Some("pem"));
        assert_eq!(full.multiplex, Some(true));
    }

    #[test]
    fn the_line_has_go_plugins_form() {
        assert_eq!(line("unix", "/s", Some(b"abcd"), None), "1|5|unix|/s|grpc|YWJjZA");
        assert_eq!(line("tcp", "127.0.0.1:1", None, Some(true)), "1|5|tcp|127.0.0.1:1|grpc||false");
    }
}
