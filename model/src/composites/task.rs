//! A task, whatever starts it: inputs, and the objects around its task definition.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::common::{self, Common, check_arn, check_bucket};
use super::edges::RESOURCES;
use super::launch::Launch;
use super::part::Part;
use crate::capacity;
use crate::checks::environment::{self, Variables};
use crate::checks::task_size;
use crate::composite::Settings;
use crate::context::BuildContext;
use crate::expr::{Expr, Place};
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::image;
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::{ec2, ecr, ecs, events, iam};
use crate::policy::{self, Grant, On};
use crate::scalar::Scalar;
use crate::value::Value;

/// Inputs of a task that have nothing to do with what starts it.
#[derive(Debug, Inputs)]
pub(super) struct TaskInputs {
    /// A container image, best with its digest. Exactly one of `image` and `build` is given.
    image: Option<Scalar<String>>,
    /// How to build the image: it is built when what goes into it changed, and pushed to a repository of its own, which scans it, keeps tags as they are, and holds the last ten images.
    #[input(source = Source::Build)]
    build: Option<Build>,
    /// Architecture of the container: `x86_64` or `arm64`; a build makes the image for it.
    #[input(default = "x86_64", rule = Rule::ARCHITECTURE)]
    architecture: Scalar<String>,
    /// CPU units, 1024 to a core: 256, 512, 1024, 2048, 4096, 8192 or 16384.
    #[input(default = 256, rule = Rule::OneOfNumbers(task_size::CPUS))]
    cpu: Scalar<i64>,
    /// Memory in MiB; which sizes there are depends on `cpu`.
    #[input(default = 512, rule = Rule::Range(512, 122_880))]
    memory: Scalar<i64>,
    /// Scratch space in GiB, more than the 20 that every task has.
    #[input(rule = Rule::Range(21, 200))]
    ephemeral_storage: Option<Scalar<i64>>,
    /// Environment variables. Not for secrets: everybody who may read the task definition reads them.
    environment: Option<Variables>,
    /// Environment variables from secrets: the ARN of a Secrets Manager secret or a Systems Manager parameter for each name.
    secrets: Option<Variables>,
    /// The command, in place of the image's own.
    command: Vec<Scalar<String>>,
    /// The entry point, in place of the image's own.
    entry_point: Vec<Scalar<String>>,
    /// Seconds between the request to stop and the end by force.
    #[input(default = 30, rule = Rule::Range(2, 120))]
    stop_timeout: Scalar<i64>,
    /// Whether the container may write to nothing but its scratch volume.
    #[input(default = true)]
    readonly_root_filesystem: Scalar<bool>,
    /// Where the scratch volume is mounted. It is root's, unless the image declares it as a `VOLUME` of another user: an image that does not run as root must, to write there.
    #[input(default = "/tmp", rule = Rule::Check("path", check_scratch))]
    scratch_path: Scalar<String>,
    /// Where tasks run. Without it: in the subnets of the default VPC, with a public address, and a security group of their own that lets nothing in.
    network: Option<Network>,
    /// ARN of the cluster to run in; without it a cluster is made.
    #[input(rule = Rule::Check("ARN", check_arn))]
    cluster: Option<Scalar<String>>,
    /// What tasks run on: `fargate`, `fargate_spot` (cheaper, and may be ended at any time), or `mixed`, half of each.
    #[input(default = "fargate", rule = Rule::OneOf(capacity::WORDS))]
    capacity: Scalar<String>,
    /// Buckets that the container reads and writes. It finds their names in its variable `TANDEM_RESOURCES`, a JSON list.
    bucket_access: Vec<BucketAccess>,
    /// What becomes of tasks that fail: `dead_letters` puts the reason into a queue with an alarm, `none` tells nobody.
    #[input(default = "dead_letters", rule = Rule::OneOf(&["dead_letters", "none"]))]
    on_failure: String,
}

#[derive(Debug, Inputs)]
struct Build {
    /// Folder with everything that goes into the image; a `.dockerignore` in it is honoured.
    #[input(source = Source::Folder)]
    context: String,
    /// The Dockerfile, from the context on. Images of its `FROM`s are pulled without credentials: pull a private one (`docker pull`) before.
    #[input(default = "Dockerfile")]
    dockerfile: String,
    /// Values for the `ARG`s of the Dockerfile. Not for secrets: they stay readable in the image.
    args: Option<Variables>,
    /// The stage to build; the last without it.
    target: Option<Scalar<String>>,
    /// Any text: another one builds the image again although nothing changed.
    rebuild: Option<Scalar<String>>,
}

