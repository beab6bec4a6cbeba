//! CloudWatch log groups.

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::logs;
use tandem_model::names;

use super::failure::{call, gone};
use super::pages;

pub(super) struct LogGroups(pub(super) Client);

impl LogGroups {
    async fn describe(&self, id: &str) -> Result<Option<LogGroup>, Failure> {
        // DescribeLogGroups filters by prefix, which many names share: page until the exact name is found.
        let mut token = None;
        loop {
            let request = self.0.describe_log_groups().log_group_name_prefix(id).set_next_token(token);
            let page = call!("logs:DescribeLogGroups", request)?;
            let mut groups = page.log_groups.unwrap_or_default().into_iter();
            if let Some(group) = groups.find(|group| group.log_group_name() == Some(id)) {
                return Ok(Some(group));
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    /// The ARN that the tagging calls take: without the `:*` at the end.
    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let group = self.describe(id).await?;
        let arn = group.as_ref().and_then(LogGroup::arn).map(|arn| arn.trim_end_matches(":*").to_owned());
        arn.ok_or_else(|| Failure::local("logs:DescribeLogGroups", format!("the log group `{id}` is gone")))
    }

    async fn put_retention(&self, id: &str, group: &View<'_, logs::LogGroup>) -> Result<(), Failure> {
        match group.retention_in_days() {
            None => {
                gone(call!("logs:DeleteRetentionPolicy", self.0.delete_retention_policy().log_group_name(id)))
            }
            Some(days) => {
                let request = self.0.put_retention_policy().log_group_name(id).retention_in_days(days);
                call!("logs:PutRetentionPolicy", request).map(|_| ())
            }
        }
    }
}

#[async_trait]
impl Driver for LogGroups {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(group) = self.describe(id).await? else { return Ok(None) };
        let arn = group.arn().unwrap_or_default().trim_end_matches(":*").to_owned();
        let listed = call!("logs:ListTagsForResource", self.0.list_tags_for_resource().resource_arn(&arn))?;
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<logs::LogGroup>::default()
                .name(group.log_group_name())
                .retention_in_days(group.retention_in_days())
                .kms_key_id(group.kms_key_id())
                .settings(),
            attributes: [("arn".to_owned(), arn.into())].into(),
            tags: listed.tags.unwrap_or_default().into_iter().collect(),
        }))
    }

    /// The log groups of functions, containers, HTTP APIs and state machines.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for folder in ["/aws/lambda/", "/aws/ecs/", "/aws/vendedlogs/http-api/", "/aws/vendedlogs/states/"] {
            let prefix = format!("{folder}{}", names::prefix(project));
            let groups = pages(|token| async {
                let request = self.0.describe_log_groups().log_group_name_prefix(&prefix);
                let page = call!("logs:DescribeLogGroups", request.set_next_token(token))?;
                Ok((page.log_groups.unwrap_or_default(), page.next_token))
            });
            names.extend(groups.await?.into_iter().filter_map(|group| group.log_group_name));
        }
        Ok(names)
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let group = View::<logs::LogGroup>::of(settings);
        let name = group.name();
        let request = self
            .0
            .create_log_group()
            .log_group_name(name)
            .set_kms_key_id(group.kms_key_id().map(ToOwned::to_owned))
            // The call demands one tag or none at all.
            .set_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect()));
        call!("logs:CreateLogGroup", request)?;
        self.put_retention(name, &group).await?;
        Ok(Created { id: name.to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let wanted = View::<logs::LogGroup>::of(settings);
        if fields.contains(&"retention_in_days") {
            self.put_retention(id, &wanted).await?;
        }
        if fields.contains(&"kms_key_id") {
            match wanted.kms_key_id() {
                Some(key) => {
                    let request = self.0.associate_kms_key().log_group_name(id).kms_key_id(key);
                    call!("logs:AssociateKmsKey", request)?;
                }
                None => {
                    call!("logs:DisassociateKmsKey", self.0.disassociate_kms_key().log_group_name(id))?;
                }
            }
        }
        Ok(())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let tags = Some(set.clone().into_iter().collect());
        call!("logs:TagResource", self.0.tag_resource().resource_arn(arn).set_tags(tags)).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("logs:UntagResource", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("logs:DeleteLogGroup", self.0.delete_log_group().log_group_name(id)))
    }
}
