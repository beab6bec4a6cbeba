//! The `bucket` composite: an S3 bucket with secure defaults.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::common::{self, Encryption, Identity, Tags};
use super::part::Part;
use crate::composite::{Composite, Outputs, Settings, item_path};
use crate::context::Context;
use crate::edge::KeyPattern;
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule};
use crate::kinds::s3;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::unit::Unit;
use crate::value::Value;

/// A private, encrypted bucket.
pub(super) struct Bucket;

/// Inputs of [`Bucket`].
#[derive(Debug, Inputs)]
pub(super) struct BucketInputs {
    /// Name of the bucket. The name in AWS consists of the project, this name and a hash of account and region, e.g. `shop-prod-inbox-1a2b3c4d`.
    #[input(flatten)]
    identity: Identity,
    /// ARN of the KMS key that encrypts objects. Without it, S3 uses its own keys (SSE-S3).
    #[input(flatten)]
    encryption: Encryption,
    /// Namespace of the name in AWS. In `account-regional` only your account can take the name, which ends in account, region and `-an`. Default: the global namespace, whose names all accounts share.
    #[input(rule = Rule::OneOf(&[s3::OWN_NAMESPACE]), replaces = "the bucket has another name")]
    bucket_namespace: Option<String>,
    /// Days after which S3 deletes incomplete multipart uploads.
    #[input(unit = Unit::Days, default = 7, rule = Rule::Range(1, 365))]
    abort_incomplete_upload_days: Scalar<i64>,
    /// Deletes objects, or moves them to a cheaper storage class, after some time. Rules of other owners stay.
    lifecycle_rule: Vec<LifecycleRule>,
    /// Keeps earlier versions of objects. Versions that exist stay when it is turned off.
    #[input(default = false)]
    versioning: bool,
    /// Allows web pages of other sites to use the bucket. Without it, browsers block them.
    cors: Option<Cors>,
    /// Sends events of the bucket's objects to EventBridge, for workflows and for your own rules. S3 takes about five minutes to enable it.
    #[input(default = false)]
    event_bridge: bool,
    #[input(flatten)]
    tags: Tags,
    /// Allows deletion of a bucket that contains objects. All objects and their versions are deleted with it.
    #[input(default = false)]
    force_destroy: bool,
}

/// A lifecycle rule: at least one of `expiration_days`, `noncurrent_expiration_days` and `transition_days`.
#[derive(Debug, Inputs)]
struct LifecycleRule {
    /// Name of the rule within the bucket.
    #[input(rule = Rule::NAME)]
    name: String,
    /// Prefix of the keys. Default: all objects.
    prefix: Option<Scalar<String>>,
    /// Days after which S3 deletes an object. In a bucket with versions, the object stays as an earlier version.
    #[input(unit = Unit::Days, rule = Rule::Range(1, 2_147_483_647))]
    expiration_days: Option<Scalar<i64>>,
    /// Days after which S3 deletes an earlier version of an object.
    #[input(unit = Unit::Days, rule = Rule::Range(1, 2_147_483_647))]
    noncurrent_expiration_days: Option<Scalar<i64>>,
    /// Days after which S3 moves an object to `storage_class`.
    #[input(unit = Unit::Days, rule = Rule::Range(0, 2_147_483_647))]
    transition_days: Option<Scalar<i64>>,
    /// Storage class for objects after `transition_days`, e.g. `STANDARD_IA`, `GLACIER_IR` or `DEEP_ARCHIVE`.
    storage_class: Option<Scalar<String>>,
}

/// The CORS rule of a bucket.
#[derive(Debug, Inputs)]
struct Cors {
    /// Origins of the pages, e.g. `https://shop.example`, or `*` for all.
    origins: Vec<Scalar<String>>,
    /// HTTP methods that they may use.
    #[input(rule = Rule::Limit(&s3::CORS, "allowed_methods"))]
    methods: Vec<Scalar<String>>,
    /// Request headers that they may send, e.g. `content-type`, or `*` for all.
    headers: Vec<Scalar<String>>,
    /// Response headers that they may read, e.g. `ETag`.
    expose_headers: Vec<Scalar<String>>,
    /// Seconds for which a browser remembers the answer.
    #[input(unit = Unit::Seconds, rule = Rule::Limit(&s3::CORS, "max_age_seconds"))]
    max_age: Option<Scalar<i64>>,
}

/// Outputs of [`Bucket`].
#[derive(Outputs)]
pub(super) struct BucketOutputs {
    /// Name of the bucket.
    bucket: Expr,
    /// ARN of the bucket.
    arn: Expr,
    /// IAM policy document (JSON) that allows reading objects of the bucket.
    reader_policy: Expr,
    /// IAM policy document (JSON) that allows writing and deleting objects of the bucket.
    writer_policy: Expr,
}