#[derive(Debug, Inputs)]
struct Network {
    /// Ids of subnets, all of one VPC; those of the default VPC without it.
    #[input(source = Source::Subnets)]
    subnets: Vec<Scalar<String>>,
    /// Ids of security groups; one is made without it.
    security_groups: Vec<Scalar<String>>,
    /// Whether tasks get a public address. Without one the subnets need a way to the registry. `true` in the default VPC, else `false`, when not given.
    assign_public_ip: Option<Scalar<bool>>,
}

#[derive(Debug, Inputs)]
struct BucketAccess {
    /// Name of a bucket.
    #[input(refers = Reference::BUCKET, rule = Rule::Check("bucket", check_bucket))]
    bucket: Scalar<String>,
    /// Prefixes of the keys that may be read; an empty text stands for all.
    read: Vec<String>,
    /// Prefixes of the keys that may be written; an empty text stands for all.
    write: Vec<String>,
}

fn check_scratch(path: &str) -> Result<(), String> {
    if path.starts_with('/') && path.len() > 1 && !path.contains(':') {
        Ok(())
    } else {
        Err(format!("{path:?} is not a folder of its own, such as `/tmp`"))
    }
}

/// The inputs of a task, read back; `within` as in [`Part::within`].
pub(super) fn recover(within: &str, objects: &BTreeMap<String, Settings>) -> BTreeMap<String, Value> {
    let role = if within.is_empty() { "task" } else { within };
    let setting = |field| common::setting(objects, &format!("ecs_task_definition.{role}"), field);
    let fields = [
        ("architecture", "cpu_architecture"),
        ("cpu", "cpu"),
        ("memory", "memory"),
        ("ephemeral_storage", "ephemeral_storage"),
        ("secrets", "secrets"),
        ("command", "command"),
        ("entry_point", "entry_point"),
        ("stop_timeout", "stop_timeout"),
        ("readonly_root_filesystem", "readonly_root_filesystem"),
        ("scratch_path", "scratch_path"),
    ];
    let mut inputs: BTreeMap<String, Value> =
        fields.into_iter().map(|(input, field)| (input.to_owned(), setting(field))).collect();
    let environment = common::environment(objects, &format!("ecs_task_definition.{role}"));
    inputs.insert("environment".to_owned(), environment);
    inputs
}

/// What the container is called in its task definition.
pub(super) const CONTAINER: &str = "main";

/// A task to add to a graph.
pub(super) struct Spec<'a> {
    /// What it is called.
    pub(super) part: Part<'a>,
    /// Where its inputs stand.
    pub(super) at: Path,
    pub(super) task: &'a TaskInputs,
    /// What the container may do beside what the inputs say.
    pub(super) access: Vec<Grant>,
    /// Variables beside those of the inputs.
    pub(super) variables: &'a [(&'a str, Expr)],
    pub(super) common: &'a Common,
}

impl Spec<'_> {
    fn at(&self, input: &str) -> Path {
        self.at.join(Step::Field(input.to_owned()))
    }
}

/// What was added.
pub(super) struct Added {
    pub(super) definition: Handle,
    pub(super) cluster: Expr,
    pub(super) image: Expr,
    pub(super) repository: Option<Handle>,
    pub(super) task_role: Handle,
    pub(super) execution_role: Handle,
    pub(super) security_group: Option<Handle>,
    pub(super) log_group: Handle,
    pub(super) dead_letters: Option<Handle>,
    pub(super) launch: Launch,
    /// A command of the AWS CLI that starts it.
    pub(super) command: Expr,
}

