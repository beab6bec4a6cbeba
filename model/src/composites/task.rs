//! A container's task: inputs, and the objects around its task definition. Users, functions, schedules and
//! workflows start it in the same way.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::common::{self, Common};
use super::launch::Launch;
use super::part::Part;
use super::rule::{self, DeadLetters};
use super::steps;
use super::variables::RESOURCES;
use crate::capacity::{self, Capacity};
use crate::checks::environment::{self, Variables};
use crate::checks::task_size;
use crate::context::BuildContext;
use crate::edge::{Edge, End, KeyPattern, ObjectFilter, ResourceType, Verb};
use crate::expr::{Ambient, Expr};
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::image;
use crate::input::{Inputs, Only, Reference, Rule, Source};
use crate::kinds::{ec2, ecr, ecs};
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::unit::Unit;

/// Inputs of a task, independent of its schedule.
#[derive(Debug, Inputs)]
pub(super) struct TaskInputs {
    /// Container image, e.g. `public.ecr.aws/docker/library/alpine@sha256:…`. Set exactly one of `image` and `build`. A digest pins the content of the image.
    #[input(fixed, only = Only::Without("build"))]
    image: Option<Scalar<String>>,
    /// Builds the image when its files or settings change, and pushes it to an ECR repository of the task. The repository scans images, has immutable tags and keeps the last ten images.
    #[input(source = Source::Build)]
    build: Option<Build>,
    /// CPU architecture of the container. `build` creates an image for it.
    #[input(default = "x86_64", rule = Rule::ARCHITECTURE)]
    architecture: Scalar<String>,
    /// CPU units: 1024 are one vCPU.
    #[input(unit = Unit::CpuUnits, default = 256, rule = Rule::OneOfNumbers(task_size::CPUS))]
    cpu: Scalar<i64>,
    /// Memory in MiB. The valid sizes depend on `cpu`, e.g. 512, 1024 or 2048 with `cpu = 256`.
    #[input(unit = Unit::Mebibytes, default = 512, rule = Rule::Range(512, 122_880))]
    memory: Scalar<i64>,
    /// Scratch space in GiB. Default: the 20 GiB that every task has.
    #[input(unit = Unit::Gibibytes, rule = Rule::Range(21, 200))]
    ephemeral_storage: Option<Scalar<i64>>,
    /// Environment variables. Put secrets into `secrets`: the task definition contains these values in plain text.
    environment: Option<Variables>,
    /// Environment variables from secrets: a map of names to ARNs of Secrets Manager secrets or Systems Manager parameters.
    #[input(fixed)]
    secrets: Option<Variables>,
    /// Command of the container, e.g. `["--verbose"]`. Default: the command of the image.
    command: Vec<Scalar<String>>,
    /// Entry point of the container. Default: the entry point of the image.
    entry_point: Vec<Scalar<String>>,
    /// Seconds between the stop signal and the forced end of the container.
    #[input(unit = Unit::Seconds, default = 30, rule = Rule::Range(2, 120))]
    stop_timeout: Scalar<i64>,
    /// Mounts the root file system read-only: the container can write to its scratch volume only.
    #[input(default = true)]
    readonly_root_filesystem: Scalar<bool>,
    /// Path at which the scratch volume is mounted. The volume belongs to root: an image that runs as another user must declare the path as a `VOLUME` of that user.
    #[input(default = "/tmp", rule = Rule::Check("an absolute path, e.g. `/tmp`", check_scratch))]
    scratch_path: Scalar<String>,
    /// Network of the tasks. Default: the subnets of the default VPC, a public IP address, and a security group without inbound rules.
    network: Option<Network>,
    /// ARN of the ECS cluster. Default: a cluster of the task. For a `capacity` other than `fargate`, the cluster needs the capacity providers `FARGATE` and `FARGATE_SPOT`.
    #[input(rule = Rule::ARN)]
    cluster: Option<Scalar<String>>,
    /// Capacity of the tasks: `fargate_spot` is cheaper, but AWS can stop a task at any time; `mixed` runs half of the tasks on each. Both need a `cluster` with the capacity providers `FARGATE` and `FARGATE_SPOT`; `fargate` works on every cluster.
    #[input(default = "fargate", rule = Rule::OneOf(capacity::WORDS))]
    capacity: Scalar<String>,
    /// A bucket that the container reads or writes, one per block. Variable `TANDEM_RESOURCES` of the container is a JSON list of their names.
    bucket_access: Vec<BucketAccess>,
    /// Handling of failed tasks: `dead_letters` sends the event of the failure to a dead-letter queue with an alarm, `none` ignores it.
    #[input(default = "dead_letters", rule = Rule::OneOf(&["dead_letters", "none"]))]
    on_failure: String,
}

