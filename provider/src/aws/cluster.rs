//! ECS clusters.

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Cluster, ClusterField};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::ecs;

use super::failure::{call, found, gone, not_yet};
use super::task_definition::{add_tags, remove_tags, tag_list, tag_map};
use super::{of_project, pages};

pub(super) struct Clusters(pub(super) Client);

impl Clusters {
    async fn describe(&self, id: &str) -> Result<Option<Cluster>, Failure> {
        let request = self.0.describe_clusters().clusters(id).include(ClusterField::Tags);
        let found = found(call!("ecs:DescribeClusters", request))?;
        let mut clusters = found.and_then(|found| found.clusters).unwrap_or_default().into_iter();
        // A deleted cluster stays visible for a while.
        Ok(clusters.find(|cluster| cluster.status() != Some("INACTIVE")))
    }

    /// Stops all tasks: ECS does not delete a cluster that has tasks.
    async fn stop_tasks(&self, id: &str) -> Result<(), Failure> {
        let Some(listed) = found(call!("ecs:ListTasks", self.0.list_tasks().cluster(id)))? else {
            return Ok(());
        };
        for task in listed.task_arns() {
            let request = self.0.stop_task().cluster(id).task(task).reason("the composite is destroyed");
            gone(call!("ecs:StopTask", request))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for Clusters {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(cluster) = self.describe(id).await? else { return Ok(None) };
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<ecs::Cluster>::default()
                .name(cluster.cluster_name())
                .capacity_providers(cluster.capacity_providers())
                .settings(),
            attributes: [("arn".to_owned(), json!(cluster.cluster_arn()))].into(),
            tags: tag_map(cluster.tags()),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let arns = pages(|token| async {
            let page = call!("ecs:ListClusters", self.0.list_clusters().set_next_token(token))?;
            Ok((page.cluster_arns.unwrap_or_default(), page.next_token))
        });
        let arns = arns.await?.into_iter();
        let names = arns.filter_map(|arn| Some(arn.rsplit_once(":cluster/")?.1.to_owned()));
        Ok(of_project(project, names))
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let cluster = View::<ecs::Cluster>::of(settings);
        let name = cluster.name();
        let request = self
            .0
            .create_cluster()
            .cluster_name(name)
            .set_capacity_providers(Some(cluster.capacity_providers()))
            .set_tags(Some(tag_list(tags)));
        let created = call!("ecs:CreateCluster", request)?.cluster;
        let arn = created.and_then(|cluster| cluster.cluster_arn);
        Ok(Created { id: name.to_owned(), attributes: [("arn".to_owned(), json!(arn))].into() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let request = self
            .0
            .put_cluster_capacity_providers()
            .cluster(id)
            .set_capacity_providers(Some(View::<ecs::Cluster>::of(settings).capacity_providers()))
            .set_default_capacity_provider_strategy(Some(Vec::new()));
        call!("ecs:PutClusterCapacityProviders", request).map(|_| ())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        let arn = self.describe(id).await?.and_then(|cluster| cluster.cluster_arn);
        arn.ok_or_else(|| Failure::local("ecs:DescribeClusters", format!("the cluster `{id}` is gone")))
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        add_tags(&self.0, arn, set).await
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        remove_tags(&self.0, arn, remove).await
    }

    async fn ready(&self, id: &str) -> Result<(), Failure> {
        let cluster = self.describe(id).await?;
        match cluster.as_ref().and_then(Cluster::status) {
            None | Some("PROVISIONING") => {
                Err(not_yet("ecs:DescribeClusters", format!("the cluster `{id}` is not active yet")))
            }
            Some(_) => Ok(()),
        }
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        self.stop_tasks(id).await?;
        gone(call!("ecs:DeleteCluster", self.0.delete_cluster().cluster(id)))
    }
}