impl Composite for Bucket {
    type Inputs = BucketInputs;
    type Outputs = BucketOutputs;
    const TYPE: &'static str = "bucket";
    const TERMS: &'static [&'static str] = &["s3", "storage"];
    const DOC: &'static str = "Creates a private, encrypted S3 bucket.\n\n\
        All four settings of the public access block are on, and the bucket owner owns all objects \
        (`BucketOwnerEnforced`). The bucket rejects requests without TLS, and S3 deletes incomplete multipart \
        uploads after `abort_incomplete_upload_days`.";

    fn expand(
        inputs: &BucketInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<BucketOutputs> {
        check_rules(&inputs.lifecycle_rule, findings);
        inputs.tags.set(graph);
        graph.force_destroy = inputs.force_destroy;
        let part = Part::new(context, &inputs.identity.name);
        let spec = BucketSpec {
            kms_key_arn: inputs.encryption.key(),
            abort_incomplete_upload_days: &inputs.abort_incomplete_upload_days,
            rules: rules(&inputs.lifecycle_rule),
            own_namespace: inputs.bucket_namespace.as_deref() == Some(s3::OWN_NAMESPACE),
        };
        let bucket = add(graph, &part, spec);
        if inputs.versioning {
            graph.add(s3::Versioning, "main").bucket(bucket.attribute("bucket")).status("Enabled");
        }
        if let Some(cors) = &inputs.cors {
            let list = |items: &[Scalar<String>]| Some(Expr::list(items)).filter(|_| !items.is_empty());
            graph
                .add(s3::Cors, "main")
                .bucket(bucket.attribute("bucket"))
                .allowed_origins(Expr::list(&cors.origins))
                .allowed_methods(Expr::list(&cors.methods))
                .allowed_headers(list(&cors.headers))
                .expose_headers(list(&cors.expose_headers))
                .max_age_seconds(cors.max_age.as_ref());
        }
        if inputs.event_bridge {
            graph.add(s3::EventBridge, "main").bucket(bucket.attribute("bucket"));
        }
        let policy = |grant: fn(Expr, KeyPattern) -> Grant| {
            common::policy_text([grant(bucket.arn(), KeyPattern::default())], &inputs.encryption)
        };
        Some(BucketOutputs {
            bucket: bucket.attribute("bucket"),
            arn: bucket.arn(),
            reader_policy: policy(Grant::ReadObjects),
            writer_policy: policy(Grant::ChangeObjects),
        })
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }

    fn other_seeds(name: &str) -> Vec<Value> {
        let namespace = Value::String(s3::OWN_NAMESPACE.to_owned());
        vec![Value::map([("name", Value::String(name.to_owned())), ("bucket_namespace", namespace)])]
    }

    fn read_back(objects: &BTreeMap<String, Settings>) -> Value {
        let lifecycle = objects.get("s3_bucket_lifecycle_configuration.main");
        let rules = lifecycle.and_then(|settings| settings.get("rules")).and_then(Json::as_array);
        let rules = rules.into_iter().flatten().map(read_rule).collect();
        Value::map([("lifecycle_rule", Value::List(rules))])
    }
}

fn check_rules(rules: &[LifecycleRule], findings: &mut Findings) {
    for (index, rule) in rules.iter().enumerate() {
        let at = item_path("lifecycle_rule", index);
        let actions = [&rule.expiration_days, &rule.noncurrent_expiration_days, &rule.transition_days];
        if actions.iter().all(|action| action.is_none()) {
            findings.error(
                Code::Choice,
                at.clone(),
                format!("the rule `{}` does nothing", rule.name),
                "Set `expiration_days`, `noncurrent_expiration_days`, or `transition_days` with `storage_class`.",
            );
        }
        if rule.transition_days.is_some() != rule.storage_class.is_some() {
            findings.error(
                Code::Choice,
                at.clone(),
                format!("the rule `{}` has only one of `transition_days` and `storage_class`", rule.name),
                "Set both or neither.",
            );
        }
        check_days(rule, &at, findings);
        if rules[..index].iter().any(|other| other.name == rule.name) {
            findings.error(
                Code::DuplicateName,
                at.join(Step::Field("name".to_owned())),
                format!("two rules have the name `{}`", rule.name),
                "Give each rule a name of its own.",
            );
        }
    }
}

/// Storage classes to which objects move after 30 days at the earliest.
const AFTER_A_MONTH: &[&str] = &["STANDARD_IA", "ONEZONE_IA"];

/// Other storage classes for transitions. AWS adds classes.
const CLASSES: &[&str] = &["DEEP_ARCHIVE", "GLACIER", "GLACIER_IR", "INTELLIGENT_TIERING"];