#[derive(Debug, Inputs)]
struct Build {
    /// Folder with the files of the image, e.g. `${path.module}/image`. A `.dockerignore` in it applies.
    #[input(source = Source::Folder)]
    context: String,
    /// Path of the Dockerfile within `context`. Base images are pulled without credentials: pull a private one with `docker pull` first.
    #[input(default = "Dockerfile")]
    dockerfile: String,
    /// Values for the `ARG`s of the Dockerfile. Do not pass secrets: the image contains the values in plain text.
    args: Option<Variables>,
    /// Stage to build. Default: the last stage.
    target: Option<Scalar<String>>,
    /// Any string. A new value builds the image again although no file changed.
    rebuild: Option<Scalar<String>>,
}

#[derive(Debug, Inputs)]
struct Network {
    /// Ids of subnets of one VPC. Default: the subnets of the default VPC.
    #[input(source = Source::Subnets)]
    subnets: Vec<Scalar<String>>,
    /// Ids of security groups. Default: a group without inbound rules.
    security_groups: Vec<Scalar<String>>,
    /// Gives tasks a public IP address. Without one, the subnets need a route to the image registry. Default: `true` if `subnets` is not set, otherwise `false`.
    assign_public_ip: Option<Scalar<bool>>,
}

#[derive(Debug, Inputs)]
struct BucketAccess {
    /// Name of the bucket.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    bucket: Scalar<String>,
    /// Prefixes of keys that the container may read, e.g. `["in/"]`. An empty string is every key.
    read: Vec<String>,
    /// Prefixes of keys that the container may write, e.g. `["out/"]`. An empty string is every key.
    write: Vec<String>,
    /// Suffix of the keys that the container may write, e.g. `.jpg`. Default: every key with a prefix of `write`.
    #[input(rule = Rule::KEY_PART)]
    write_suffix: Option<String>,
}

fn check_scratch(path: &str) -> Result<(), String> {
    if path.starts_with('/') && path.len() > 1 && !path.contains(':') {
        Ok(())
    } else {
        Err(format!("{path:?} is not an absolute path below `/` without `:`, e.g. `/tmp`"))
    }
}

/// The name of the container in its task definition.
pub(super) const CONTAINER: &str = "main";

/// A task to add to a graph.
pub(super) struct TaskSpec<'a> {
    /// The names of its objects.
    pub(super) part: Part<'a>,
    /// The path of its inputs, for findings.
    pub(super) at: Path,
    pub(super) task: &'a TaskInputs,
    /// Objects that the container reads or writes, in addition to those of the inputs.
    pub(super) objects: Vec<ObjectUse>,
    /// Environment variables in addition to those of the inputs.
    pub(super) variables: &'a [(&'a str, Expr)],
    pub(super) common: &'a Common,
}

/// Objects of a bucket that a container reads or writes.
#[derive(Clone)]
pub(super) struct ObjectUse {
    pub(super) verb: Verb,
    pub(super) bucket: End,
    /// The name of the bucket.
    pub(super) name: Expr,
    /// The keys that the role may read or write.
    pub(super) keys: KeyPattern,
    /// The suffix of the keys that the program uses, if it is narrower than that of the role.
    pub(super) suffix: Option<&'static str>,
    /// The input.
    pub(super) path: Path,
}

