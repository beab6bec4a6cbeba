//! The `thumbnailer` composite: a bucket, a container that makes thumbnails, a function that starts it, and a
//! function that is triggered by each thumbnail.

use std::collections::BTreeMap;

use super::bucket;
use super::common::{Common, Identity};
use super::function::{self, FunctionInputs};
use super::part::Part;
use super::state_machine;
use super::steps::{Inner, OnError, Position, Step, TaskStep};
use super::task::{self, ObjectUse, TaskInputs};
use super::triggers::bucket::{BucketStart, BucketTrigger};
use super::triggers::{AllowLoop, TriggerSpec};
use super::uses::Uses;
use crate::checks::filters;
use crate::composite::{Composite, Outputs, item_path};
use crate::context::Context;
use crate::edge::{End, KeyPattern, ResourceType, Verb};
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::s3;
use crate::scalar::Scalar;
use crate::value::Value;

/// A pipeline that makes a thumbnail for each video in a bucket.
pub(super) struct Thumbnailer;

/// Inputs of [`Thumbnailer`].
#[derive(Debug, Inputs)]
pub(super) struct ThumbnailerInputs {
    /// Name of the thumbnailer. Names in AWS begin with the project and this name, e.g. `shop-prod-videos`.
    #[input(flatten)]
    identity: Identity,
    /// Name of an existing bucket of this account and region. Without it, a bucket is created.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    bucket: Option<Scalar<String>>,
    /// Container that makes a thumbnail, with the inputs of a `container_task`. It may read the videos and write the thumbnails; `bucket_access` adds further access. Its environment contains `TANDEM_BUCKET`, `TANDEM_KEY` and the `THUMBNAILER_` variables.
    task: TaskInputs,
    /// Function that starts the container for each video. Its environment variable `TANDEM_LAUNCHES` contains the launch handle. Without it, a workflow starts the container; an existing `bucket` must then send events to EventBridge.
    launcher: Option<FunctionInputs>,
    /// Function that is triggered by each new thumbnail.
    on_thumbnail: Option<FunctionInputs>,
    /// Suffixes of the object keys of videos. Without it, `[".mp4"]`.
    #[input(rule = Rule::KEY_PART)]
    video_suffixes: Vec<String>,
    /// Prefix of the object keys of videos, e.g. `uploads/`.
    #[input(rule = Rule::KEY_PART)]
    input_prefix: Option<String>,
    /// Prefix of the object keys of thumbnails. With `input_prefix = "uploads/"`, the thumbnail of `uploads/cat.mp4` is `thumbnails/cat.mp4.jpg`.
    #[input(default = "thumbnails/")]
    output_prefix: String,
    /// Position of the thumbnail in the video as `HH:MM:SS`, if the object key contains none, e.g. `00:01:30`.
    #[input(default = "00:00:00", rule = Rule::Check("a time as `HH:MM:SS`, e.g. `00:00:02`", check_timestamp))]
    default_timestamp: Scalar<String>,
    /// Regular expression with two groups, which match minutes and seconds in an object key. The default matches 00 and 03 in `cat_00-03.mp4`.
    #[input(default = "_([0-9]+)-([0-9]+)\\.[^./]*$", rule = Rule::Check("a regular expression with two groups, minutes and seconds", check_pattern))]
    timestamp_pattern: Scalar<String>,
    /// Width of a thumbnail in pixels. The height keeps the aspect ratio.
    #[input(default = 640, rule = Rule::Range(16, 7680))]
    width: Scalar<i64>,
    #[input(flatten)]
    common: Common,
}

fn check_timestamp(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let below_60 = |part: &&str| part.len() == 2 && part.parse::<u8>().is_ok_and(|value| value < 60);
    let good = match parts[..] {
        [hours, ref rest @ ..] => {
            rest.len() == 2 && hours.len() == 2 && hours.parse::<u8>().is_ok() && rest.iter().all(below_60)
        }
        [] => false,
    };
    if good { Ok(()) } else { Err(format!("{text:?} is not a time such as `00:01:30`")) }
}

fn check_pattern(text: &str) -> Result<(), String> {
    let pattern = regex::Regex::new(text).map_err(|error| format!("{text:?}: {error}"))?;
    match pattern.captures_len() {
        3 => Ok(()),
        groups => Err(format!("{text:?} has {} groups, but it needs two: minutes and seconds", groups - 1)),
    }
}

