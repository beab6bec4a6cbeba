//! Inline policies of IAM roles.

use async_trait::async_trait;
use aws_sdk_iam::Client;
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;

use super::failure::{call, found, gone};
use super::role::percent_decode;
use super::{parse_policy, policy_text, settings, split, text};

pub(super) struct RolePolicies(pub(super) Client);

impl RolePolicies {
    async fn put(&self, settings: &Settings) -> Result<(), Failure> {
        let request = self
            .0
            .put_role_policy()
            .role_name(text(settings, "role"))
            .policy_name(text(settings, "name"))
            .policy_document(policy_text(settings, "policy"));
        call!("iam:PutRolePolicy", request).map(|_| ())
    }
}

#[async_trait]
impl Driver for RolePolicies {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (role, name) = split(id, ':', "iam:GetRolePolicy")?;
        let request = self.0.get_role_policy().role_name(role).policy_name(name);
        let Some(policy) = found(call!("iam:GetRolePolicy", request))? else { return Ok(None) };
        let document = parse_policy(&percent_decode(policy.policy_document()));
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: settings([("role", json!(role)), ("name", json!(name)), ("policy", document)]),
            ..Observed::default()
        }))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        self.put(settings).await?;
        let id = format!("{}:{}", text(settings, "role"), text(settings, "name"));
        Ok(Created { id, ..Created::default() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(settings).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (role, name) = split(id, ':', "iam:DeleteRolePolicy")?;
        gone(call!("iam:DeleteRolePolicy", self.0.delete_role_policy().role_name(role).policy_name(name)))
    }
}
