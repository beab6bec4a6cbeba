//! Builds container images and pushes them, with Docker or podman, through the Docker Engine API.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::query_parameters::{BuildImageOptions, PushImageOptions, RemoveImageOptions, TagImageOptions};
use futures_util::StreamExt;
use serde_json::Value as Json;
use tempfile::NamedTempFile;
use tokio_util::io::ReaderStream;
use tracing::{debug, info};

use crate::build_context::Files;
use crate::random;

/// Builds images and pushes them.
#[async_trait]
pub trait ContainerEngine: Send + Sync {
    /// Builds an image and pushes it to a repository. `tag` contains the hash of the build context at plan.
    async fn build_and_push(
        &self,
        recipe: &Recipe,
        repository: &str,
        tag: &str,
        login: &Login,
    ) -> Result<(), Failed>;
}

/// Docker or podman: the engine at `DOCKER_HOST`, otherwise the first that answers at a usual socket.
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
    /// Reads the `build` field of an image.
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

/// Credentials for the registry.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password or a token.
    pub password: String,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The step, e.g. `building the image`.
    pub doing: &'static str,
    /// The cause and an instruction.
    pub message: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.message)
    }
}

impl std::error::Error for Failed {}

/// The number of last lines of the engine's output in an error.
const LINES: usize = 20;

/// The most attempts at a build whose layers another process removes meanwhile.
const TRIES: usize = 5;

async fn build_and_push(recipe: &Recipe, repository: &str, tag: &str, login: &Login) -> Result<(), Failed> {
    let archive = archive(recipe, tag).await?;
    let engine = connect().await?;
    let mut tries = 1;
    loop {
        // A build of the same context may run at the same time, in this or another process: the local name is
        // unique.
        let mine = random::text();
        let local = format!("tandem-build:{mine}");
        info!(context = recipe.context, tag, tries, "building");
        let pushed = async {
            build(&engine, recipe, archive.path(), &mine, &local).await?;
            push(&engine, &local, repository, tag, login).await
        };
        let pushed = pushed.await;
        for name in [local, format!("{repository}:{tag}")] {
            // `noprune` keeps the layers in the engine's cache for the next build.
            let options = RemoveImageOptions { noprune: true, ..RemoveImageOptions::default() };
            let _ = engine.remove_image(&name, Some(options), None).await;
        }
        match pushed {
            Err(Trouble { layer_gone: true, failed }) if tries < TRIES => {
                info!(reason = failed.message, "building again");
                tries += 1;
            }
            pushed => return pushed.map_err(|trouble| trouble.failed),
        }
    }
}

/// A failure, with a flag for one that another attempt can fix.
struct Trouble {
    failed: Failed,
    /// True if another build or a clean-up removed a layer or image.
    layer_gone: bool,
}

impl Trouble {
    /// A failure of a step; `said` is the error message of the engine.
    fn new(doing: &'static str, message: String, said: &str) -> Self {
        // Messages of Docker's builder, image stores, tag and push, and of podman.
        const GONE: [&str; 10] = [
            "no such image",
            "unable to find image",
            "failed to get digest",
            "failed to get destination image",
            "unknown parent image",
            "layer does not exist",
            "does not exist locally",
            "content digest",
            "image not known",
            "layer not known",
        ];
        let said = said.to_lowercase();
        Self { failed: Failed { doing, message }, layer_gone: GONE.iter().any(|gone| said.contains(gone)) }
    }
}

/// Packs the build context into a temporary file, so that later changes of the folder have no effect.
///
/// # Errors
/// If the hash of the context is not the planned one.
async fn archive(recipe: &Recipe, tag: &str) -> Result<NamedTempFile, Failed> {
    let (context, dockerfile) = (recipe.context.clone(), recipe.dockerfile.clone());
    let packed = tokio::task::spawn_blocking(move || {
        let files = Files::of(&context, &dockerfile).map_err(|error| format!("`{context}` {error}"))?;
        let file = NamedTempFile::new().map_err(|error| {
            format!(
                "a temporary file for the build context cannot be created: {error}. Set TMPDIR to a writable folder"
            )
        })?;
        let hash = files.archive(BufWriter::new(&file));
        let hash = hash.map_err(|error| {
            format!("`{context}` cannot be packed into {}: {error}", file.path().display())
        })?;
        Ok((file, hash))
    });
    let failed = |message| Failed { doing: "reading the build context", message };
    let packed = packed.await.unwrap_or_else(|error| Err(error.to_string()));
    let (file, hash) = packed.map_err(failed)?;
    if planned(recipe, &hash).as_deref() != Some(tag) {
        let message = format!("`{}` changed between plan and apply. Plan and apply again", recipe.context);
        return Err(failed(message));
    }
    Ok(file)
}

