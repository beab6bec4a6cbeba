//! The life cycle of a provider process: handshake, connections and shutdown.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, Router};
use tracing::{debug, info, warn};

use crate::handshake::{self, Environment, Refusal};
use crate::panics;
use crate::proto::plugin::{
    grpc_broker_server::GrpcBrokerServer, grpc_controller_server::GrpcControllerServer,
    grpc_stdio_server::GrpcStdioServer,
};
use crate::proto::provider_server::ProviderServer;
use crate::provider::Provider;
use crate::rpc::Server;
use crate::services::{Broker, Controller, Stdio};
use crate::tls;

/// The largest message, in bytes. A configuration with large files exceeds tonic's default of 4 MiB.
pub(crate) const MAX_MESSAGE: usize = 256 << 20;

/// Time limit of the TLS handshake: a client that sends nothing is disconnected.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time for operations in progress after Terraform has ended.
const WIND_UP: Duration = Duration::from_secs(300);

/// The process ends after this time if no client connects.
const UNUSED: Duration = Duration::from_secs(60);

/// Time for Terraform to read the response to its Shutdown request and disconnect.
const FAREWELL: Duration = Duration::from_millis(50);

/// Pause after a failed accept, e.g. with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The identity of the provider, and its commands.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The source address without a host: `namespace/type`.
    pub source: &'static str,
    /// The provider's version.
    pub version: &'static str,
    /// Commands of the program for `--help`: first argument and description. The caller of [`serve`] runs
    /// them itself, before the call.
    pub commands: &'static [(&'static str, &'static str)],
}

/// Serves a provider until Terraform ends the session. Call it from `main`, with the arguments of the process
/// without the program name.
pub async fn serve(provider: impl Provider, options: Options, arguments: &[String]) -> ExitCode {
    let name = options.source.rsplit('/').next().unwrap_or(options.source);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["--debug" | "-debug"] => return finish(debug_session(provider, options).await),
        ["--version" | "-V"] => {
            say(&mut io::stdout(), &format!("terraform-provider-{name} {}", options.version));
            return ExitCode::SUCCESS;
        }
        ["--help" | "-h"] => {
            say(&mut io::stdout(), &help(name, options));
            return ExitCode::SUCCESS;
        }
        _ => {
            say(&mut io::stderr(), &format!("error: unexpected arguments: {}\n", arguments.join(" ")));
            say(&mut io::stderr(), &help(name, options));
            return ExitCode::from(2);
        }
    }
    match handshake::environment(|name| std::env::var(name).ok()) {
        Ok(environment) => finish(plugin_session(provider, &environment).await),
        Err(Refusal::NotTerraform) => {
            say(
                &mut io::stderr(),
                if options.commands.is_empty() {
                    "This is a Terraform provider: Terraform starts it. Without Terraform it does nothing.\n"
                } else {
                    "This is a Terraform provider: Terraform starts it. Without Terraform it runs only the \
                     commands below.\n"
                },
            );
            say(&mut io::stderr(), &help(name, options));
            ExitCode::FAILURE
        }
        Err(Refusal::Versions(versions)) => {
            let message = format!(
                "This provider requires plugin protocol {}, but Terraform offers only {versions}. \
                 Use Terraform 1.11 or later.",
                handshake::PROTOCOL
            );
            say(&mut io::stderr(), &message);
            ExitCode::FAILURE
        }
    }
}