impl ObjectUse {
    fn grant(&self) -> Grant {
        let bucket = common::bucket_arn(self.name.clone());
        match self.verb {
            Verb::Reads => Grant::ReadObjects(bucket, self.keys.clone()),
            _ => Grant::WriteObjects(bucket, self.keys.clone()),
        }
    }

    fn edge(&self, definition: &Handle) -> Edge {
        let keys = KeyPattern::new(&self.keys.prefix, self.suffix.unwrap_or(&self.keys.suffix));
        let edge = Edge::new(definition, self.verb, self.bucket.clone());
        edge.objects(ObjectFilter::created(keys)).at(self.path.clone())
    }
}

impl TaskSpec<'_> {
    /// Every object that the container reads or writes.
    fn objects(&self) -> Vec<ObjectUse> {
        let mut objects = self.objects.clone();
        for (index, access) in self.task.bucket_access.iter().enumerate() {
            let of = |verb, prefix: &String, suffix: &str| ObjectUse {
                verb,
                bucket: End::Resource(ResourceType::Bucket, (&access.bucket).into()),
                name: (&access.bucket).into(),
                keys: KeyPattern::new(prefix, suffix),
                suffix: None,
                path: self.at("bucket_access").join(Step::Index(index)),
            };
            let suffix = access.write_suffix.as_deref().unwrap_or_default();
            objects.extend(access.read.iter().map(|prefix| of(Verb::Reads, prefix, "")));
            objects.extend(access.write.iter().map(|prefix| of(Verb::Writes, prefix, suffix)));
        }
        objects
    }

    fn at(&self, input: &str) -> Path {
        self.at.join(Step::Field(input.to_owned()))
    }
}

/// The added objects, and expressions for outputs.
pub(super) struct TaskPart {
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
    /// A command of the AWS CLI that starts the task.
    pub(super) command: Expr,
}

/// Adds a task with its roles, log group, network, repository and dead-letter queue.
pub(super) fn add(graph: &mut Graph, spec: &TaskSpec<'_>, findings: &mut Findings) -> TaskPart {
    let TaskSpec { part, task: inputs, common, .. } = spec;
    check(spec, findings);
    let own = part.main("task");
    let family = part.regional("", 255);
    let log_name = Expr::concat(["/aws/ecs/".into(), family.clone()]);
    let log_group = common::log_group(graph, &own, log_name, common);
    let (image, repository) = add_image(graph, spec, findings);
    let cluster = match &inputs.cluster {
        Some(cluster) => cluster.into(),
        None => graph
            .add(ecs::Cluster, &own)
            .name(family.clone())
            .capacity_providers(Expr::list(capacity::PROVIDERS.iter().copied()))
            .handle()
            .arn(),
    };
    let trust = || policy::trust("ecs-tasks.amazonaws.com", true);

    let execution = part.slot("execution");
    let execution_role = common::role(graph, &execution, part.global("execution", 64), trust(), common);
    let execution_grants = execution_grants(spec, &log_group, repository.as_ref(), findings);
    let execution_policy =
        common::role_policy(graph, (&execution, &execution), &execution_role, execution_grants);
    let task_role = common::role(graph, &own, part.global("", 64), trust(), common);
    let task_grants = task_grants(spec);
    let task_policy = (!task_grants.is_empty())
        .then(|| common::role_policy(graph, (&own, &own), &task_role, Some(task_grants)));

    let network = add_network(graph, spec);
    let list = |items: &[Scalar<String>]| (!items.is_empty()).then(|| Expr::list(items));
    let mut definition = graph
        .add(ecs::TaskDefinition, &own)
        .family(family)
        .active_revisions(1)
        .cpu(&inputs.cpu)
        .memory(&inputs.memory)
        .cpu_architecture(&inputs.architecture)
        .execution_role_arn(execution_role.arn())
        .task_role_arn(task_role.arn())
        .container_name(CONTAINER)
        .image(image.clone())
        .command(list(&inputs.command))
        .entry_point(list(&inputs.entry_point))
        .environment(variables(spec))
        .secrets(inputs.secrets.as_ref())
        .log_group(log_group.attribute("name"))
        // ECS drops lines by default, and those of a failure come in a burst.
        .log_mode("blocking")
        .stop_timeout(&inputs.stop_timeout)
        .readonly_root_filesystem(&inputs.readonly_root_filesystem)
        .scratch_path(&inputs.scratch_path)
        .ephemeral_storage(inputs.ephemeral_storage.as_ref())
        .after(&execution_policy);
    if let Some(task_policy) = &task_policy {
        definition = definition.after(task_policy);
    }
    let definition = definition.handle();
    for objects in spec.objects() {
        graph.connect(objects.edge(&definition));
    }
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
    let launch = Launch::new(handle, definition.arn(), cluster.clone(), roles, (&definition).into());
    let command = command(&cluster, &definition, &network, &inputs.capacity);
    TaskPart {
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

fn check(spec: &TaskSpec<'_>, findings: &mut Findings) {
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
                "neither `read` nor `write` is set",
                "Set `read` or `write` to prefixes of keys; `[\"\"]` allows every key.",
            );
        }
    }
}

