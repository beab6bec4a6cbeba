//! A video becomes a thumbnail: functions and a container.

use tandem_tests::emulator::Settings;
use tandem_tests::engine::{Engine, let_containers_reach};
use tandem_tests::environment::{Packages, VIDEO_THUMBNAILER, private};
use tandem_tests::ffmpeg;

use super::{Stage, build_provider, log_line, wait};
use crate::setup;
use crate::step::{Result, step};

const EXAMPLE: &str = "video-thumbnailer";
const VIDEO: &str = "cat_00-03.mp4";

pub(super) fn run(keep: bool) -> Result {
    setup::packages(Packages::Ffmpeg)?;
    setup::engine()?;
    build_provider()?;
    crate::check::build_video_thumbnailer("build")?;
    let engine = step("Starting a container engine", || Ok(Engine::start(&private().join("engine.log"))?))?;
    step("Making the base image", || Ok(engine.base_image()?))?;
    let video = private().join(VIDEO);
    step("Making a video of which each second has another colour and number", || {
        Ok(ffmpeg::sample(&video)?)
    })?;

    let settings = Settings { engine: Some(engine.host.clone()), ..Settings::default() };
    let mut stage = Stage::new(EXAMPLE, VIDEO_THUMBNAILER, &settings)?;
    let reached = let_containers_reach(&stage.account.endpoint, &engine.gateway)?;
    // On AWS a task gets its credentials from its role; the emulator gives it none.
    let variables = stage.account.for_containers(&reached);
    stage.environment.extend([
        ("DOCKER_HOST", engine.host.clone()),
        ("TF_VAR_base_image", Engine::BASE_IMAGE.to_owned()),
        ("TF_VAR_task_environment", variables.to_string()),
    ]);
    let before = stage.account.everything()?;
    stage.apply()?;

    let bucket = stage.output("bucket")?;
    let log_groups = stage.terraform(&["output", "-json", "log_groups"])?;
    let log_groups: serde_json::Value = serde_json::from_str(&log_groups)?;
    let key = format!("thumbnails/{VIDEO}.jpg");
    let picture = step(&format!("Uploading {VIDEO} to {bucket}, waiting for the thumbnail"), || {
        stage.account.put_object(&bucket, VIDEO, &std::fs::read(&video)?)?;
        wait(&format!("the thumbnail {key}"), || Ok(stage.account.get_object(&bucket, &key)?)).map_err(
            |mut failure| {
                for (who, group) in log_groups.as_object().into_iter().flatten() {
                    let lines = stage.account.log_messages(group.as_str().unwrap_or_default());
                    failure.message.push_str(&format!("\n{who}: {}", lines.unwrap_or_default().join("\n  ")));
                }
                failure
            },
        )
    })?;
    println!();
    for (who, text) in [("launcher", VIDEO), ("container", VIDEO), ("on_thumbnail", &key)] {
        let group = log_groups[who].as_str().unwrap_or_default();
        println!("  {who:>12}  {}", log_line(&stage.account, group, text)?);
    }
    println!();
    let path = private().join("demo").join(format!("{VIDEO}.jpg"));
    std::fs::write(&path, &picture)?;
    let (width, height) = ffmpeg::size(&picture).ok_or("the thumbnail is not a JPEG")?;
    stage.end(&before, keep)?;
    println!("thumbnail: {} ({width}x{height})", path.display());
    Ok(())
}