/// Outputs of [`Thumbnailer`].
#[derive(Outputs)]
pub(super) struct ThumbnailerOutputs {
    /// Name of the bucket.
    bucket_name: Expr,
    /// ARN of the task definition without a revision: the latest revision.
    task_definition_arn: Expr,
    /// ARN of the cluster.
    cluster_arn: Expr,
    /// URI of the container image; the URI of a built image contains its digest.
    image_uri: Expr,
    /// Name of the log group of the container.
    task_log_group_name: Expr,
    /// URL of the dead-letter queue for failed tasks.
    task_dead_letter_queue_url: Option<Expr>,
    /// Name of the launcher function; null without `launcher`.
    launcher_function_name: Option<Expr>,
    /// Name of the log group of the launcher.
    launcher_log_group_name: Option<Expr>,
    /// URL of the dead-letter queue for events for which the launcher started no container.
    launcher_dead_letter_queue_url: Option<Expr>,
    /// ARN of the state machine that starts the container; null with a launcher.
    workflow_arn: Option<Expr>,
    /// Name of the log group of the workflow.
    workflow_log_group_name: Option<Expr>,
    /// URL of the dead-letter queue for failed executions of the workflow.
    workflow_dead_letter_queue_url: Option<Expr>,
    /// Name of the function that is triggered by thumbnails.
    on_thumbnail_function_name: Option<Expr>,
    /// Name of the log group of `on_thumbnail`.
    on_thumbnail_log_group_name: Option<Expr>,
    /// URL of the dead-letter queue for events that `on_thumbnail` fails to process.
    on_thumbnail_dead_letter_queue_url: Option<Expr>,
    /// AWS CLI command that uploads a video.
    upload_command: Expr,
}

impl Composite for Thumbnailer {
    type Inputs = ThumbnailerInputs;
    type Outputs = ThumbnailerOutputs;
    const TYPE: &'static str = "thumbnailer";
    const DOC: &'static str = "Creates a pipeline that makes a thumbnail for each video in an S3 bucket.\n\n\
        A new video triggers the launcher function, which starts the container. The container writes a \
        thumbnail to the bucket, which triggers the function `on_thumbnail`. Without a launcher, a \
        `workflow` starts the container, and no code is needed except the container's.\n\n\
        The resource creates all objects of a `container_task` and of up to two `event_function` resources, \
        with only the access that they need. It creates the bucket unless `bucket` is set.\n\n\
        The environment of the container contains the bucket and the key of the video (`TANDEM_BUCKET`, \
        `TANDEM_KEY`) and the inputs `THUMBNAILER_INPUT_PREFIX`, `THUMBNAILER_OUTPUT_PREFIX`, \
        `THUMBNAILER_TIMESTAMP_PATTERN`, `THUMBNAILER_DEFAULT_TIMESTAMP` and `THUMBNAILER_WIDTH`.";

