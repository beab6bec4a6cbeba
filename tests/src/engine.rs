//! A container engine: the running one, or a private Docker that is started and ended.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::environment::private;
use crate::ffmpeg;

/// Debian's packages of an engine, unpacked into the private folder.
const PACKAGES: [&str; 4] = ["docker.io", "containerd", "runc", "libdevmapper1.02.1"];

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    /// Its socket, as `DOCKER_HOST` takes it.
    pub host: String,
    /// The address of this machine that containers reach.
    pub gateway: String,
    /// A shared lock, held while the private engine is used.
    usage: Option<File>,
}

fn folder() -> PathBuf {
    private().join("engine")
}

/// The socket of a running engine other than the private one.
fn running() -> Option<PathBuf> {
    let set = std::env::var("DOCKER_HOST").ok();
    let set = set.as_deref().and_then(|host| host.strip_prefix("unix://")).map(PathBuf::from);
    let usual = PathBuf::from("/var/run/docker.sock");
    set.into_iter().chain([usual]).find(|socket| get(socket, "/_ping").is_ok())
}

fn socket() -> PathBuf {
    folder().join("docker.sock")
}

/// The lock that all users of the private engine share: the last one ends it.
fn usage() -> PathBuf {
    folder().join("usage.lock")
}

fn process_file() -> PathBuf {
    folder().join("state/pid")
}

impl Engine {
    /// Returns true if an engine runs already, or can be started without an install.
    pub fn installed() -> bool {
        running().is_some() || folder().join("root/usr/sbin/dockerd").exists()
    }