/// Names of the reserved variables: the composite sets them, so the inputs must not.
pub(super) fn set_here<'a>(spec: &'a TaskSpec<'_>) -> Vec<&'a str> {
    let resources = (!spec.task.bucket_access.is_empty()).then_some(RESOURCES);
    spec.variables.iter().map(|(name, _)| &**name).chain(resources).collect()
}

/// Checks that the subnets exist and are in one VPC: the VPC of the security group.
fn check_subnets(spec: &TaskSpec<'_>, findings: &mut Findings) {
    let network = spec.task.network.as_ref();
    for (name, count, most) in [
        ("subnets", network.map_or(0, |network| network.subnets.len()), MOST_SUBNETS),
        ("security_groups", network.map_or(0, |network| network.security_groups.len()), MOST_SECURITY_GROUPS),
    ] {
        if count > most {
            let at = spec.at("network").join(Step::Field(name.to_owned()));
            let message = format!("`{name}` has {count} entries, but a task on Fargate takes at most {most}");
            findings.error(Code::OutOfRange, at, message, format!("Set at most {most}."));
        }
    }
    let mut first: Option<(&str, &str)> = None;
    let has_groups = spec.task.network.as_ref().is_some_and(|network| !network.security_groups.is_empty());
    let subnets = spec.task.network.iter().flat_map(|network| &network.subnets).enumerate();
    for (index, subnet) in subnets.filter_map(|(index, subnet)| Some((index, subnet.known()?))) {
        let message = match (spec.part.context.subnets.get(subnet), first) {
            // Only a security group of this composite needs the VPC.
            (Some(Err(_)), _) if has_groups => continue,
            (Some(Err(error)), _) => format!("the VPC of subnet `{subnet}` could not be read: {error}"),
            (Some(Ok(None)), _) => format!("subnet `{subnet}` does not exist in this account and region"),
            (Some(Ok(Some(vpc))), Some((other, of))) if vpc != of => {
                format!("subnet `{subnet}` is in VPC `{vpc}`, but subnet `{other}` is in VPC `{of}`")
            }
            (Some(Ok(Some(vpc))), _) => {
                first.get_or_insert((subnet, vpc));
                continue;
            }
            (None, _) => continue,
        };
        let at = spec.at("network").join(Step::Field("subnets".to_owned())).join(Step::Index(index));
        findings.error(Code::Missing, at, message, "Set `subnets` to ids of subnets of one VPC.");
    }
}

/// The most subnets of a task.
/// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
const MOST_SUBNETS: usize = 16;

/// The most security groups of a task. Source: as above.
const MOST_SECURITY_GROUPS: usize = 5;

