//! The keys of objects that hang on another object: they follow from the key of that parent and from settings.
//!
//! An object with tags carries its key in the tag [`KEY`](crate::ownership::KEY). An object without tags is
//! found as a child of another object, and gets its key here. Each rule is next to the code that names the
//! objects, and a test joins the two directions.

use super::child::Child;
use super::triggers::{bucket, http, records, schedule, target, topic};
use super::{common, rule};
use crate::composite::Settings;
use crate::graph::Key;
use crate::image;
use crate::kind::Kind;
use crate::kinds::{apigatewayv2, ecr, events, iam, lambda, s3, scheduler, sns, sqs};
use crate::ownership::Owner;

/// The slot of a child; `None` for an object of another owner.
type Rule = fn(&Child<'_>) -> Option<String>;

/// The slot of the parent.
const OF_PARENT: Rule = |child| Some(child.parent.to_owned());

/// The kinds of parents, each with a kind of its children and the rule for their slots.
static RULES: &[(&Kind, &Kind, Rule)] = &[
    (&apigatewayv2::API, &apigatewayv2::INTEGRATION, http::slot_of_integration),
    (&apigatewayv2::API, &apigatewayv2::ROUTE, http::slot_of_route),
    (&apigatewayv2::API, &apigatewayv2::AUTHORIZER, http::slot_of_authorizer),
    (&apigatewayv2::API, &apigatewayv2::STAGE, http::slot_of_stage),
    (&ecr::REPOSITORY, &ecr::LIFECYCLE_POLICY, OF_PARENT),
    (&ecr::REPOSITORY, &ecr::IMAGE, slot_of_image),
    (&events::RULE, &events::TARGET, rule::slot_of_target),
    (&iam::ROLE, &iam::ROLE_POLICY, common::slot_of_role_policy),
    (&lambda::FUNCTION, &lambda::FUNCTION_URL, |child| Some(http::slot_of_url(child))),
    (&lambda::FUNCTION, &lambda::EVENT_INVOKE_CONFIG, OF_PARENT),
    (&lambda::FUNCTION, &lambda::PERMISSION, target::slot_of_permission),
    (&lambda::FUNCTION, &lambda::EVENT_SOURCE_MAPPING, |child| Some(records::slot_of_mapping(child))),
    (&lambda::PERMISSION, &s3::NOTIFICATION, bucket::slot_of_notification),
    (&lambda::PERMISSION, &sns::TOPIC_SUBSCRIPTION, OF_PARENT),
    (&s3::BUCKET, &s3::PUBLIC_ACCESS_BLOCK, OF_PARENT),
    (&s3::BUCKET, &s3::OWNERSHIP_CONTROLS, OF_PARENT),
    (&s3::BUCKET, &s3::ENCRYPTION, OF_PARENT),
    (&s3::BUCKET, &s3::LIFECYCLE, OF_PARENT),
    (&s3::BUCKET, &s3::VERSIONING, OF_PARENT),
    (&s3::BUCKET, &s3::CORS, OF_PARENT),
    (&s3::BUCKET, &s3::POLICY, OF_PARENT),
    (&s3::BUCKET, &s3::EVENT_BRIDGE, OF_PARENT),
    (&scheduler::SCHEDULE_GROUP, &scheduler::SCHEDULE, schedule::slot_of_schedule),
    (&sns::TOPIC, &sns::TOPIC_POLICY, OF_PARENT),
    (&sqs::QUEUE, &sqs::QUEUE_POLICY, OF_PARENT),
    (&sqs::QUEUE, &sqs::QUEUE_REDRIVE_ALLOW_POLICY, OF_PARENT),
    (&sqs::QUEUE_POLICY, &sns::TOPIC_SUBSCRIPTION, topic::slot_of_subscription),
];

/// The kinds of the children of an object of this kind.
pub fn kinds_of_children(parent: &Kind) -> impl Iterator<Item = &'static Kind> {
    RULES.iter().filter(move |(of, ..)| of.name == parent.name).map(|(_, kind, _)| *kind)
}

/// Returns true for a kind whose objects are children of other objects.
pub fn is_child(kind: &Kind) -> bool {
    RULES.iter().any(|(_, child, _)| child.name == kind.name)
}

/// The keys of all children of this kind that an object has, in their order. `None` for an object that the
/// composite does not create, e.g. a permission that a user added to the function.
///
/// An event source mapping also carries its key in its tag, unless an older version created it.
pub fn keys_of_children(
    owner: &Owner,
    (parent, of): (&Key, &Kind),
    kind: &Kind,
    siblings: &[&Settings],
) -> Vec<Option<Key>> {
    let rule = RULES.iter().find(|(parent, child, _)| parent.name == of.name && child.name == kind.name);
    let key = |settings: &&Settings| {
        let child = Child { owner, parent: parent.slot_of(of)?, settings, siblings };
        Some(Key::new(kind, &rule?.2(&child)?))
    };
    siblings.iter().map(key).collect()
}

fn slot_of_image(child: &Child<'_>) -> Option<String> {
    let tag = child.text("tag");
    image::is_ours(tag).then(|| image::slot(child.parent, tag))
}