/// The tag that a plan gives an image with a build context of this hash.
fn planned(recipe: &Recipe, hash: &str) -> Option<String> {
    use tandem_model::scalar::Scalar;
    let text = |text: &String| (!text.is_empty()).then(|| Scalar::Known(text.clone()));
    let args = recipe.args.iter().map(|(name, value)| (name.clone(), Scalar::Known(value.clone())));
    let args = Scalar::Known(args.collect::<BTreeMap<_, _>>());
    let args = (!recipe.args.is_empty()).then_some(&args);
    let (target, rebuild) = (text(&recipe.target), text(&recipe.rebuild));
    tandem_model::image::tag(hash, args, target.as_ref(), &recipe.architecture, rebuild.as_ref())
}

/// Connects to the engine at `DOCKER_HOST`, otherwise to the first that answers at a usual socket.
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
    let tried = if tried.is_empty() { "no socket of either was found".to_owned() } else { tried.join("; ") };
    Err(Failed {
        doing: "looking for a container engine",
        message: format!(
            "building an image requires Docker or podman: {tried}. Start Docker (on Debian: `apt-get install \
             docker.io`, then `systemctl start docker`), run `podman system service --time=0`, or set \
             DOCKER_HOST. Alternatively, set `image` to an image that exists in a registry"
        ),
    })
}

/// Builds an image from the archive and names it `name`.
async fn build(
    engine: &Docker,
    recipe: &Recipe,
    archive: &Path,
    mine: &str,
    name: &str,
) -> Result<(), Trouble> {
    const DOING: &str = "building the image";
    let mut options = BuildImageOptions {
        dockerfile: recipe.dockerfile.clone(),
        t: Some(name.to_owned()),
        // Builds of the same context share an image id, and the clean-up of one build can remove the image
        // before the other has tagged it. A label of its own gives each build its own image.
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
    let archive = tokio::fs::File::open(archive).await.map_err(|error| {
        let said = error.to_string();
        Trouble::new(
            DOING,
            format!("the temporary archive of `{}` no longer exists: {said}. Apply again", recipe.context),
            &said,
        )
    })?;
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut step = String::new();
    let mut failure = None;
    let body = body_try_stream(ReaderStream::with_capacity(archive, 1 << 16));
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
    let Some(said) = failure else { return Ok(()) };
    let at = if step.is_empty() { String::new() } else { format!(", at `{step}`") };
    let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
    let message = format!(
        "the build of `{}` failed{at}: {said}\n\nThe last lines of its output:\n{}",
        recipe.context,
        lines.join("\n")
    );
    Err(Trouble::new(DOING, message, &said))
}

async fn push(
    engine: &Docker,
    local: &str,
    repository: &str,
    tag: &str,
    login: &Login,
) -> Result<(), Trouble> {
    let failed = |error: String| {
        let message = format!(
            "the push of `{repository}:{tag}` failed: {error}. Check that the credentials may push \
             (ecr:InitiateLayerUpload, ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage, \
             ecr:BatchCheckLayerAvailability), and that the engine can connect to the registry"
        );
        Trouble::new("pushing the image", message, &error)
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

/// The message of the engine, without the text that the client library adds.
fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_another_took_away_is_no_mistake_of_the_dockerfile() {
        for (said, layer_gone) in [
            ("No such image: tandem-build:0", true),
            ("failed to get digest sha256:9a: open /x/sha256/9a: no such file or directory", true),
            ("unable to find image \"sha256:9a\"", true),
            ("COPY failed: file not found in build context: stat nothing: file does not exist", false),
            ("The command '/bin/sh -c false' returned a non-zero code: 1", false),
        ] {
            assert_eq!(Trouble::new("building", String::new(), said).layer_gone, layer_gone, "{said}");
        }
    }
}