/// Checks the days of a rule against its storage class and each other.
/// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
fn check_days(rule: &LifecycleRule, at: &Path, findings: &mut Findings) {
    let field = |name: &str| at.join(Step::Field(name.to_owned()));
    let class = rule.storage_class.as_ref().and_then(Scalar::known).map(String::as_str);
    let transition = rule.transition_days.as_ref().and_then(Scalar::known);
    let expiration = rule.expiration_days.as_ref().and_then(Scalar::known);
    let slow = class.filter(|class| AFTER_A_MONTH.contains(class));
    if let Some(class) = class.filter(|class| !CLASSES.contains(class) && !AFTER_A_MONTH.contains(class)) {
        findings.warning(
            Code::OutOfRange,
            field("storage_class"),
            format!("{class:?} is none of the storage classes that AWS publishes for transitions"),
            format!("Set `storage_class` to one of {}, {}.", AFTER_A_MONTH.join(", "), CLASSES.join(", ")),
        );
    }
    if let (Some(class), Some(days)) = (slow, transition)
        && *days < 30
    {
        findings.error(
            Code::OutOfRange,
            field("transition_days"),
            format!(
                "`transition_days` is {days}, but S3 moves objects to {class} after 30 days at the earliest"
            ),
            "Set `transition_days` to at least 30.",
        );
    }
    if let (Some(transition), Some(expiration)) = (transition, expiration)
        && expiration <= transition
    {
        findings.error(
            Code::OutOfRange,
            field("expiration_days"),
            format!("`expiration_days` is {expiration}, but `transition_days` is {transition}"),
            "Set `expiration_days` to more than `transition_days`.",
        );
    }
}

/// The rules in the form of hashicorp/aws, sorted by their ids.
fn rules(rules: &[LifecycleRule]) -> Option<Expr> {
    let days = |name: &str, days: &Option<Scalar<i64>>| days.as_ref().map(|days| Expr::map([(name, days)]));
    let mut rules: Vec<&LifecycleRule> = rules.iter().collect();
    rules.sort_by_key(|rule| &rule.name);
    let rules: Vec<Expr> = rules
        .into_iter()
        .map(|rule| {
            let filter = rule.prefix.iter().map(|prefix| ("prefix", prefix));
            let transition =
                rule.transition_days.as_ref().zip(rule.storage_class.as_ref()).map(|(days, class)| {
                    Expr::map([("days", Expr::from(days)), ("storage_class", class.into())])
                });
            let parts = [
                ("id", Some(format!("{}{}", s3::RULE_PREFIX, rule.name).into())),
                ("status", Some("Enabled".into())),
                ("filter", Some(Expr::map(filter))),
                ("expiration", days("days", &rule.expiration_days)),
                ("noncurrent_version_expiration", days("noncurrent_days", &rule.noncurrent_expiration_days)),
                ("transition", transition),
            ];
            Expr::map(parts.into_iter().filter_map(|(name, part)| Some((name, part?))))
        })
        .collect();
    Some(Expr::List(rules.clone())).filter(|_| !rules.is_empty())
}

/// The inputs of a rule, from the form of hashicorp/aws.
fn read_rule(rule: &Json) -> Value {
    let id = rule["id"].as_str().unwrap_or_default();
    let name = id.strip_prefix(s3::RULE_PREFIX).unwrap_or(id);
    let inputs = [
        ("name", &json!(name)),
        ("prefix", &rule["filter"]["prefix"]),
        ("expiration_days", &rule["expiration"]["days"]),
        ("noncurrent_expiration_days", &rule["noncurrent_version_expiration"]["noncurrent_days"]),
        ("transition_days", &rule["transition"]["days"]),
        ("storage_class", &rule["transition"]["storage_class"]),
    ];
    Value::map(inputs.map(|(name, value)| (name, Value::from(value))))
}

/// A bucket to add to a graph.
pub(super) struct BucketSpec<'a> {
    pub(super) kms_key_arn: Option<&'a Scalar<String>>,
    pub(super) abort_incomplete_upload_days: &'a Scalar<i64>,
    /// Further lifecycle rules, in the form of hashicorp/aws.
    pub(super) rules: Option<Expr>,
    /// True for a name in the namespace of the account.
    pub(super) own_namespace: bool,
}

/// Adds a bucket with secure defaults.
pub(super) fn add(graph: &mut Graph, part: &Part<'_>, spec: BucketSpec<'_>) -> Handle {
    let own = part.main("main");
    let bucket = graph.add(s3::Bucket, &own);
    let bucket = if spec.own_namespace {
        bucket.bucket(part.own_bucket()).bucket_namespace(Some(s3::OWN_NAMESPACE))
    } else {
        bucket.bucket(part.bucket())
    };
    let bucket = bucket.handle();
    let name = || bucket.attribute("bucket");
    graph
        .add(s3::PublicAccessBlock, &own)
        .bucket(name())
        .block_public_acls(true)
        .block_public_policy(true)
        .ignore_public_acls(true)
        .restrict_public_buckets(true);
    graph.add(s3::OwnershipControls, &own).bucket(name()).object_ownership("BucketOwnerEnforced");
    let encryption = graph.add(s3::Encryption, &own).bucket(name());
    match spec.kms_key_arn {
        None => encryption.sse_algorithm("AES256"),
        // The bucket key avoids most calls to KMS, and their cost.
        Some(key) => {
            encryption.sse_algorithm("aws:kms").kms_master_key_id(Some(key)).bucket_key_enabled(Some(true))
        }
    };
    graph
        .add(s3::Lifecycle, &own)
        .bucket(name())
        .abort_incomplete_multipart_upload_days(spec.abort_incomplete_upload_days)
        .rules(spec.rules);
    let all = vec![bucket.arn(), Expr::concat([bucket.arn(), "/*".into()])];
    graph.add(s3::Policy, &own).bucket(name()).policy(policy::tls_only(all));
    bucket
}