/// Adds a task and everything around it.
pub(super) fn add(graph: &mut Graph, spec: &Spec<'_>, findings: &mut Findings) -> Added {
    let Spec { part, task: inputs, common, .. } = spec;
    check(spec, findings);
    let own = part.main("task");
    let family = part.regional("", 255);
    let log_name = Expr::concat(["/aws/ecs/".into(), family.clone()]);
    let log_group = common::log_group(graph, &own, log_name, common);
    let (image, repository) = add_image(graph, spec, findings);
    let cluster = match &inputs.cluster {
        Some(cluster) => cluster.into(),
        None => graph
            .add(&ecs::CLUSTER, &own)
            .set("name", family.clone())
            .set("capacity_providers", Expr::list(["FARGATE", "FARGATE_SPOT"]))
            .handle()
            .arn(),
    };
    let trust = || policy::trust("ecs-tasks.amazonaws.com", true);

    let execution = part.role("execution");
    let execution_role = common::role(graph, &execution, part.global("execution", 64), trust(), common);
    let execution_policy = add_policy(
        graph,
        &execution,
        &execution_role,
        execution_grants(spec, &log_group, repository.as_ref(), findings),
    );
    let task_role = common::role(graph, &own, part.global("", 64), trust(), common);
    let task_grants = task_grants(spec);
    let task_policy =
        (!task_grants.is_empty()).then(|| add_policy(graph, &own, &task_role, Some(task_grants)));

    let network = add_network(graph, spec);
    let list = |items: &[Scalar<String>]| (!items.is_empty()).then(|| Expr::list(items));
    let mut definition = graph
        .add(&ecs::TASK_DEFINITION, &own)
        .set("family", family)
        .set("active_revisions", 1)
        .set("cpu", &inputs.cpu)
        .set("memory", &inputs.memory)
        .set("cpu_architecture", &inputs.architecture)
        .set("execution_role_arn", execution_role.arn())
        .set("task_role_arn", task_role.arn())
        .set("container_name", CONTAINER)
        .set("image", image.clone())
        .set_if("command", list(&inputs.command))
        .set_if("entry_point", list(&inputs.entry_point))
        .set_if("environment", variables(spec))
        .set_if("secrets", inputs.secrets.as_ref())
        .set("log_group", log_group.attribute("name"))
        .set("stop_timeout", &inputs.stop_timeout)
        .set("readonly_root_filesystem", &inputs.readonly_root_filesystem)
        .set("scratch_path", &inputs.scratch_path)
        .set_if("ephemeral_storage", inputs.ephemeral_storage.as_ref())
        .after(&execution_policy);
    if let Some(task_policy) = &task_policy {
        definition = definition.after(task_policy);
    }
    let definition = definition.handle();
    let dead_letters = (inputs.on_failure == "dead_letters")
        .then(|| add_failures(graph, part, common, &cluster, &definition));

    let roles = vec![execution_role.arn(), task_role.arn()];
    let handle = Expr::Json(Box::new(Expr::map([
        ("name", definition.attribute("family")),
        ("task_definition", definition.arn()),
        ("cluster", cluster.clone()),
        ("container", CONTAINER.into()),
        ("roles", Expr::List(roles.clone())),
        ("subnets", network.subnets.clone()),
        ("security_groups", network.security_groups.clone()),
        ("assign_public_ip", network.assign_public_ip.clone()),
        ("capacity", (&inputs.capacity).into()),
    ])));
    let launch = Launch::new(handle, definition.arn(), cluster.clone(), roles);
    let command = command(&cluster, &definition, &network, &inputs.capacity);
    Added {
        definition,
        cluster,
        image,
        repository,
        task_role,
        execution_role,
        security_group: network.security_group,
        log_group,
        dead_letters,
        launch,
        command,
    }
}

fn check(spec: &Spec<'_>, findings: &mut Findings) {
    let inputs = spec.task;
    environment::check_container(
        inputs.environment.as_ref(),
        inputs.secrets.as_ref(),
        &set_here(spec),
        &spec.at("environment"),
        findings,
    );
    if let (Some(cpu), Some(memory)) = (inputs.cpu.known(), inputs.memory.known()) {
        task_size::check(*cpu, *memory, spec.at("memory"), findings);
    }
    check_subnets(spec, findings);
    for (index, access) in inputs.bucket_access.iter().enumerate() {
        if access.read.is_empty() && access.write.is_empty() {
            findings.error(
                Code::Missing,
                spec.at("bucket_access").join(Step::Index(index)),
                "neither `read` nor `write` is given",
                "Give the prefixes of the keys; `[\"\"]` stands for all.",
            );
        }
    }
}

/// Names of the variables that are set here, whatever the inputs say.
pub(super) fn set_here<'a>(spec: &'a Spec<'_>) -> Vec<&'a str> {
    let resources = (!spec.task.bucket_access.is_empty()).then_some(RESOURCES);
    spec.variables.iter().map(|(name, _)| &**name).chain(resources).collect()
}

