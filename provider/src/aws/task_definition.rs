//! ECS task definitions of one container. The id is the family; its latest revision has the settings.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, EphemeralStorage, KeyValuePair, LogConfiguration,
    LogDriver, MountPoint, NetworkMode, OsFamily, RuntimePlatform, Secret, SortOrder, Tag,
    TaskDefinitionFamilyStatus, TaskDefinitionField, TaskDefinitionStatus, Volume,
};
use serde_json::Value as Json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::ecs::TaskDefinition;
use tandem_model::names;

use super::failure::{call, found, gone};
use super::pages;

/// The one volume of a task.
const SCRATCH: &str = "scratch";

pub(super) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn tag_map(tags: &[Tag]) -> Tags {
    let pairs = tags.iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

pub(super) async fn add_tags(client: &Client, arn: &str, set: &Tags) -> Result<(), Failure> {
    let request = client.tag_resource().resource_arn(arn).set_tags(Some(tag_list(set)));
    call!("ecs:TagResource", request).map(|_| ())
}

pub(super) async fn remove_tags(client: &Client, arn: &str, remove: &[String]) -> Result<(), Failure> {
    let request = client.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
    call!("ecs:UntagResource", request).map(|_| ())
}

pub(super) struct TaskDefinitions {
    pub(super) ecs: Client,
    pub(super) region: String,
    /// The ARN of the last registered revision, by family: listings do not contain it at once.
    pub(super) registered: Mutex<BTreeMap<String, String>>,
}

impl TaskDefinitions {
    /// The ARNs of a family's revisions, the latest first.
    async fn revisions(&self, family: &str, status: TaskDefinitionStatus) -> Result<Vec<String>, Failure> {
        let mut revisions = Vec::new();
        let mut token = None;
        loop {
            let request = self
                .ecs
                .list_task_definitions()
                .family_prefix(family)
                .status(status.clone())
                .sort(SortOrder::Desc)
                .set_next_token(token);
            let page = call!("ecs:ListTaskDefinitions", request)?;
            revisions.extend(page.task_definition_arns.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        // Other families may start with the name of this one.
        let of_family = |arn: &String| {
            let name = arn.rsplit_once(":task-definition/").map_or("", |(_, name)| name);
            name.rsplit_once(':').is_some_and(|(name, _)| name == family)
        };
        revisions.retain(of_family);
        if status == TaskDefinitionStatus::Active
            && let Some(registered) = self.registered().get(family)
            && !revisions.contains(registered)
        {
            revisions.push(registered.clone());
        }
        let revision = |arn: &String| arn.rsplit(':').next().and_then(|text| text.parse::<u64>().ok());
        revisions.sort_by_key(|arn| std::cmp::Reverse(revision(arn)));
        Ok(revisions)
    }

    fn registered(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn register(&self, settings: &Settings, tags: &Tags) -> Result<(), Failure> {
        let task = View::<TaskDefinition>::of(settings);
        let pairs = task.environment().unwrap_or_default().into_iter();
        let environment = pairs.map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        let secrets = task.secrets().unwrap_or_default().into_iter();
        let secrets = secrets.map(|(name, arn)| Secret::builder().name(name).value_from(arn).build());
        let secrets = secrets.collect::<Result<Vec<_>, _>>().expect("name and value are set");
        let mut logs = LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", task.log_group())
            .options("awslogs-region", &self.region)
            .options("awslogs-stream-prefix", task.container_name());
        // An update omits a mode in `ignore_drift` that AWS does not report.
        if !task.log_mode().is_empty() {
            logs = logs.options("mode", task.log_mode());
        }
        let mount = MountPoint::builder().source_volume(SCRATCH).container_path(task.scratch_path());
        let given = |list: Option<Vec<String>>| list.filter(|list| !list.is_empty());
        let container = ContainerDefinition::builder()
            .name(task.container_name())
            .image(task.image())
            .essential(true)
            .set_command(given(task.command()))
            .set_entry_point(given(task.entry_point()))
            .set_environment(Some(environment.collect()))
            .set_secrets(Some(secrets).filter(|secrets| !secrets.is_empty()))
            // By name, like the sizes: an update omits a field in `ignore_drift` that AWS does not report.
            .set_stop_timeout(task.stop_timeout())
            .set_readonly_root_filesystem(task.readonly_root_filesystem())
            .mount_points(mount.build())
            .log_configuration(logs.build().expect("the driver is set"));
        let platform = RuntimePlatform::builder()
            .operating_system_family(OsFamily::Linux)
            .cpu_architecture(CpuArchitecture::from(aws_architecture(task.cpu_architecture())));
        let storage = task.ephemeral_storage();
        let request = self
            .ecs
            .register_task_definition()
            .family(task.family())
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .set_cpu(task.cpu().map(|units| units.to_string()))
            .set_memory(task.memory().map(|mebibytes| mebibytes.to_string()))
            .runtime_platform(platform.build())
            .set_ephemeral_storage(storage.map(|gib| EphemeralStorage::builder().size_in_gib(gib).build()))
            .execution_role_arn(task.execution_role_arn())
            .task_role_arn(task.task_role_arn())
            .volumes(Volume::builder().name(SCRATCH).build())
            .container_definitions(container.build())
            .set_tags(Some(tag_list(tags)));
        let registered = call!("ecs:RegisterTaskDefinition", request)?.task_definition;
        if let Some(arn) = registered.and_then(|registered| registered.task_definition_arn) {
            self.registered().insert(task.family().to_owned(), arn);
        }
        Ok(())
    }

    async fn deregister(&self, revisions: &[String]) -> Result<(), Failure> {
        for revision in revisions {
            let request = self.ecs.deregister_task_definition().task_definition(revision);
            gone(call!("ecs:DeregisterTaskDefinition", request))?;
            self.registered().retain(|_, arn| arn != revision);
        }
        Ok(())
    }
}

fn aws_architecture(name: &str) -> &'static str {
    if name == "arm64" { "ARM64" } else { "X86_64" }
}

fn pairs<'a>(pairs: impl Iterator<Item = Option<(&'a str, &'a str)>>) -> Json {
    let pairs: serde_json::Map<String, Json> =
        pairs.flatten().map(|(name, value)| (name.to_owned(), value.into())).collect();
    if pairs.is_empty() { Json::Null } else { Json::Object(pairs) }
}

#[async_trait]
impl Driver for TaskDefinitions {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let revisions = self.revisions(id, TaskDefinitionStatus::Active).await?;
        let Some(latest) = revisions.first() else { return Ok(None) };
        let request =
            self.ecs.describe_task_definition().task_definition(latest).include(TaskDefinitionField::Tags);
        let Some(described) = found(call!("ecs:DescribeTaskDefinition", request))? else { return Ok(None) };
        let Some(now) = described.task_definition else { return Ok(None) };
        if now.status() == Some(&TaskDefinitionStatus::Inactive) {
            // Another process deregistered the revision that this process registered.
            self.registered().retain(|_, arn| arn != latest);
            return Ok(None);
        }
        let container = now.container_definitions().first();
        let whole = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
        let architecture = now.runtime_platform().and_then(RuntimePlatform::cpu_architecture);
        let logs = container.and_then(ContainerDefinition::log_configuration);
        let log_option = |name: &str| logs.and_then(|logs| logs.options()?.get(name));
        let mount = container.and_then(|container| container.mount_points().first());
        let environment = container.map(ContainerDefinition::environment).unwrap_or_default().iter();
        let secrets = container.map(ContainerDefinition::secrets).unwrap_or_default().iter();
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<TaskDefinition>::default()
                .family(now.family())
                .active_revisions(revisions.len())
                .cpu(whole(now.cpu()))
                .memory(whole(now.memory()))
                .cpu_architecture(architecture.map(|name| name.as_str().to_ascii_lowercase()))
                .ephemeral_storage(now.ephemeral_storage().map(EphemeralStorage::size_in_gib))
                .execution_role_arn(now.execution_role_arn())
                .task_role_arn(now.task_role_arn())
                .container_name(container.and_then(ContainerDefinition::name))
                .image(container.and_then(ContainerDefinition::image))
                .command(container.map(ContainerDefinition::command))
                .entry_point(container.map(ContainerDefinition::entry_point))
                .environment(pairs(environment.map(|pair| Some((pair.name()?, pair.value()?)))))
                .secrets(pairs(secrets.map(|secret| Some((secret.name(), secret.value_from())))))
                .log_group(log_option("awslogs-group"))
                .log_mode(log_option("mode"))
                .stop_timeout(container.and_then(ContainerDefinition::stop_timeout))
                .readonly_root_filesystem(container.and_then(ContainerDefinition::readonly_root_filesystem))
                .scratch_path(mount.and_then(MountPoint::container_path))
                .settings(),
            attributes: BTreeMap::new(),
            tags: tag_map(&described.tags.unwrap_or_default()),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let families = pages(|token| async {
            let request = self.ecs.list_task_definition_families().family_prefix(names::prefix(project));
            let request = request.status(TaskDefinitionFamilyStatus::Active).set_next_token(token);
            let page = call!("ecs:ListTaskDefinitionFamilies", request)?;
            Ok((page.families.unwrap_or_default(), page.next_token))
        });
        families.await
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let family = View::<TaskDefinition>::of(settings).family();
        self.register(settings, tags).await?;
        // A call that was repeated after a lost response registers two revisions.
        let revisions = self.revisions(family, TaskDefinitionStatus::Active).await?;
        self.deregister(revisions.get(1..).unwrap_or_default()).await?;
        Ok(Created { id: family.to_owned(), ..Created::default() })
    }

    /// Registers a new revision with the tags of the latest, and deregisters all others.
    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        if fields != ["active_revisions"] {
            let tags = self.observe(id).await?.map(|latest| latest.tags).unwrap_or_default();
            self.register(settings, &tags).await?;
        }
        let revisions = self.revisions(id, TaskDefinitionStatus::Active).await?;
        self.deregister(revisions.get(1..).unwrap_or_default()).await
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        let revisions = self.revisions(id, TaskDefinitionStatus::Active).await?;
        revisions.into_iter().next().ok_or_else(|| {
            Failure::local("ecs:ListTaskDefinitions", format!("the task definition `{id}` is gone"))
        })
    }

    async fn add_tags(&self, revision: &str, set: &Tags) -> Result<(), Failure> {
        add_tags(&self.ecs, revision, set).await
    }

    async fn remove_tags(&self, revision: &str, remove: &[String]) -> Result<(), Failure> {
        remove_tags(&self.ecs, revision, remove).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        self.deregister(&self.revisions(id, TaskDefinitionStatus::Active).await?).await?;
        let inactive = self.revisions(id, TaskDefinitionStatus::Inactive).await?;
        // DeleteTaskDefinitions takes up to 10 revisions.
        for some in inactive.chunks(10) {
            let request = self.ecs.delete_task_definitions().set_task_definitions(Some(some.to_vec()));
            gone(call!("ecs:DeleteTaskDefinitions", request))?;
        }
        Ok(())
    }
}
