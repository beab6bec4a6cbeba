//! EC2.

use crate::kind::{Form, Kind, field};

/// A security group: nothing comes in, everything may go out.
pub static SECURITY_GROUP: Kind = Kind {
    name: "security_group",
    title: "security group",
    service: "ec2",
    fields: &[
        field("name").immutable(),
        field("description").immutable(),
        field("vpc_id").immutable(),
        field("ingress").form(Form::Set).optional(),
    ],
    id: None,
    attributes: &[("id", None)],
    tags: true,
    exclusive: false,
    data: false,
    hashed_name: false,
};