    fn expand(
        inputs: &ThumbnailerInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<ThumbnailerOutputs> {
        inputs.common.set(graph);
        let part = Part::new(context, &inputs.identity.name);
        let suffixes = inputs.suffixes();
        check_suffixes(&suffixes, findings);
        let made = inputs.bucket.is_none().then(|| {
            let part = part.within("bucket");
            bucket::add(
                graph,
                &part,
                bucket::BucketSpec {
                    kms_key_arn: inputs.common.encryption.key(),
                    abort_incomplete_upload_days: &Scalar::Known(7),
                    rules: None,
                    own_namespace: false,
                },
            )
        });
        let bucket = match (&made, &inputs.bucket) {
            (Some(made), _) => made.attribute("bucket"),
            (None, Some(given)) => given.into(),
            (None, None) => Expr::Unknown,
        };
        let source = match &made {
            Some(made) => made.into(),
            None => End::Resource(ResourceType::Bucket, bucket.clone()),
        };
        let objects = |verb, prefix: &str, suffix, input: &str| ObjectUse {
            verb,
            bucket: source.clone(),
            name: bucket.clone(),
            keys: KeyPattern::new(prefix, ""),
            suffix,
            path: Path::field(input),
        };
        let input_prefix = inputs.input_prefix.clone().unwrap_or_default();
        let video_paths: Vec<Path> = (0..suffixes.len()).map(|index| inputs.suffix_path(index)).collect();

        let task = task::TaskSpec {
            part: part.within("task"),
            at: Path::field("task"),
            task: &inputs.task,
            objects: vec![
                objects(Verb::Reads, &input_prefix, None, "input_prefix"),
                objects(Verb::Writes, &inputs.output_prefix, Some(THUMBNAIL), "output_prefix"),
            ],
            variables: &[
                ("THUMBNAILER_INPUT_PREFIX", input_prefix.as_str().into()),
                ("THUMBNAILER_OUTPUT_PREFIX", inputs.output_prefix.as_str().into()),
                ("THUMBNAILER_DEFAULT_TIMESTAMP", (&inputs.default_timestamp).into()),
                ("THUMBNAILER_TIMESTAMP_PATTERN", (&inputs.timestamp_pattern).into()),
                ("THUMBNAILER_WIDTH", Expr::concat([&inputs.width])),
            ],
            common: &inputs.common,
        };
        let task = task::add(graph, &task, findings);

        let trigger = |prefix: &str, suffix: &str| {
            BucketTrigger {
                // All triggers are on the same bucket; an empty name stands for the bucket created here.
                bucket: inputs.bucket.clone().unwrap_or(Scalar::Known(String::new())),
                events: Vec::new(),
                prefix: Some(prefix.to_owned()),
                suffix: Some(suffix.to_owned()),
                loops: AllowLoop::default(),
            }
        };
        let videos: Vec<BucketTrigger> =
            suffixes.iter().map(|suffix| trigger(&input_prefix, suffix)).collect();
        let launches = [task.launch.clone()];
        let launcher = inputs.launcher.as_ref().map(|function| {
            let on = videos.iter().zip(&video_paths);
            let on: Vec<_> =
                on.map(|(video, path)| TriggerSpec::inner(video, path.clone(), made.as_ref())).collect();
            let spec = function::FunctionSpec {
                part: part.within("launcher"),
                at: Path::field("launcher"),
                function,
                on: &on,
                launches: &launches,
                uses: &Uses::default(),
                common: &inputs.common,
            };
            function::add(graph, &spec, findings)
        });
        let workflow = launcher.is_none().then(|| {
            if let Some(bucket) = &made {
                graph.add(s3::EventBridge, "bucket").bucket(bucket.attribute("bucket"));
            }
            let starts: Vec<BucketStart> =
                suffixes.iter().map(|suffix| inputs.start(&input_prefix, suffix)).collect();
            let on = starts.iter().zip(&video_paths);
            let on: Vec<_> =
                on.map(|(start, path)| TriggerSpec::inner(start, path.clone(), made.as_ref())).collect();
            let spec = state_machine::StateMachineSpec {
                part: part.within("workflow"),
                steps: &[launching()],
                tasks: &BTreeMap::from([(0, task.launch.clone())]),
                express: false,
                log_level: "error",
                log_data: &Scalar::Known(false),
                tracing: &Scalar::Known(false),
                on: &on,
                step_paths: &[Path::field("task")],
                common: &inputs.common,
            };
            state_machine::add(graph, &spec)
        });
        let thumbnails = trigger(&inputs.output_prefix, THUMBNAIL);
        let on_thumbnail = inputs.on_thumbnail.as_ref().map(|function| {
            let spec = function::FunctionSpec {
                part: part.within("on-thumbnail"),
                at: Path::field("on_thumbnail"),
                function,
                on: &[TriggerSpec::inner(&thumbnails, Path::field("on_thumbnail"), made.as_ref())],
                launches: &[],
                uses: &Uses::default(),
                common: &inputs.common,
            };
            function::add(graph, &spec, findings)
        });

        let optional = |handle: Option<&Handle>, attribute| Some(handle?.attribute(attribute));
        let upload = ["aws s3 cp VIDEO".into(), suffixes[0].as_str().into(), " s3://".into(), bucket.clone()];
        let upload = upload.into_iter().chain([format!("/{input_prefix}").into()]);
        let (heard, launching, by_workflow) = (on_thumbnail.as_ref(), launcher.as_ref(), workflow.as_ref());
        Some(ThumbnailerOutputs {
            bucket_name: bucket,
            task_definition_arn: task.definition.arn(),
            cluster_arn: task.cluster,
            image_uri: task.image,
            task_log_group_name: task.log_group.attribute("name"),
            task_dead_letter_queue_url: optional(task.dead_letters.as_ref(), "url"),
            launcher_function_name: optional(launching.map(|made| &made.function), "function_name"),
            launcher_log_group_name: optional(launching.map(|made| &made.log_group), "name"),
            launcher_dead_letter_queue_url: optional(launching.map(|made| &made.dead_letters), "url"),
            workflow_arn: optional(by_workflow.map(|made| &made.machine), "arn"),
            workflow_log_group_name: optional(by_workflow.map(|made| &made.log_group), "name"),
            workflow_dead_letter_queue_url: optional(by_workflow.map(|made| &made.dead_letters), "url"),
            on_thumbnail_function_name: optional(heard.map(|heard| &heard.function), "function_name"),
            on_thumbnail_log_group_name: optional(heard.map(|heard| &heard.log_group), "name"),
            on_thumbnail_dead_letter_queue_url: optional(heard.map(|heard| &heard.dead_letters), "url"),
            upload_command: Expr::concat(upload),
        })
    }

    fn seed(name: &str) -> Value {
        let function = || Value::map([("code", Value::map([("image_uri", Value::Unknown)]))]);
        let build = Value::map([("context", Value::String(String::new()))]);
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("task", Value::map([("build", build)])),
            ("launcher", function()),
            ("on_thumbnail", function()),
        ])
    }

    fn other_seeds(name: &str) -> Vec<Value> {
        let Value::Map(mut without) = Self::seed(name) else { return Vec::new() };
        without.remove("launcher");
        vec![Value::Map(without)]
    }
}

