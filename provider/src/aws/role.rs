//! IAM roles.

use async_trait::async_trait;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::iam;

use super::failure::{call, found, gone};
use super::{of_project, pages, parse_policy};

pub(super) struct Roles(pub(super) Client);

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("key and value are set")
}

#[async_trait]
impl Driver for Roles {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(role) =
            found(call!("iam:GetRole", self.0.get_role().role_name(id)))?.and_then(|role| role.role)
        else {
            return Ok(None);
        };
        // The document of GetRole is percent-encoded.
        let document = role.assume_role_policy_document().map(|text| parse_policy(&percent_decode(text)));
        let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<iam::Role>::default()
                .name(role.role_name())
                .path(role.path())
                .description(role.description().filter(|text| !text.is_empty()))
                .assume_role_policy(document)
                .permissions_boundary(boundary)
                .settings(),
            attributes: [("arn".to_owned(), role.arn().into())].into(),
            tags: role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        }))
    }

    /// IAM filters by path prefix only: this lists every role.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let roles = pages(|token| async {
            let request = self.0.list_roles().max_items(1000).set_marker(token);
            let page = call!("iam:ListRoles", request)?;
            Ok((page.roles, page.marker))
        });
        Ok(of_project(project, roles.await?.into_iter().map(|role| role.role_name)))
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let role = View::<iam::Role>::of(settings);
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let request = self
            .0
            .create_role()
            .role_name(role.name())
            .path(role.path())
            .set_description(role.description().map(ToOwned::to_owned))
            .assume_role_policy_document(role.assume_role_policy())
            .set_permissions_boundary(role.permissions_boundary().map(ToOwned::to_owned))
            .set_tags(Some(tags));
        call!("iam:CreateRole", request)?;
        Ok(Created { id: role.name().to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let wanted = View::<iam::Role>::of(settings);
        if fields.contains(&"assume_role_policy") {
            let document = wanted.assume_role_policy();
            let request = self.0.update_assume_role_policy().role_name(id).policy_document(document);
            call!("iam:UpdateAssumeRolePolicy", request)?;
        }
        if fields.contains(&"description") {
            let description = wanted.description().unwrap_or_default();
            let request = self.0.update_role().role_name(id).description(description);
            call!("iam:UpdateRole", request)?;
        }
        if fields.contains(&"permissions_boundary") {
            if let Some(arn) = wanted.permissions_boundary() {
                let request = self.0.put_role_permissions_boundary().role_name(id).permissions_boundary(arn);
                call!("iam:PutRolePermissionsBoundary", request)?;
            } else {
                let request = self.0.delete_role_permissions_boundary().role_name(id);
                call!("iam:DeleteRolePermissionsBoundary", request)?;
            }
        }
        Ok(())
    }

    async fn add_tags(&self, id: &str, set: &Tags) -> Result<(), Failure> {
        let tags = set.iter().map(|(key, value)| tag(key, value)).collect();
        call!("iam:TagRole", self.0.tag_role().role_name(id).set_tags(Some(tags))).map(|_| ())
    }

    async fn remove_tags(&self, id: &str, remove: &[String]) -> Result<(), Failure> {
        call!("iam:UntagRole", self.0.untag_role().role_name(id).set_tag_keys(Some(remove.to_vec())))
            .map(|_| ())
    }

    /// Removes all policies first, also foreign ones: IAM deletes no role that has policies.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let attached =
            found(call!("iam:ListAttachedRolePolicies", self.0.list_attached_role_policies().role_name(id)))?;
        for policy in attached.and_then(|attached| attached.attached_policies).unwrap_or_default() {
            let request = self.0.detach_role_policy().role_name(id).set_policy_arn(policy.policy_arn);
            gone(call!("iam:DetachRolePolicy", request))?;
        }
        let inline = found(call!("iam:ListRolePolicies", self.0.list_role_policies().role_name(id)))?;
        for name in inline.map(|inline| inline.policy_names).unwrap_or_default() {
            let request = self.0.delete_role_policy().role_name(id).policy_name(name);
            gone(call!("iam:DeleteRolePolicy", request))?;
        }
        gone(call!("iam:DeleteRole", self.0.delete_role().role_name(id)))
    }
}

/// Decodes `%XX`; other text stays.
pub(super) fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
