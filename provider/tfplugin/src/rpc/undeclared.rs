//! List resources and actions. The provider declares none, so every request is an error.

use super::{Inner, undeclared, wire};
use crate::proto;

pub(super) fn list(request: &proto::list_resource::Request) -> proto::list_resource::Event {
    proto::list_resource::Event {
        diagnostic: wire(vec![undeclared("list resource", &request.type_name)]),
        ..Default::default()
    }
}

pub(super) fn action(request: &proto::invoke_action::Request) -> proto::invoke_action::Event {
    use proto::invoke_action::event;
    let diagnostics = wire(vec![undeclared("action", &request.action_type)]);
    proto::invoke_action::Event { r#type: Some(event::Type::Completed(event::Completed { diagnostics })) }
}

impl Inner {
    pub(super) async fn validate_list_resource_config(
        &self,
        request: proto::validate_list_resource_config::Request,
    ) -> proto::validate_list_resource_config::Response {
        let diagnostics = wire(vec![undeclared("list resource", &request.type_name)]);
        proto::validate_list_resource_config::Response { diagnostics }
    }

    pub(super) async fn validate_action_config(
        &self,
        request: proto::validate_action_config::Request,
    ) -> proto::validate_action_config::Response {
        let diagnostics = wire(vec![undeclared("action", &request.action_type)]);
        proto::validate_action_config::Response { diagnostics }
    }

    pub(super) async fn plan_action(
        &self,
        request: proto::plan_action::Request,
    ) -> proto::plan_action::Response {
        let diagnostics = wire(vec![undeclared("action", &request.action_type)]);
        proto::plan_action::Response { diagnostics, ..Default::default() }
    }
}
