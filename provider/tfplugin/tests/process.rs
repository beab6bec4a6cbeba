//! The life cycle of a provider process, tested with `examples/note.rs`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

fn example() -> Command {
    // The test is `target/debug/deps/process-HASH` and the example `target/debug/examples/note`.
    let deps = std::env::current_exe().unwrap();
    let binary: PathBuf = deps.parent().unwrap().parent().unwrap().join("examples/note");
    let mut command = Command::new(binary);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn ended(child: &mut Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    false
}

#[test]
fn a_person_who_starts_it_is_told_what_it_is() {
    let output = example().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("This is a Terraform provider"));
    let help = example().arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("required_providers"));
    assert!(example().arg("--version").output().unwrap().status.success());
    assert_eq!(example().arg("--nonsense").output().unwrap().status.code(), Some(2));
}

#[test]
fn another_protocol_is_refused_with_words() {
    let output = example().env(COOKIE.0, COOKIE.1).env("PLUGIN_PROTOCOL_VERSIONS", "6").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("plugin protocol 5"));
}

#[test]
fn it_survives_an_interrupt_and_ends_with_its_last_connection() {
    let mut child = example().env(COOKIE.0, COOKIE.1).env("PLUGIN_PROTOCOL_VERSIONS", "5,6").spawn().unwrap();
    let line = first_line(&mut child);
    let parts: Vec<&str> = line.split('|').collect();
    assert_eq!((parts[0], parts[1], parts[2], parts[4]), ("1", "5", "unix", "grpc"), "{line}");
    let socket = PathBuf::from(parts[3]);
    let connection = UnixStream::connect(&socket).unwrap();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    // The provider still responds after the interrupt, with the HTTP/2 settings frame.
    let mut byte = [0];
    (&connection).write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    (&connection).read_exact(&mut byte).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(connection);
    assert!(ended(&mut child), "the provider still runs after its client");
    assert!(!socket.exists(), "the socket was not removed");
}

#[test]
fn debug_prints_how_to_reattach_and_ends_on_interrupt() {
    let mut child = example().arg("--debug").spawn().unwrap();
    let mut text = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    while !text.contains("Ctrl-C") {
        assert_ne!(reader.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let json = text.split_once('\'').unwrap().1.split_once('\'').unwrap().0;
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    for host in ["registry.terraform.io", "registry.opentofu.org"] {
        let entry = &json[format!("{host}/example/example")];
        assert_eq!(entry["Pid"], child.id());
        assert_eq!(entry["Test"], true);
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(ended(&mut child), "the interrupt had no effect");
    assert!(child.wait().unwrap().success(), "the interrupt killed the process");
}

/// Sends bytes on a new connection. Returns the first byte of the response, or `None` if it was closed.
fn answer_on(socket: &PathBuf, said: &[u8]) -> Option<u8> {
    let mut connection = UnixStream::connect(socket).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(said).unwrap();
    let mut byte = [0];
    // The provider may reset a rejected connection.
    let length = connection.read(&mut byte).or_else(|error| match error.kind() {
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => Ok(0),
        _ => Err(error),
    });
    (length.unwrap() > 0).then_some(byte[0])
}

#[test]
fn with_a_certificate_announced_nothing_but_tls_is_spoken() {
    const ALERT: u8 = 0x15;
    let certificate = include_str!("p521.pem");
    let mut child = example().env(COOKIE.0, COOKIE.1).env("PLUGIN_CLIENT_CERT", certificate).spawn().unwrap();
    let line = first_line(&mut child);
    let parts: Vec<&str> = line.split('|').collect();
    assert!(parts.len() == 6 && !parts[5].is_empty(), "no certificate: {line}");
    let socket = PathBuf::from(parts[3]);
    // Among them: a TLS record without a handshake, and one with a length above the limit.
    let said: [&[u8]; 5] = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"\x16\x03\x01\x00\x04\xff\xff\xff\xff",
        b"\x16\x03\x01\xff\xff",
        b"\x17\x03\x03\x00\x01\x00",
        &[0xff; 100],
    ];
    for said in said {
        let answer = answer_on(&socket, said);
        assert!(matches!(answer, None | Some(ALERT)), "the response to {said:?} is {answer:?}");
        assert!(child.try_wait().unwrap().is_none(), "{said:?} ended the provider");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let _ = std::fs::remove_dir_all(socket.parent().unwrap());
}

#[test]
fn what_is_no_certificate_ends_it_and_nothing_is_served() {
    for certificate in ["hello", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let output =
            example().env(COOKIE.0, COOKIE.1).env("PLUGIN_CLIENT_CERT", certificate).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stderr).contains("PLUGIN_CLIENT_CERT"));
    }
}