fn help(name: &str, options: Options) -> String {
    let mut commands = String::new();
    if !options.commands.is_empty() {
        let width = options.commands.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        let lines = options.commands.iter().map(|(command, text)| format!("  {command:width$}  {text}\n"));
        commands = format!("Commands:\n{}\n", lines.collect::<String>());
    }
    format!(
        "terraform-provider-{name} {version}

Use it from a Terraform configuration:

  terraform {{
    required_providers {{
      {name} = {{ source = \"{source}\" }}
    }}
  }}

{commands}Options:
  --debug    Serve until Ctrl-C for debuggers and tests. Print the value of
             TF_REATTACH_PROVIDERS with which Terraform uses this process
  --version  Print the version
  --help     Print this help",
        version = options.version,
        source = options.source,
    )
}

/// Prints a line, and ignores a closed pipe.
fn say(out: &mut dyn Write, text: &str) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn finish(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut io::stderr(), &format!("error: the provider cannot serve: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn plugin_session(
    provider: impl Provider,
    environment: &Environment,
) -> Result<(), Box<dyn std::error::Error>> {
    panics::install_hook();
    // Ctrl-C reaches the whole process group. Ignore it here: Terraform sends a Stop request.
    #[cfg(unix)]
    let _ignored = interrupts()?;

    let identity = environment.client_certificate.as_deref().map(tls::identity).transpose()?;
    let listener = Listener::bind(environment).await?;
    let (network, address) = listener.address()?;
    let certificate = identity.as_ref().map(|identity| identity.certificate.as_ref());
    let line = handshake::line(network, &address, certificate, environment.multiplex);

    let open = Open::new(watch::channel(false).0);
    let acceptor = identity.map(|identity| TlsAcceptor::from(identity.config));
    let connections = accept(&listener, acceptor, Some(&open));
    say(&mut io::stdout(), &line);
    debug!(network, address, "listening");
    let ended = open.ended.clone();
    run(Server::new(provider), connections, ended, open.all_closed()).await
}

async fn debug_session(provider: impl Provider, options: Options) -> Result<(), Box<dyn std::error::Error>> {
    panics::install_hook();
    let listener = Listener::bind(&Environment::default()).await?;
    let (network, address) = listener.address()?;
    let entry = serde_json::json!({
        "Protocol": "grpc",
        "ProtocolVersion": handshake::PROTOCOL,
        "Pid": std::process::id(),
        "Test": true,
        "Addr": { "Network": network, "String": address },
    });
    let hosts = ["registry.terraform.io", "registry.opentofu.org"];
    let reattach: serde_json::Map<_, _> =
        hosts.iter().map(|host| (format!("{host}/{}", options.source), entry.clone())).collect();
    let reattach = serde_json::Value::Object(reattach);
    // Install the handler before the message is printed: an early Ctrl-C would be lost or kill the process.
    let mut interrupts = interrupts()?;
    say(
        &mut io::stdout(),
        &format!(
            "Serving. In another shell, run:\n\n\texport TF_REATTACH_PROVIDERS='{reattach}'\n\nPress Ctrl-C to stop."
        ),
    );
    let ended = watch::channel(false).0;
    let interrupted = ended.clone();
    tokio::spawn(async move {
        interrupts.recv().await;
        interrupted.send_replace(true);
    });
    let connections = accept(&listener, None, None);
    run(Server::new(provider), connections, ended, std::future::ready(())).await
}

/// Receives interrupts from now on. They no longer end the process.
#[cfg(unix)]
fn interrupts() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

/// Receives interrupts from now on. They no longer end the process.
#[cfg(windows)]
fn interrupts() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

type Connections = ReceiverStream<io::Result<Connection>>;

async fn run(
    server: Server,
    connections: Connections,
    ended: watch::Sender<bool>,
    all_closed: impl Future<Output = ()>,
) -> Result<(), Box<dyn std::error::Error>> {
    let router = router(server.clone(), ended.clone()).await;
    let mut end = ended.subscribe();
    let served = router.serve_with_incoming(connections);
    let farewell = async {
        let _ = end.wait_for(|ended| *ended).await;
        let _ = tokio::time::timeout(FAREWELL, all_closed).await;
    };
    tokio::select! {
        served = served => served?,
        () = farewell => {}
    }
    // If Terraform was killed during an apply, let the operations in progress finish.
    if tokio::time::timeout(WIND_UP, server.wind_up()).await.is_err() {
        warn!("operations are still in progress after {} s and are cancelled", WIND_UP.as_secs());
    }
    info!("ended");
    Ok(())
}

/// The services of a provider process.
pub(crate) async fn router(server: Server, ended: watch::Sender<bool>) -> Router {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("plugin", tonic_health::ServingStatus::Serving).await;
    let provider = ProviderServer::new(server)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    tonic::transport::Server::builder()
        .add_service(health_service)
        .add_service(GrpcControllerServer::new(Controller(ended)))
        .add_service(GrpcStdioServer::new(Stdio))
        .add_service(GrpcBrokerServer::new(Broker))
        .add_service(provider)
}

/// A listening socket, and the private directory of a Unix socket.
enum Listener {
    #[cfg(unix)]
    Unix(Arc<UnixListener>, PathBuf, #[allow(dead_code, reason = "removed when dropped")] TempDir),
    Tcp(Arc<TcpListener>),
}

impl Listener {
    async fn bind(environment: &Environment) -> io::Result<Self> {
        #[cfg(unix)]
        if !cfg!(windows) {
            return Self::bind_unix(environment);
        }
        Self::bind_tcp(environment.ports.unwrap_or((0, 0))).await
    }

    #[cfg(unix)]
    fn bind_unix(environment: &Environment) -> io::Result<Self> {
        use std::os::unix::fs::{PermissionsExt, chown};
        let mut builder = tempfile::Builder::new();
        builder.prefix("plugin").permissions(std::fs::Permissions::from_mode(0o700));
        let directory = match &environment.socket_directory {
            Some(parent) => builder.tempdir_in(parent)?,
            None => builder.tempdir()?,
        };
        let path = directory.path().join("provider.sock");
        let listener = UnixListener::bind(&path)?;
        if let Some(group) = &environment.socket_group {
            let group = group_id(group)?;
            for (path, mode) in [(directory.path(), 0o750), (&*path, 0o660)] {
                chown(path, None, Some(group))?;
                std::fs::set_permissions(path, PermissionsExt::from_mode(mode))?;
            }
        }
        Ok(Self::Unix(Arc::new(listener), path, directory))
    }

    async fn bind_tcp((first, last): (u16, u16)) -> io::Result<Self> {
        let mut result = Err(io::Error::other("no port to listen on"));
        for port in first..=last {
            result = TcpListener::bind(("127.0.0.1", port)).await;
            if result.is_ok() {
                break;
            }
        }
        Ok(Self::Tcp(Arc::new(result?)))
    }

    fn address(&self) -> io::Result<(&'static str, String)> {
        match self {
            #[cfg(unix)]
            Self::Unix(_, path, _) => Ok(("unix", path.display().to_string())),
            Self::Tcp(listener) => Ok(("tcp", listener.local_addr()?.to_string())),
        }
    }
}

/// The id of a group, by number or by its name in `/etc/group`.
#[cfg(unix)]
fn group_id(group: &str) -> io::Result<u32> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = std::fs::read_to_string("/etc/group")?;
    let mut entries = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entries.find(|entry| entry[0] == group);
    let id = entry.and_then(|entry| entry.get(2)?.parse().ok());
    id.ok_or_else(|| {
        io::Error::other(format!("the group in PLUGIN_UNIX_SOCKET_GROUP does not exist: {group}"))
    })
}

/// Accepts connections without end. With `open`, the process ends after its last connection: Terraform sends
/// no Shutdown request if it is killed with SIGKILL.
fn accept(listener: &Listener, tls: Option<TlsAcceptor>, open: Option<&Open>) -> Connections {
    let (sender, receiver) = mpsc::channel(16);
    let open = open.cloned();
    if let Some(open) = open.clone() {
        tokio::spawn(async move {
            tokio::time::sleep(UNUSED).await;
            open.end_if_unused();
        });
    }
    match listener {
        #[cfg(unix)]
        Listener::Unix(listener, ..) => {
            let listener = listener.clone();
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => admit(stream, tls.clone(), open.clone(), sender.clone()),
                        Err(error) => refused(&error).await,
                    }
                }
            });
        }
        Listener::Tcp(listener) => {
            let listener = listener.clone();
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => admit(stream, tls.clone(), open.clone(), sender.clone()),
                        Err(error) => refused(&error).await,
                    }
                }
            });
        }
    }
    ReceiverStream::new(receiver)
}