/// The image of the container: `image`, or the result of `build` with its repository.
fn add_image(graph: &mut Graph, spec: &TaskSpec<'_>, findings: &mut Findings) -> (Expr, Option<Handle>) {
    let TaskSpec { part, task: inputs, common, .. } = spec;
    let build = match (&inputs.image, &inputs.build) {
        (Some(image), None) => return (image.into(), None),
        (None, Some(build)) => build,
        (image, _) => {
            let message = if image.is_some() { "both are set" } else { "neither is set" };
            findings.error(
                Code::Choice,
                spec.at(if image.is_some() { "build" } else { "image" }),
                format!("exactly one of `image` and `build` is required, but {message}"),
                "Set `image` to use an existing image, or `build` to build one.",
            );
            return (Expr::Unknown, None);
        }
    };
    let own = part.main("task");
    let repository = graph
        .add(ecr::Repository, &own)
        .name(part.path())
        .image_tag_mutability("IMMUTABLE")
        .scan_on_push(true)
        .encryption_type(if common.encryption.key().is_some() { "KMS" } else { "AES256" })
        .kms_key(common.encryption.key())
        .handle();
    graph
        .add(ecr::LifecyclePolicy, &own)
        .repository(repository.attribute("name"))
        .policy(Expr::Literal(keep_last()));

    let facts = BuildContext { folder: build.context.clone(), dockerfile: build.dockerfile.clone() };
    let hash = match part.context.builds.get(&facts) {
        Some(Ok(hash)) => Some(hash.clone()),
        Some(Err(error)) => {
            let at = spec.at("build").join(Step::Field("context".to_owned()));
            findings.error(
                Code::Build,
                at,
                format!("`{}` {error}", build.context),
                "Set `context` to the folder of the image, relative to the folder in which Terraform runs, \
                 or with `${path.module}/`.",
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
    let slot = tag.as_ref().map_or(own.clone(), |tag| image::slot(&own, tag));
    let recipe = Expr::map([
        ("context", Expr::from(build.context.as_str())),
        ("dockerfile", build.dockerfile.as_str().into()),
        ("args", args.map_or_else(|| Expr::map::<String, Expr>([]), Expr::from)),
        ("target", target.map_or_else(|| "".into(), Expr::from)),
        ("architecture", (&inputs.architecture).into()),
        ("rebuild", build.rebuild.as_ref().map_or_else(|| "".into(), Expr::from)),
    ]);
    let built = graph
        .add(ecr::Image, &slot)
        .repository(repository.attribute("name"))
        .tag(tag.map_or(Expr::Unknown, Expr::from))
        .build(recipe)
        .handle();
    (built.attribute("reference"), Some(repository))
}

/// A lifecycle policy: untagged images expire after a week, and the last ten images stay.
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

/// The grants of the role with which ECS starts the container; `None` while an ARN is unknown.
fn execution_grants(
    spec: &TaskSpec<'_>,
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
                    Some("secretsmanager") => {
                        secrets.extend(secret_resources(arn).into_iter().map(Expr::from));
                    }
                    Some("ssm") => parameters.push(arn.as_str().into()),
                    _ => findings.error(
                        Code::OutOfRange,
                        spec.at("secrets").join(Step::Key(name.clone())),
                        format!(
                            "{arn:?} is not the ARN of a Secrets Manager secret or a Systems Manager \
                             parameter"
                        ),
                        "Set the value to such an ARN, or move a plain value to `environment`.",
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
    grants.extend(spec.common.encryption.grant().filter(|_| spec.task.secrets.is_some()));
    known.then_some(grants)
}

/// The resources of a secret in a policy, from its ARN. IAM takes the ARN without the JSON key and version that may
/// follow. It compares the whole ARN, but Secrets Manager also finds a secret without the hyphen and the six
/// characters that it appended to the name.
fn secret_resources(arn: &str) -> Vec<String> {
    let whole = arn.split(':').take(7).collect::<Vec<_>>().join(":");
    let (_, name) = whole.rsplit_once(':').unwrap_or(("", &whole));
    let appended = name.rsplit_once('-').map_or("", |(_, appended)| appended);
    let looks_whole = appended.len() == 6 && appended.chars().all(|c| c.is_ascii_alphanumeric());
    let any = format!("{whole}-??????");
    // A word at the end may belong to the name, e.g. `app-secret`.
    let may_be_a_word = appended.chars().all(|c| c.is_ascii_lowercase());
    match (looks_whole, may_be_a_word) {
        (true, false) => vec![whole],
        (true, true) => vec![whole, any],
        (false, _) => vec![any],
    }
}

fn task_grants(spec: &TaskSpec<'_>) -> Vec<Grant> {
    let mut grants: Vec<Grant> = spec.objects().iter().map(ObjectUse::grant).collect();
    if !grants.is_empty() {
        grants.extend(spec.common.encryption.grant());
    }
    grants
}

/// The variables of the inputs, of the spec, and of `bucket_access`.
fn variables(spec: &TaskSpec<'_>) -> Option<Expr> {
    let buckets = spec.task.bucket_access.iter().map(|access| &access.bucket);
    let resources =
        (!spec.task.bucket_access.is_empty()).then(|| (RESOURCES, Expr::Json(Box::new(Expr::list(buckets)))));
    common::variables(spec.task.environment.as_ref(), spec.variables.iter().cloned().chain(resources))
}

/// The network of tasks. Ids are one string, separated by commas.
struct Where {
    subnets: Expr,
    security_groups: Expr,
    security_group: Option<Handle>,
    assign_public_ip: Expr,
}

fn add_network(graph: &mut Graph, spec: &TaskSpec<'_>) -> Where {
    let TaskSpec { part, task: inputs, .. } = spec;
    let given = inputs.network.as_ref();
    let own_subnets = given.map(|network| &network.subnets[..]).unwrap_or_default();
    let (vpc, subnets) = match own_subnets.first() {
        None => (Expr::Ambient(Ambient::DefaultVpc), Expr::Ambient(Ambient::DefaultSubnets)),
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
        .add(ec2::SecurityGroup, &part.main("task"))
        .name(part.regional("", 255))
        .description("Lets nothing in")
        .vpc_id(vpc)
        .ingress(Expr::list::<Expr>([]))
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

/// Adds the dead-letter queue, and a rule that sends it the events of failed tasks.
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
        "The dead-letter queue contains events of failed tasks.",
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
    let rule = rule::add_failures(graph, part, pattern).description(Some("Tasks that failed")).handle();
    let queue_policy = common::queue_policy(graph, &queue, &[rule::sender(&rule)]);
    let dead_letters = DeadLetters { queue: queue.clone(), policy: queue_policy };
    rule::deliver_failures(graph, &rule, &dead_letters);
    graph.connect(Edge::new(definition, Verb::FailsTo, &queue));
    queue
}

/// The container overrides of scheduled tasks; `None` without any.
pub(super) fn overrides(command: &[Scalar<String>], environment: Option<&Variables>) -> Option<Expr> {
    if command.is_empty() && environment.is_none() {
        return None;
    }
    let mut container = BTreeMap::from([("name".to_owned(), Expr::from(CONTAINER))]);
    if !command.is_empty() {
        container.insert("command".to_owned(), Expr::list(command));
    }
    if environment.is_some() {
        let Some(pairs) = steps::pairs(environment, "name", "value") else {
            return Some(Expr::Unknown);
        };
        container.insert("environment".to_owned(), Expr::List(pairs));
    }
    Some(Expr::map([("containerOverrides", Expr::list([Expr::Map(container)]))]))
}

/// The command that starts the task. If the capacity is a variable of a generated module, it is selected from the
/// commands for all capacities.
fn command(cluster: &Expr, definition: &Handle, network: &Where, capacity: &Scalar<String>) -> Expr {
    let of = |word: &str| command_on(cluster, definition, network, word);
    match capacity {
        Scalar::Unknown => Expr::Unknown,
        Scalar::Reference(_) => {
            let all = Expr::map(capacity::WORDS.iter().map(|word| (*word, of(word))));
            Expr::Lookup(Box::new(all), Box::new(capacity.into()))
        }
        Scalar::Known(word) => of(word),
    }
}

fn command_on(cluster: &Expr, definition: &Handle, network: &Where, capacity: &str) -> Expr {
    let on = match capacity::of(capacity) {
        Some(Capacity::LaunchType(name)) => format!("--launch-type {name}"),
        Some(Capacity::Strategy(providers)) => {
            let items = providers.iter().map(|name| format!("capacityProvider={name},weight=1"));
            format!("--capacity-provider-strategy {}", items.collect::<Vec<_>>().join(" "))
        }
        // The rule of the input rejects other words.
        None => return Expr::Unknown,
    };
    let public = match &network.assign_public_ip {
        Expr::Literal(value) => if value == true { "ENABLED" } else { "DISABLED" }.into(),
        given => {
            let words = Expr::map([("false", "DISABLED"), ("true", "ENABLED")]);
            Expr::Lookup(Box::new(words), Box::new(Expr::concat([given.clone()])))
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composite::Definition;
    use crate::context::Context;
    use crate::value::Value;

    /// The resources of the statement with this id in the policy of the execution role.
    fn resources(secret: &str, sid: &str) -> Expr {
        let definition = Definition::find("container_task").expect("a composite");
        let inputs = json!({ "name": "t", "image": "busybox", "secrets": { "PASSWORD": secret } });
        let expansion = definition.expand(&Value::from(&inputs), &Context::default());
        let graph = expansion.graph.unwrap_or_else(|| panic!("{secret}: {:?}", expansion.findings));
        let policies: Vec<&Expr> = graph.policies().map(|(_, policy)| policy).collect();
        let mut found = Vec::new();
        for policy in policies {
            let Expr::Map(document) = policy else { continue };
            let Some(Expr::List(statements)) = document.get("Statement") else { continue };
            found.extend(statements.iter().filter_map(|statement| match statement {
                Expr::Map(members) if members.get("Sid") == Some(&sid.into()) => members.get("Resource"),
                _ => None,
            }));
        }
        assert_eq!(found.len(), 1, "{secret}: {found:?}");
        found[0].clone()
    }

    #[test]
    fn policies_name_secrets_by_their_whole_arns() {
        let arn = |name: &str| format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}");
        for (given, names) in [
            ("db-AbCdEf", vec!["db-AbCdEf"]),
            ("prod/my-db-a1B2c3", vec!["prod/my-db-a1B2c3"]),
            ("db-AbCdEf:username::", vec!["db-AbCdEf"]),
            ("db-AbCdEf:username:AWSCURRENT:", vec!["db-AbCdEf"]),
            ("db-AbCdEf:::", vec!["db-AbCdEf"]),
            ("db", vec!["db-??????"]),
            ("prod/my-db", vec!["prod/my-db-??????"]),
            ("AbCdEf", vec!["AbCdEf-??????"]),
            ("db-AbCdE", vec!["db-AbCdE-??????"]),
            ("db-AbCdEfG", vec!["db-AbCdEfG-??????"]),
            ("db-Ab_dEf", vec!["db-Ab_dEf-??????"]),
            ("db:username::", vec!["db-??????"]),
            ("db::AWSPREVIOUS:", vec!["db-??????"]),
            ("app-secret", vec!["app-secret", "app-secret-??????"]),
            // The end of a version is no end of the name.
            ("db:::a1b2-c3d4e5", vec!["db-??????"]),
        ] {
            let expected = Expr::list(names.into_iter().map(arn));
            assert_eq!(resources(&arn(given), "ReadSecrets"), expected, "{given}");
        }
        let parameter = "arn:aws:ssm:eu-central-1:123456789012:parameter/db";
        assert_eq!(resources(parameter, "ReadParameters"), Expr::list([parameter]));
    }
}
