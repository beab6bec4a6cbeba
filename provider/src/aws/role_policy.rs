//! Inline policies of IAM roles.

use async_trait::async_trait;
use aws_sdk_iam::Client;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::iam;

use super::failure::{call, found, gone};
use super::role::percent_decode;
use super::{pages, parse_policy, split};

pub(super) struct RolePolicies(pub(super) Client);

impl RolePolicies {
    async fn put(&self, policy: &View<'_, iam::RolePolicy>) -> Result<(), Failure> {
        let request = self
            .0
            .put_role_policy()
            .role_name(policy.role())
            .policy_name(policy.name())
            .policy_document(policy.policy());
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
            settings: Seen::<iam::RolePolicy>::default().role(role).name(name).policy(document).settings(),
            ..Observed::default()
        }))
    }

    async fn children(&self, parent: &'static Kind, role: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != iam::ROLE.name {
            return Ok(Vec::new());
        }
        let names = pages(|marker| async {
            let request = self.0.list_role_policies().role_name(&role.id).set_marker(marker);
            let page = found(call!("iam:ListRolePolicies", request))?;
            Ok(page.map(|page| (page.policy_names, page.marker)).unwrap_or_default())
        });
        let mut children = Vec::new();
        for name in names.await? {
            children.extend(self.observe(&format!("{}:{name}", role.id)).await?);
        }
        Ok(children)
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let policy = View::<iam::RolePolicy>::of(settings);
        self.put(&policy).await?;
        let id = format!("{}:{}", policy.role(), policy.name());
        Ok(Created { id, ..Created::default() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(&View::of(settings)).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (role, name) = split(id, ':', "iam:DeleteRolePolicy")?;
        gone(call!("iam:DeleteRolePolicy", self.0.delete_role_policy().role_name(role).policy_name(name)))
    }
}