/// What is wrong with the subnets that are given: they are of one VPC, in which the security group is.
fn check_subnets(spec: &Spec<'_>, findings: &mut Findings) {
    let mut first: Option<(&str, &str)> = None;
    let has_groups = spec.task.network.as_ref().is_some_and(|network| !network.security_groups.is_empty());
    let subnets = spec.task.network.iter().flat_map(|network| &network.subnets).enumerate();
    for (index, subnet) in subnets.filter_map(|(index, subnet)| Some((index, subnet.known()?))) {
        let message = match (spec.part.context.subnets.get(subnet), first) {
            // Only a security group that is made here must know the VPC.
            (Some(Err(_)), _) if has_groups => continue,
            (Some(Err(error)), _) => format!("the subnet `{subnet}` cannot be looked at: {error}"),
            (Some(Ok(None)), _) => format!("there is no subnet `{subnet}` in this account and region"),
            (Some(Ok(Some(vpc))), Some((other, of))) if vpc != of => {
                format!("`{subnet}` is in the VPC `{vpc}`, and `{other}` in `{of}`")
            }
            (Some(Ok(Some(vpc))), _) => {
                first.get_or_insert((subnet, vpc));
                continue;
            }
            (None, _) => continue,
        };
        let at = spec.at("network").join(Step::Field("subnets".to_owned())).join(Step::Index(index));
        findings.error(Code::Missing, at, message, "Give the ids of subnets of one VPC.");
    }
}

/// The image of the container: given, or built.
fn add_image(graph: &mut Graph, spec: &Spec<'_>, findings: &mut Findings) -> (Expr, Option<Handle>) {
    let Spec { part, task: inputs, common, .. } = spec;
    let build = match (&inputs.image, &inputs.build) {
        (Some(image), None) => return (image.into(), None),
        (None, Some(build)) => build,
        (image, _) => {
            let message = if image.is_some() { "both are given" } else { "neither is given" };
            findings.error(
                Code::Choice,
                spec.at(if image.is_some() { "build" } else { "image" }),
                format!("exactly one of `image` and `build` is needed, and {message}"),
                "Give `image` for an image that exists, or `build` for one to be built.",
            );
            return (Expr::Unknown, None);
        }
    };
    let own = part.main("task");
    let repository = graph
        .add(&ecr::REPOSITORY, &own)
        .set("name", part.path())
        .set("image_tag_mutability", "IMMUTABLE")
        .set("scan_on_push", true)
        .set("encryption_type", if common.kms_key_arn.is_some() { "KMS" } else { "AES256" })
        .set_if("kms_key", common.kms_key_arn.as_ref())
        .handle();
    graph
        .add(&ecr::LIFECYCLE_POLICY, &own)
        .set("repository", repository.attribute("name"))
        .set("policy", Expr::Literal(keep_last()));

    let facts = BuildContext { folder: build.context.clone(), dockerfile: build.dockerfile.clone() };
    let hash = match part.context.builds.get(&facts) {
        Some(Ok(hash)) => Some(hash.clone()),
        Some(Err(error)) => {
            let at = spec.at("build").join(Step::Field("context".to_owned()));
            findings.error(
                Code::Build,
                at,
                format!("`{}` {error}", build.context),
                "Give the folder that the image is built from, from the folder in which Terraform runs \
                 (or with `${path.module}/`).",
            );
            None
        }
        None => None,
    };
    let (args, target) = (build.args.as_ref(), build.target.as_ref());
    let tag = hash.and_then(|hash| {
        image::tag(&hash, args, target, inputs.architecture.known()?, build.rebuild.as_ref())
    });
    graph.unstable |= tag.is_none();
    let role = tag.as_ref().map_or(own.clone(), |tag| image::role(&own, tag));
    let recipe = Expr::map([
        ("context", Expr::from(build.context.as_str())),
        ("dockerfile", build.dockerfile.as_str().into()),
        ("args", args.map_or_else(|| Expr::map::<String, Expr>([]), Expr::from)),
        ("target", target.map_or_else(|| "".into(), Expr::from)),
        ("architecture", (&inputs.architecture).into()),
        ("rebuild", build.rebuild.as_ref().map_or_else(|| "".into(), Expr::from)),
    ]);
    let built = graph
        .add(&ecr::IMAGE, &role)
        .set("repository", repository.attribute("name"))
        .set("tag", tag.map_or(Expr::Unknown, Expr::from))
        .set("build", recipe)
        .handle();
    (built.attribute("reference"), Some(repository))
}

