//! Builds container images and pushes them, with Docker or podman, through the Docker Engine API.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::query_parameters::{BuildImageOptions, PushImageOptions, RemoveImageOptions, TagImageOptions};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, info};

use crate::build_context::Files;
use crate::composite::random_text;

/// Builds images and pushes them.
#[async_trait]
pub trait ContainerEngine: Send + Sync {
    /// Builds an image and pushes it to a repository; the tag was planned from what the context held then.
    async fn build_and_push(
        &self,
        recipe: &Recipe,
        repository: &str,
        tag: &str,
        login: &Login,
    ) -> Result<(), Failed>;
}

/// Docker or podman: the one that the environment names, or one that runs where engines usually do.
pub(crate) struct Local;

#[async_trait]
impl ContainerEngine for Local {
    async fn build_and_push(
        &self,
        recipe: &Recipe,
        repository: &str,
        tag: &str,
        login: &Login,
    ) -> Result<(), Failed> {
        build_and_push(recipe, repository, tag, login).await
    }
}

/// How an image is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    context: String,
    dockerfile: String,
    args: BTreeMap<String, String>,
    target: String,
    architecture: String,
    rebuild: String,
}

impl Recipe {
    /// From the field of an image that says how to make it.
    pub(crate) fn read(json: &Json) -> Self {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let args = json["args"].as_object().into_iter().flatten();
        let args = args.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        Self {
            context: text("context"),
            dockerfile: text("dockerfile"),
            args: args.collect(),
            target: text("target"),
            architecture: text("architecture"),
            rebuild: text("rebuild"),
        }
    }
}

/// Who pushes.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or a token in its place.
    pub password: String,
}

/// What went wrong, and while doing what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// While doing what.
    pub doing: &'static str,
    /// What went wrong.
    pub message: String,
}

/// Lines of the engine's output that an error shows.
const LINES: usize = 20;

async fn build_and_push(recipe: &Recipe, repository: &str, tag: &str, login: &Login) -> Result<(), Failed> {
    let files =
        files(recipe).await.map_err(|message| Failed { doing: "reading the build context", message })?;
    let hash = files.hash().map_err(|error| Failed {
        doing: "reading the build context",
        message: format!("`{}` cannot be read: {error}", recipe.context),
    })?;
    check_unchanged(recipe, &hash, tag)?;
    let engine = connect().await?;
    // Another may build the same at this moment, here or in another process.
    let mine = random_text();
    let local = format!("tandem-build:{mine}");
    info!(context = recipe.context, tag, "building");
    build(&engine, recipe, files, &mine, &local).await?;
    let pushed = push(&engine, &local, repository, tag, login).await;
    for name in [local, format!("{repository}:{tag}")] {
        // The layers stay in the engine's cache as long as the engine keeps them.
        let options = RemoveImageOptions { noprune: true, ..RemoveImageOptions::default() };
        let _ = engine.remove_image(&name, Some(options), None).await;
    }
    pushed
}

/// The files of a context, off the threads that answer calls.
async fn files(recipe: &Recipe) -> Result<Files, String> {
    let (context, dockerfile) = (recipe.context.clone(), recipe.dockerfile.clone());
    let found = tokio::task::spawn_blocking(move || Files::of(&context, &dockerfile)).await;
    found.map_err(|error| error.to_string())?.map_err(|error| format!("`{}` {error}", recipe.context))
}

/// The tag was planned from what the context held then.
fn check_unchanged(recipe: &Recipe, hash: &str, tag: &str) -> Result<(), Failed> {
    use tandem_model::scalar::Scalar;
    let text = |text: &String| (!text.is_empty()).then(|| Scalar::Known(text.clone()));
    let args = recipe.args.iter().map(|(name, value)| (name.clone(), Scalar::Known(value.clone())));
    let args = Scalar::Known(args.collect::<BTreeMap<_, _>>());
    let args = (!recipe.args.is_empty()).then_some(&args);
    let (target, rebuild) = (text(&recipe.target), text(&recipe.rebuild));
    let now = tandem_model::image::tag(hash, args, target.as_ref(), &recipe.architecture, rebuild.as_ref());
    if now.as_deref() == Some(tag) {
        return Ok(());
    }
    Err(Failed {
        doing: "reading the build context",
        message: format!("`{}` changed between plan and apply; plan and apply again", recipe.context),
    })
}