    /// Unpacks a private Docker from Debian's packages.
    pub fn install() -> Result<(), String> {
        let folder = folder();
        let packages = folder.join("packages");
        fs::create_dir_all(&packages).map_err(|error| error.to_string())?;
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(&packages).output();
            let output = output.map_err(|error| format!("`{program}` cannot be run: {error}"))?;
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(()) } else { Err(format!("`{program}` failed: {}", text.trim())) }
        };
        let download: Vec<&str> = ["download", "-q"].into_iter().chain(PACKAGES).collect();
        if run("apt-get", &download).is_err() {
            // A fresh machine has no lists of packages.
            run("apt-get", &["update", "-q"])?;
            run("apt-get", &download)?;
        }
        let root = folder.join("root");
        for package in fs::read_dir(&packages).map_err(|error| error.to_string())? {
            let package = package.map_err(|error| error.to_string())?.path();
            run("dpkg", &["-x", &package.display().to_string(), &root.display().to_string()])?;
        }
        fs::remove_dir_all(&packages).map_err(|error| error.to_string())
    }

    /// Returns the running engine, or starts the private one, which exists once; its log goes to a file.
    pub fn start(log: &Path) -> io::Result<Self> {
        if let Some(socket) = running() {
            return Self::at(&socket, None);
        }
        let usage = File::create(usage())?;
        usage.lock_shared()?;
        let starting = File::create(folder().join("starting.lock"))?;
        starting.lock()?;
        if get(&socket(), "/_ping").is_err() {
            Self::start_private(log)?;
        }
        Self::at(&socket(), Some(usage))
    }

    fn start_private(log: &Path) -> io::Result<()> {
        let (folder, socket) = (folder(), socket());
        let state = folder.join("state");
        let config = json!({
            "data-root": state.join("data"),
            "exec-root": state.join("exec"),
            "pidfile": process_file(),
            "hosts": [format!("unix://{}", socket.display())],
            // Containers reach this machine and nothing else: no firewall rules are changed.
            "iptables": false,
            "ip6tables": false,
            "ip-masq": false,
            "userland-proxy": false,
            "bip": "172.31.253.1/24",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
        });
        fs::create_dir_all(&state)?;
        let file = folder.join("daemon.json");
        fs::write(&file, config.to_string())?;
        let root = folder.join("root");
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{0}/usr/sbin:{0}/usr/bin:{path}", root.display());
        let log_file = File::create(log)?;
        let mut process = Command::new(root.join("usr/sbin/dockerd"))
            .arg("--config-file")
            .arg(file)
            .env("PATH", path)
            .env("LD_LIBRARY_PATH", root.join("lib/x86_64-linux-gnu"))
            // Ctrl-C ends this process, but others use the engine too.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()?;
        let start = Instant::now();
        while get(&socket, "/_ping").is_err() {
            if let Some(status) = process.try_wait()? {
                let why = format!("the container engine ended with {status}; see {}", log.display());
                return Err(io::Error::other(why));
            }
            if start.elapsed() > Duration::from_secs(60) {
                let _ = process.kill();
                let why = format!("the container engine does not answer; see {}", log.display());
                return Err(io::Error::other(why));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn at(socket: &Path, usage: Option<File>) -> io::Result<Self> {
        let network: Json = serde_json::from_str(&get(socket, "/networks/bridge")?)?;
        let gateway = network["IPAM"]["Config"][0]["Gateway"].as_str().unwrap_or("172.17.0.1").to_owned();
        Ok(Self { host: format!("unix://{}", socket.display()), gateway, usage })
    }

    /// The base image of containers, for machines that reach no registry.
    pub const BASE_IMAGE: &str = "tandem-base:7.0.2-tmp";

    /// Creates the base image of a static ffmpeg and an empty `/tmp`, unless it exists. (On AWS a volume is
    /// mounted at `/tmp`; the emulator mounts none.)
    pub fn base_image(&self) -> io::Result<()> {
        self.image(Self::BASE_IMAGE, &[("/ffmpeg", &ffmpeg::binary())])
    }

    /// Gives the base image the name of a public image, unless an image has that name. Only the private engine
    /// needs this, because it reaches no registry.
    pub fn stand_in(&self, name: &str) -> io::Result<()> {
        if self.usage.is_none() {
            return Ok(());
        }
        self.image(name, &[("/ffmpeg", &ffmpeg::binary())])
    }

    /// Creates an image of files, unless it exists.
    fn image(&self, name: &str, files: &[(&str, &Path)]) -> io::Result<()> {
        let socket = PathBuf::from(self.host.trim_start_matches("unix://"));
        if get(&socket, &format!("/images/{name}/json")).is_ok() {
            return Ok(());
        }
        let mut archive = tar::Builder::new(Vec::new());
        let mut folder = tar::Header::new_gnu();
        folder.set_entry_type(tar::EntryType::Directory);
        folder.set_mode(0o1777);
        folder.set_size(0);
        archive.append_data(&mut folder, "tmp/", io::empty())?;
        for (path, file) in files {
            let content = fs::read(file)?;
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path.trim_start_matches('/'), &content[..])?;
        }
        let archive = archive.into_inner()?;
        let (name, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let path = format!("/images/create?fromSrc=-&repo={name}&tag={tag}");
        request(&socket, "POST", &path, &archive).map(|_| ())
    }

    /// A shell command that ends the private engine when no process uses it any more.
    pub fn end_command() -> String {
        let (usage, process) = (usage(), process_file());
        // The lock is held until the engine has ended: the next user starts it again.
        format!("flock -n -x '{}' sh -c '{END}' \"$(cat '{}')\"", usage.display(), process.display())
    }
}

/// A shell command that ends the process `$0`, and waits for it. A zombie has ended, too: the process that
/// started the engine may be waiting for this command.
const END: &str =
    r#"kill $0 && while grep -qs "^State:[[:space:]]*[^ZX[:space:]]" /proc/$0/status; do sleep 0.1; done"#;

impl Drop for Engine {
    fn drop(&mut self) {
        if self.usage.take().is_some() {
            let mut end = Command::new("sh");
            let _ = end.args(["-c", &Self::end_command()]).stderr(Stdio::null()).status();
        }
    }
}

fn get(socket: &Path, path: &str) -> io::Result<String> {
    request(socket, "GET", path, &[])
}

/// Sends a request to the engine; an error unless the response reports success.
fn request(socket: &Path, method: &str, path: &str, body: &[u8]) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let good = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
    if good && !body.contains("\"errorDetail\"") {
        Ok(body.to_owned())
    } else {
        Err(io::Error::other(format!("{method} {path}: {head}\n{body}")))
    }
}

/// Forwards a port of `gateway` to the same port on loopback, so that containers reach the emulator.
/// MiniStack gives this address to the containers that it starts.
pub fn let_containers_reach(endpoint: &str, gateway: &str) -> io::Result<String> {
    let upstream = endpoint.trim_start_matches("http://").to_owned();
    let port = upstream.rsplit(':').next().and_then(|port| port.parse().ok());
    let port: u16 = port.ok_or_else(|| io::Error::other(format!("{endpoint} names no port")))?;
    let listener = TcpListener::bind((gateway, port))?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let upstream = upstream.clone();
            std::thread::spawn(move || {
                let Ok(other) = TcpStream::connect(upstream) else { return };
                let (Ok(from), Ok(to)) = (stream.try_clone(), other.try_clone()) else { return };
                let back = std::thread::spawn(move || hand_on(&other, &stream));
                hand_on(&from, &to);
                let _ = back.join();
            });
        }
    });
    Ok(address)
}

fn hand_on(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_does_not_wait_for_whoever_started_the_process() {
        let mut process = Command::new("sleep").arg("1000").spawn().expect("sleep");
        // No process reads its status meanwhile: it stays as a zombie.
        let end = Command::new("timeout").args(["20", "sh", "-c", END, &process.id().to_string()]).status();
        assert!(end.expect("timeout").success());
        process.wait().expect("its status");
    }
}