/// Untagged images go after a week, and no more than ten stay.
fn keep_last() -> Json {
    json!({ "rules": [
        {
            "rulePriority": 1,
            "description": "Untagged images go after a week",
            "selection": {
                "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7,
            },
            "action": { "type": "expire" },
        },
        {
            "rulePriority": 2,
            "description": "The last ten images stay",
            "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10 },
            "action": { "type": "expire" },
        },
    ] })
}

pub(super) fn add_policy(graph: &mut Graph, own: &str, role: &Handle, grants: Option<Vec<Grant>>) -> Handle {
    graph
        .add(&iam::ROLE_POLICY, own)
        .set("role", role.attribute("name"))
        .set("name", own)
        .set("policy", grants.map_or(Expr::Unknown, |grants| policy::identity(&grants)))
        .handle()
}

/// What AWS needs to start the container; `None` while that is not known.
fn execution_grants(
    spec: &Spec<'_>,
    log_group: &Handle,
    repository: Option<&Handle>,
    findings: &mut Findings,
) -> Option<Vec<Grant>> {
    let mut grants = vec![Grant::WriteLogs(log_group.arn())];
    let mut known = true;
    let registry = match (repository, &spec.task.image) {
        (Some(repository), _) => Some(repository.arn()),
        (None, Some(Scalar::Known(image))) => image::repository_arn(image).map(Expr::from),
        (None, Some(_)) => {
            known = false;
            None
        }
        (None, None) => None,
    };
    if let Some(repository) = registry {
        grants.extend([Grant::LogInToRegistry, Grant::PullImages(repository)]);
    }
    let (mut secrets, mut parameters) = (Vec::new(), Vec::new());
    match &spec.task.secrets {
        None => {}
        Some(Scalar::Known(given)) => {
            for (name, arn) in given {
                let Some(arn) = arn.known() else {
                    known = false;
                    continue;
                };
                match arn.split(':').nth(2) {
                    // What follows names a key in the secret, or a version.
                    Some("secretsmanager") => {
                        secrets.push(arn.split(':').take(7).collect::<Vec<_>>().join(":").into());
                    }
                    Some("ssm") => parameters.push(arn.as_str().into()),
                    _ => findings.error(
                        Code::OutOfRange,
                        spec.at("secrets").join(Step::Key(name.clone())),
                        format!("{arn:?} is neither the ARN of a secret nor of a parameter"),
                        "Give an ARN of Secrets Manager or of a Systems Manager parameter; plain values go \
                         into `environment`.",
                    ),
                }
            }
        }
        Some(_) => known = false,
    }
    if !secrets.is_empty() {
        grants.push(Grant::ReadSecrets(secrets));
    }
    if !parameters.is_empty() {
        grants.push(Grant::ReadParameters(parameters));
    }
    if let (Some(key), true) = (&spec.common.kms_key_arn, spec.task.secrets.is_some()) {
        grants.push(Grant::UseKey(key.into()));
    }
    known.then_some(grants)
}

fn task_grants(spec: &Spec<'_>) -> Vec<Grant> {
    let mut grants = spec.access.clone();
    for access in &spec.task.bucket_access {
        let bucket = common::bucket_arn((&access.bucket).into());
        grants.extend(access.read.iter().map(|prefix| Grant::ReadObjects(bucket.clone(), prefix.clone())));
        grants.extend(access.write.iter().map(|prefix| Grant::WriteObjects(bucket.clone(), prefix.clone())));
    }
    if !grants.is_empty() {
        grants.extend(spec.common.kms_key_arn.as_ref().map(|key| Grant::UseKey(key.into())));
    }
    grants
}

/// The variables of the inputs, and those that the part is given.
fn variables(spec: &Spec<'_>) -> Option<Expr> {
    let buckets = spec.task.bucket_access.iter().map(|access| &access.bucket);
    let resources =
        (!spec.task.bucket_access.is_empty()).then(|| (RESOURCES, Expr::Json(Box::new(Expr::list(buckets)))));
    common::variables(spec.task.environment.as_ref(), spec.variables.iter().cloned().chain(resources))
}

/// Where tasks run, as texts with commas in between.
struct Where {
    subnets: Expr,
    security_groups: Expr,
    security_group: Option<Handle>,
    assign_public_ip: Expr,
}