/// Suffix of the object keys of thumbnails.
const THUMBNAIL: &str = ".jpg";

/// The only step of the workflow that replaces the launcher.
fn launching() -> Step {
    let of_event = |path: &str| Scalar::Known(format!("{{% $states.input.detail.{path} %}}"));
    let environment = BTreeMap::from([
        ("TANDEM_BUCKET".to_owned(), of_event("bucket.name")),
        ("TANDEM_KEY".to_owned(), of_event("object.key")),
    ]);
    Step::Task(TaskStep {
        task: Scalar::Unknown,
        environment: Some(Scalar::Known(environment)),
        of: Position {
            inner: Inner { name: "thumbnail".to_owned(), within: None, branch: None },
            next: None,
            end: true,
        },
        on_error: OnError {
            retry_attempts: Scalar::Known(2),
            retry_interval: Scalar::Known(10),
            catch: None,
        },
        timeout: Some(Scalar::Known(3600)),
    })
}

impl ThumbnailerInputs {
    /// The trigger of the workflow that replaces the launcher.
    fn start(&self, prefix: &str, suffix: &str) -> BucketStart {
        BucketStart {
            // All triggers are on the same bucket; an empty name stands for the bucket created here.
            bucket: self.bucket.clone().unwrap_or(Scalar::Known(String::new())),
            prefix: Some(prefix.to_owned()),
            suffix: Some(suffix.to_owned()),
            loops: AllowLoop::default(),
        }
    }

    /// The input with a suffix of videos.
    fn suffix_path(&self, index: usize) -> Path {
        if self.video_suffixes.is_empty() {
            Path::field("output_prefix")
        } else {
            item_path("video_suffixes", index)
        }
    }

    fn suffixes(&self) -> Vec<String> {
        if self.video_suffixes.is_empty() { vec![".mp4".to_owned()] } else { self.video_suffixes.clone() }
    }
}

/// Reports suffixes that overlap.
fn check_suffixes(suffixes: &[String], findings: &mut Findings) {
    for (index, suffix) in suffixes.iter().enumerate() {
        let earlier = suffixes[..index].iter().find(|other| filters::overlap(("", other), ("", suffix)));
        if let Some(other) = earlier {
            findings.error(
                Code::OverlappingFilters,
                item_path("video_suffixes", index),
                format!("the suffixes {suffix:?} and {other:?} overlap: a video could start two containers"),
                "Remove one of the two.",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_and_patterns_are_checked() {
        for good in ["00:00:00", "10:59:59"] {
            assert_eq!(check_timestamp(good), Ok(()));
        }
        for bad in ["", "3", "00:60:00", "0:00:00", "00:00:00:00", "aa:00:00"] {
            assert!(check_timestamp(bad).is_err(), "{bad}");
        }
        let default = ThumbnailerInputs::fields().into_iter().find(|field| field.name == "timestamp_pattern");
        let default = default.and_then(|field| field.default).expect("a default");
        assert_eq!(check_pattern(default.as_str().expect("a string")), Ok(()));
        assert!(check_pattern("_([0-9]+)").is_err() && check_pattern("(").is_err());
    }
}