async fn refused(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Runs the TLS handshake in a task of its own, so that a silent client does not block other clients.
fn admit<S>(
    stream: S,
    tls: Option<TlsAcceptor>,
    open: Option<Open>,
    sender: mpsc::Sender<io::Result<Connection>>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    tokio::spawn(async move {
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(acceptor) => match tokio::time::timeout(TLS_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => Box::new(stream),
                Ok(Err(error)) => return warn!(%error, "refused a connection"),
                Err(_) => return warn!("refused a connection that did not complete its handshake"),
            },
        };
        let guard = open.map(Open::enter);
        let _ = sender.send(Ok(Connection { stream, _guard: guard })).await;
    });
}

/// The number of open connections, and the sender that ends the process after the last one.
#[derive(Clone)]
struct Open {
    count: watch::Sender<usize>,
    ended: watch::Sender<bool>,
}

impl Open {
    fn new(ended: watch::Sender<bool>) -> Self {
        Self { count: watch::channel(0).0, ended }
    }

    /// Ends the process if no connection is open.
    fn end_if_unused(&self) {
        if *self.count.borrow() == 0 {
            debug!("no client connected");
            self.ended.send_replace(true);
        }
    }

    fn enter(self) -> OpenGuard {
        self.count.send_modify(|count| *count += 1);
        OpenGuard(self)
    }