fn add_network(graph: &mut Graph, spec: &Spec<'_>) -> Where {
    let Spec { part, task: inputs, .. } = spec;
    let given = inputs.network.as_ref();
    let own_subnets = given.map(|network| &network.subnets[..]).unwrap_or_default();
    let (vpc, subnets) = match own_subnets.first() {
        None => (Expr::Place(Place::DefaultVpc), Expr::Place(Place::DefaultSubnets)),
        Some(first) => (Expr::VpcOf(Box::new(first.into())), joined(own_subnets)),
    };
    let assign_public_ip = match given.and_then(|network| network.assign_public_ip.as_ref()) {
        Some(given) => given.into(),
        None => own_subnets.is_empty().into(),
    };
    let own_groups = given.map(|network| &network.security_groups[..]).unwrap_or_default();
    if !own_groups.is_empty() {
        let security_groups = joined(own_groups);
        return Where { subnets, security_groups, security_group: None, assign_public_ip };
    }
    let group = graph
        .add(&ec2::SECURITY_GROUP, &part.main("task"))
        .set("name", part.regional("", 255))
        .set("description", "Lets nothing in")
        .set("vpc_id", vpc)
        .set("ingress", Expr::list::<Expr>([]))
        .handle();
    Where { subnets, security_groups: group.attribute("id"), security_group: Some(group), assign_public_ip }
}

fn joined(items: &[Scalar<String>]) -> Expr {
    let mut parts = Vec::new();
    for item in items {
        if !parts.is_empty() {
            parts.push(",".into());
        }
        parts.push(item.into());
    }
    Expr::Concat(parts)
}

/// Whoever asks why a task failed finds it in a queue.
fn add_failures(
    graph: &mut Graph,
    part: &Part<'_>,
    common: &Common,
    cluster: &Expr,
    definition: &Handle,
) -> Handle {
    let queue = common::dead_letters(
        graph,
        part,
        common.into(),
        "The reasons of tasks that failed wait in the dead-letter queue.",
    );
    let failed = Expr::Literal(json!([
        { "containers": { "exitCode": [{ "anything-but": [0] }] } },
        { "stopCode": ["TaskFailedToStart", "SpotInterruption", "TerminationNotice"] },
    ]));
    let every_revision = Expr::map([("prefix", Expr::concat([definition.arn(), ":".into()]))]);
    let detail = Expr::map([
        ("clusterArn", Expr::list([cluster.clone()])),
        ("taskDefinitionArn", Expr::list([every_revision])),
        ("lastStatus", Expr::list(["STOPPED"])),
        ("$or", failed),
    ]);
    let pattern = Expr::map([
        ("source", Expr::list(["aws.ecs"])),
        ("detail-type", Expr::list(["ECS Task State Change"])),
        ("detail", detail),
    ]);
    let own = part.role("failures");
    let rule = graph
        .add(&events::RULE, &own)
        .set("name", part.regional("failures", 64))
        .set("description", "Tasks that failed")
        .set("event_pattern", pattern)
        .set("state", "ENABLED")
        .handle();
    let receives = policy::receiver("sqs", &queue.arn(), &[("events.amazonaws.com", On::Source(rule.arn()))]);
    let queue_policy = common::queue_policy(graph, part, &queue, receives);
    graph
        .add(&events::TARGET, &own)
        .set("rule", rule.attribute("name"))
        .set("target_id", "dead-letters")
        .set("arn", queue.arn())
        .after(&queue_policy);
    queue
}

fn command(cluster: &Expr, definition: &Handle, network: &Where, capacity: &Scalar<String>) -> Expr {
    let on = match capacity {
        Scalar::Unknown => return Expr::Unknown,
        Scalar::Reference(_) => "--launch-type FARGATE".to_owned(),
        Scalar::Known(word) if word == "fargate" => "--launch-type FARGATE".to_owned(),
        Scalar::Known(word) => {
            let providers = capacity::providers(word).iter();
            let items: Vec<String> =
                providers.map(|name| format!("capacityProvider={name},weight=1")).collect();
            format!("--capacity-provider-strategy {}", items.join(" "))
        }
    };
    let public = match &network.assign_public_ip {
        Expr::Literal(value) => if value == true { "ENABLED" } else { "DISABLED" }.into(),
        _ => Expr::Unknown,
    };
    Expr::concat([
        format!("aws ecs run-task {on} --cluster ").into(),
        cluster.clone(),
        " --task-definition ".into(),
        definition.attribute("family"),
        " --network-configuration 'awsvpcConfiguration={subnets=[".into(),
        network.subnets.clone(),
        "],securityGroups=[".into(),
        network.security_groups.clone(),
        "],assignPublicIp=".into(),
        public,
        "}'".into(),
    ])
}