/// The engine that the environment names, or one that runs where engines usually do.
async fn connect() -> Result<Docker, Failed> {
    let candidates = match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => vec![host],
        _ => {
            let runtime = std::env::var("XDG_RUNTIME_DIR").unwrap_or_default();
            let sockets = [
                "/var/run/docker.sock".to_owned(),
                format!("{runtime}/podman/podman.sock"),
                "/run/podman/podman.sock".to_owned(),
            ];
            let present = sockets.into_iter().filter(|socket| Path::new(socket).exists());
            present.map(|socket| format!("unix://{socket}")).collect()
        }
    };
    let mut tried = Vec::new();
    for host in candidates {
        let ping = async {
            let engine = Docker::connect_with_host(&host)?.with_timeout(Duration::from_secs(15 * 60));
            engine.negotiate_version().await
        };
        match tokio::time::timeout(Duration::from_secs(10), ping).await {
            Ok(Ok(engine)) => {
                debug!(host, "container engine");
                return Ok(engine);
            }
            Ok(Err(error)) => tried.push(format!("{host}: {error}")),
            Err(_) => tried.push(format!("{host}: no answer within 10 s")),
        }
    }
    let tried = if tried.is_empty() { "none runs here".to_owned() } else { tried.join("; ") };
    Err(Failed {
        doing: "looking for a container engine",
        message: format!(
            "an image is built with Docker or podman, and {tried}. Start Docker (on Debian `apt-get install \
             docker.io`, then `systemctl start docker`), or `podman system service --time=0`, or set DOCKER_HOST; \
             or give `image`, with an image that is built elsewhere"
        ),
    })
}

async fn build(engine: &Docker, recipe: &Recipe, files: Files, mine: &str, name: &str) -> Result<(), Failed> {
    const DOING: &str = "building the image";
    let mut options = BuildImageOptions {
        dockerfile: recipe.dockerfile.clone(),
        t: Some(name.to_owned()),
        // An engine gives the same last layer to all who build the same, and it would go with the first of
        // them that removes its image.
        labels: Some(HashMap::from([("tandem.build".to_owned(), mine.to_owned())])),
        buildargs: Some(recipe.args.clone().into_iter().collect::<HashMap<_, _>>()),
        target: recipe.target.clone(),
        nocache: !recipe.rebuild.is_empty(),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    };
    let wanted = if recipe.architecture == "arm64" { "arm64" } else { "amd64" };
    let own = engine.version().await.ok().and_then(|version| version.arch);
    if own.as_deref() != Some(wanted) {
        options.platform = format!("linux/{wanted}");
    }
    let (sender, receiver) = mpsc::channel(8);
    let sending = tokio::task::spawn_blocking(move || {
        files.archive(io::BufWriter::with_capacity(1 << 16, Chunks(sender)))
    });
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut step = String::new();
    let mut failure = None;
    let body = body_try_stream(ReceiverStream::new(receiver));
    let mut answers = std::pin::pin!(engine.build_image(options, None, Some(body)));
    while let Some(answer) = answers.next().await {
        let (text, error) = match answer {
            Ok(info) => (info.stream, info.error_detail.and_then(|detail| detail.message)),
            Err(error) => (None, Some(words(&error))),
        };
        for line in text.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty()) {
            debug!("{line}");
            if line.starts_with("Step ") || line.starts_with("STEP ") {
                line.clone_into(&mut step);
            }
            lines.push_back(line.to_owned());
            if lines.len() > LINES {
                lines.pop_front();
            }
        }
        failure = failure.or(error);
    }
    let Some(error) = failure else { return Ok(()) };
    sending.abort();
    let at = if step.is_empty() { String::new() } else { format!(", at `{step}`") };
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
    let message = format!(
        "`{}` could not be built{at}: {error}\n\nThe engine's last lines:\n{}",
        recipe.context,
        lines.join("\n")
    );
    Err(Failed { doing: DOING, message })
}

async fn push(
    engine: &Docker,
    local: &str,
    repository: &str,
    tag: &str,
    login: &Login,
) -> Result<(), Failed> {
    let failed = |error: String| Failed {
        doing: "pushing the image",
        message: format!(
            "the registry did not take `{repository}:{tag}`: {error}. Check that the credentials may push \
             (ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage, \
             ecr:BatchCheckLayerAvailability), and that the engine reaches the registry"
        ),
    };
    let options = TagImageOptions { repo: Some(repository.to_owned()), tag: Some(tag.to_owned()) };
    engine.tag_image(local, Some(options)).await.map_err(|error| failed(words(&error)))?;
    let credentials = DockerCredentials {
        username: Some(login.user.clone()),
        password: Some(login.password.clone()),
        serveraddress: repository.split('/').next().map(ToOwned::to_owned),
        ..DockerCredentials::default()
    };
    info!(repository, tag, "pushing");
    let options = PushImageOptions { tag: Some(tag.to_owned()), ..PushImageOptions::default() };
    let mut answers = std::pin::pin!(engine.push_image(repository, Some(options), Some(credentials)));
    while let Some(answer) = answers.next().await {
        let info = answer.map_err(|error| failed(words(&error)))?;
        if let Some(error) = info.error_detail.and_then(|detail| detail.message) {
            return Err(failed(error));
        }
    }
    Ok(())
}

/// The engine's own words, without the library's around them.
fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

/// Sends what is written in pieces, as fast as the other side takes them.
struct Chunks(mpsc::Sender<io::Result<Bytes>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::other("the engine hung up");
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