    fn all_closed(&self) -> impl Future<Output = ()> + use<> {
        let mut count = self.count.subscribe();
        async move {
            let _ = count.wait_for(|count| *count == 0).await;
        }
    }
}

struct OpenGuard(Open);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
        if *self.0.count.borrow() == 0 {
            debug!("the last connection was closed");
            self.0.ended.send_replace(true);
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An admitted connection.
struct Connection {
    stream: Box<dyn Stream>,
    _guard: Option<OpenGuard>,
}

impl Connected for Connection {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;
    use crate::provider::ConfigureRequest;
    use crate::schema::Schema;

    #[tokio::test]
    async fn tcp_takes_the_first_free_port_of_the_range() {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = first.local_addr().unwrap().port();
        let listener = Listener::bind_tcp((taken, taken.saturating_add(50))).await.unwrap();
        let (network, address) = listener.address().unwrap();
        assert_eq!(network, "tcp");
        assert_ne!(address, first.local_addr().unwrap().to_string());
        assert!(Listener::bind_tcp((taken, taken)).await.is_err());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_socket_is_private_and_removed() {
        use std::os::unix::fs::PermissionsExt;
        let listener = Listener::bind(&Environment::default()).await.unwrap();
        let (_, address) = listener.address().unwrap();
        let directory = PathBuf::from(&address).parent().unwrap().to_owned();
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(listener);
        assert!(!directory.exists());
    }

    struct Bare;

    #[async_trait::async_trait]
    impl Provider for Bare {
        fn schema(&self) -> Schema {
            Schema::default()
        }
        async fn configure(&self, _: ConfigureRequest) -> Vec<Diagnostic> {
            Vec::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_nobody_uses_ends() {
        let listener = Listener::bind(&Environment::default()).await.unwrap();
        let open = Open::new(watch::channel(false).0);
        let mut ended = open.ended.subscribe();
        let _connections = accept(&listener, None, Some(&open));
        let start = tokio::time::Instant::now();
        ended.wait_for(|ended| *ended).await.unwrap();
        assert!(start.elapsed() >= UNUSED);
    }

    #[tokio::test]
    async fn what_runs_is_told_to_stop_and_waited_for_when_the_client_is_gone() {
        let (ended, end) = watch::channel(false);
        let server = Server::new(Bare);
        let (started, begun) = tokio::sync::oneshot::channel();
        let (done, finished) = watch::channel(false);
        let token = server.stop_token();
        let work = server.run("ApplyResourceChange", "example", async move {
            let _ = started.send(());
            token.stopped().await;
            done.send_replace(true);
        });
        // The client disconnects during the call.
        tokio::select! {
            _ = work => panic!("the operation ended without a stop"),
            begun = begun => begun.unwrap(),
        }
        ended.send_replace(true);
        let (_sender, receiver) = mpsc::channel(1);
        run(server, ReceiverStream::new(receiver), ended, std::future::ready(())).await.unwrap();
        assert!(*finished.borrow());
        drop(end);
    }

    #[tokio::test]
    async fn go_plugins_services_answer() {
        use crate::proto::plugin::{
            Empty, grpc_broker_client::GrpcBrokerClient, grpc_controller_client::GrpcControllerClient,
            grpc_stdio_client::GrpcStdioClient,
        };
        use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
        let (ended, mut end) = watch::channel(false);
        let channel = crate::testing::channel_to(router(Server::new(Bare), ended).await).await;

        let request = HealthCheckRequest { service: "plugin".to_owned() };
        let health = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner();
        assert_eq!(health.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
        // Both streams must stay open: their end would send trailers before the response to Shutdown.
        let mut stdio = GrpcStdioClient::new(channel.clone()).stream_stdio(()).await.unwrap().into_inner();
        let mut broker = GrpcBrokerClient::new(channel.clone());
        let mut broker = broker.start_stream(tokio_stream::pending()).await.unwrap().into_inner();
        assert!(!*end.borrow());
        GrpcControllerClient::new(channel).shutdown(Empty {}).await.unwrap();
        end.wait_for(|ended| *ended).await.unwrap();
        tokio::select! {
            biased;
            message = stdio.message() => panic!("stdio: {message:?}"),
            message = broker.message() => panic!("broker: {message:?}"),
            () = std::future::ready(()) => {}
        }
    }
}
