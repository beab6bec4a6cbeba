//! S3: buckets. Documents are stored and returned as the XML that was put.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};
use serde_json::{Value as Json, json};

use super::wire::escape;
use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, Tags, lambda, parsed, refuse, refuse_with, text, unknown,
};

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) buckets: BTreeMap<String, Bucket>,
    /// The time at which a bucket of that name was deleted.
    deleted: BTreeMap<String, Duration>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    tags: Tags,
    /// Documents by the name of their subresource, e.g. `lifecycle` or `policy`.
    documents: BTreeMap<String, String>,
    /// The size below which lifecycle rules move no objects to another storage class.
    minimum_size: String,
    objects: BTreeSet<String>,
}

/// Subresources: the name in the query, the suffix of the operations, the kind of the item, and the error
/// code if there is none.
const SUBRESOURCES: [(&str, &str, &str, &str); 8] = [
    ("publicAccessBlock", "PublicAccessBlock", "public access block", "NoSuchPublicAccessBlockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls", "ownership controls", "OwnershipControlsNotFoundError"),
    ("encryption", "BucketEncryption", "encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    (LIFECYCLE, "BucketLifecycleConfiguration", "lifecycle", "NoSuchLifecycleConfiguration"),
    ("cors", "BucketCors", "cors", "NoSuchCORSConfiguration"),
    (VERSIONING, "BucketVersioning", "versioning", ""),
    ("policy", "BucketPolicy", "bucket policy", "NoSuchBucketPolicy"),
    ("tagging", "BucketTagging", "", "NoSuchTagSet"),
];

const VERSIONING: &str = "versioning";

/// The versioning of a bucket that never had it.
const NO_VERSIONING: &str = "<VersioningConfiguration/>";

/// The default encryption of a new bucket.
const ENCRYPTION: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
    <SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false\
    </BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>";
const LIFECYCLE: &str = "lifecycle";
/// The header of calls with the minimum size of objects that lifecycle rules move, and its default.
const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";
const DEFAULT_SIZE: &str = "all_storage_classes_128K";
const NO_NOTIFICATIONS: &str = "<NotificationConfiguration/>";

/// The operation of a request, and its members. A document is the member `Body`.
pub(super) fn read(
    request: &HttpRequest,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> (String, Json) {
    let path = percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().into_owned();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let has = |name: &str| query.iter().any(|(key, _)| key == name);
    let verb = match request.method() {
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => "Get",
    };
    let subresource = SUBRESOURCES.iter().find(|(name, ..)| has(name));
    let operation = match (request.method(), subresource) {
        (_, Some((_, operations, ..))) => format!("{verb}{operations}"),
        _ if has("notification") => format!("{verb}BucketNotificationConfiguration"),
        ("POST", _) if has("delete") => "DeleteObjects".to_owned(),
        ("GET", _) if has("versions") => "ListObjectVersions".to_owned(),
        ("GET", _) if bucket.is_empty() => "ListBuckets".to_owned(),
        ("GET", _) if key.is_empty() => "ListObjectsV2".to_owned(),
        ("PUT", _) if key.is_empty() => "CreateBucket".to_owned(),
        ("PUT", _) => "PutObject".to_owned(),
        ("HEAD", _) if key.is_empty() => "HeadBucket".to_owned(),
        ("DELETE", _) if key.is_empty() => "DeleteBucket".to_owned(),
        (method, _) => panic!("the double does not implement {method} {path} {query:?}"),
    };
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let input = json!({
        "Bucket": bucket,
        "Key": key,
        "Body": String::from_utf8_lossy(body),
        "Prefix": value("prefix"),
        "MinimumSize": request.headers().get(MINIMUM_SIZE),
        "Namespace": request.headers().get("x-amz-bucket-namespace"),
        "Skip": request.headers().get("x-amz-skip-destination-validation") == Some("true"),
    });
    (operation, input)
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, bucket) in &self.buckets {
            let tags = Some(bucket.tags.clone());
            items.push(Item { kind: "bucket", name: name.clone(), tags, settings: Json::Null });
            items.extend(bucket.lifecycle(name));
            for (subresource, _, kind, _) in SUBRESOURCES.iter().filter(|(name, ..)| *name != LIFECYCLE) {
                let document = bucket.documents.get(*subresource);
                let told = |document: &&String| match *subresource {
                    "encryption" => *document != ENCRYPTION,
                    VERSIONING => document.contains("Enabled"),
                    _ => true,
                };
                if let Some(document) = document.filter(told) {
                    // A policy is JSON, and the other documents are XML.
                    let settings = parsed(document);
                    items.push(Item { kind, name: name.clone(), tags: None, settings });
                }
            }
            if let Some(document) = bucket.documents.get("notification") {
                let document = Document::parse(document).expect("the document was checked when it was put");
                items.extend(entries(&document).map(|entry| Item {
                    kind: "notification",
                    name: format!("{name}:{}", value(entry, "Id")),
                    tags: None,
                    settings: plain(entry).into(),
                }));
                let is_bridge = |node: &Node<'_, '_>| node.tag_name().name() == "EventBridgeConfiguration";
                if let Some(entry) = document.descendants().find(is_bridge) {
                    let settings = plain(entry).into();
                    items.push(Item { kind: "event bridge", name: name.clone(), tags: None, settings });
                }
            }
        }
        items
    }

    /// Replaces the notification configuration of a bucket.
    pub(super) fn put_notifications(&mut self, bucket: &str, document: &str) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.documents.insert("notification".to_owned(), document.to_owned());
        }
    }

    /// Replaces the lifecycle of a bucket.
    pub(super) fn put_lifecycle(&mut self, bucket: &str, document: &str, minimum_size: &str) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.documents.insert(LIFECYCLE.to_owned(), document.to_owned());
            minimum_size.clone_into(&mut bucket.minimum_size);
        }
    }

    /// Puts an object into a bucket, as a user would.
    pub(super) fn put_object(&mut self, bucket: &str, key: &str) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.objects.insert(key.to_owned());
        }
    }
}

impl Bucket {
    /// The lifecycle rules as items, and the minimum size if it is not the default.
    fn lifecycle(&self, name: &str) -> Vec<Item> {
        let Some(document) = self.documents.get(LIFECYCLE) else { return Vec::new() };
        let document = Document::parse(document).expect("the document was checked when it was put");
        let rules = document.root_element().children().filter(|node| node.tag_name().name() == "Rule");
        let rules = rules.map(|rule| Item {
            kind: "lifecycle rule",
            name: format!("{name}:{}", value(rule, "ID")),
            tags: None,
            settings: plain(rule).into(),
        });
        let size = (self.minimum_size != DEFAULT_SIZE).then(|| Item {
            kind: "minimum size of transitions",
            name: name.to_owned(),
            tags: None,
            settings: self.minimum_size.as_str().into(),
        });
        rules.chain(size).collect()
    }
}

/// The entries of a notification configuration, for all types of destinations.
fn entries<'a>(document: &'a Document<'a>) -> impl Iterator<Item = Node<'a, 'a>> {
    let names = ["CloudFunctionConfiguration", "QueueConfiguration", "TopicConfiguration"];
    document.root_element().children().filter(move |node| names.contains(&node.tag_name().name()))
}

/// The XML of an entry. Its elements are sorted, because their order has no meaning.
fn plain(node: Node<'_, '_>) -> String {
    if let Some(text) = node.text().filter(|_| node.is_text()) {
        return escape(text.trim());
    }
    let mut inner: Vec<String> = node.children().map(plain).collect();
    inner.sort();
    let name = node.tag_name().name();
    format!("<{name}>{}</{name}>", inner.concat())
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn value(node: Node<'_, '_>, name: &str) -> String {
    node.children()
        .find(|child| child.tag_name().name() == name)
        .and_then(|child| child.text())
        .unwrap_or_default()
        .to_owned()
}

fn pairs(document: &str) -> Result<Tags, Refusal> {
    let Ok(document) = Document::parse(document) else { return refuse("MalformedXML", "not XML") };
    let tags = document.descendants().filter(|node| node.tag_name().name() == "Tag");
    Ok(tags.map(|tag| (value(tag, "Key"), value(tag, "Value"))).collect())
}

fn bucket<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Bucket, Refusal> {
    match cloud.s3.buckets.get_mut(text(input, "Bucket")) {
        Some(bucket) => Ok(bucket),
        None => refuse_with(404, "NoSuchBucket", "The specified bucket does not exist"),
    }
}

/// Checks a notification configuration before S3 stores it.
fn check_notifications(cloud: &Cloud, name: &str, body: &str, skip: bool) -> Result<(), Refusal> {
    let Ok(document) = Document::parse(body) else { return refuse("MalformedXML", "not XML") };
    let mut seen: Vec<(String, Vec<String>, String, String)> = Vec::new();
    for entry in entries(&document) {
        let events: Vec<String> = entry
            .children()
            .filter(|node| node.tag_name().name() == "Event")
            .filter_map(|node| node.text().map(ToOwned::to_owned))
            .collect();
        let rules = child(entry, "Filter").and_then(|filter| child(filter, "S3Key"));
        let rule = |wanted: &str| {
            let rules = rules.into_iter().flat_map(|rules| rules.children());
            let mut found = rules.filter(|rule| value(*rule, "Name").eq_ignore_ascii_case(wanted));
            found.next().map(|rule| value(rule, "Value")).unwrap_or_default()
        };
        let (prefix, suffix) = (rule("prefix"), rule("suffix"));
        let id = value(entry, "Id");
        for (other, of_other, other_prefix, other_suffix) in &seen {
            if *other == id {
                return refuse(
                    "InvalidArgument",
                    "Same ID used for multiple configurations. IDs must be unique",
                );
            }
            let both = prefix.starts_with(other_prefix.as_str()) || other_prefix.starts_with(&prefix);
            let ends = suffix.ends_with(other_suffix.as_str()) || other_suffix.ends_with(&suffix);
            if both && ends && events.iter().any(|event| of_other.contains(event)) {
                return refuse(
                    "InvalidArgument",
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
                );
            }
        }
        let function = value(entry, "CloudFunction");
        let source = format!("arn:aws:s3:::{name}");
        if !skip && !function.is_empty() && !lambda::may_invoke(cloud, &function, "s3.amazonaws.com", &source)
        {
            return refuse("InvalidArgument", "Unable to validate the following destination configurations");
        }
        seen.push((id, events, prefix, suffix));
    }
    Ok(())
}

/// Checks a lifecycle before S3 stores it.
fn check_lifecycle(body: &str) -> Result<(), Refusal> {
    let Ok(document) = Document::parse(body) else { return refuse("MalformedXML", "not XML") };
    let rules = document.root_element().children().filter(|node| node.tag_name().name() == "Rule");
    let ids: Vec<String> = rules.map(|rule| value(rule, "ID")).collect();
    if ids.is_empty() {
        return refuse(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        );
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return refuse("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule");
    }
    Ok(())
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let (name, body) = (text(input, "Bucket").to_owned(), text(input, "Body").to_owned());
    if let Some((subresource, operations, _, missing)) =
        SUBRESOURCES.iter().find(|(_, operations, ..)| operation.ends_with(operations))
    {
        let verb = operation.strip_suffix(operations).unwrap_or_default();
        if *subresource == LIFECYCLE && verb == "Put" {
            check_lifecycle(&body)?;
            let size = input["MinimumSize"].as_str().unwrap_or(DEFAULT_SIZE).to_owned();
            bucket(cloud, input)?.minimum_size = size;
        }
        return document(bucket(cloud, input)?, verb, subresource, missing, body);
    }
    match operation {
        "CreateBucket" => {
            if cloud.s3.buckets.contains_key(&name) {
                return refuse_with(
                    409,
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                );
            }
            if cloud.s3.deleted.get(&name).is_some_and(|at| !cloud.settled(*at)) {
                return refuse_with(
                    409,
                    "OperationAborted",
                    "A conflicting conditional operation is currently in progress against this resource. Please try again.",
                );
            }
            let own = name.ends_with(&format!("-{ACCOUNT}-{REGION}-an"));
            if (text(input, "Namespace") == "account-regional") != own || !own && name.ends_with("-an") {
                return refuse(
                    "InvalidBucketNamespace",
                    "The name does not belong to the requested namespace.",
                );
            }
            let tags = if body.is_empty() { Tags::new() } else { pairs(&body)? };
            let documents = BTreeMap::from([("encryption".to_owned(), ENCRYPTION.to_owned())]);
            cloud.s3.buckets.insert(name, Bucket { tags, documents, ..Bucket::default() });
            Ok(json!(""))
        }
        "HeadBucket" => bucket(cloud, input).map(|_| json!("")),
        "DeleteBucket" => {
            if !bucket(cloud, input)?.objects.is_empty() {
                return refuse_with(409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
            }
            cloud.s3.buckets.remove(&name);
            let now = cloud.now;
            cloud.s3.deleted.insert(name, now);
            Ok(Json::Null)
        }
        "ListBuckets" => {
            let prefix = text(input, "Prefix");
            let names = cloud.s3.buckets.keys().filter(|name| name.starts_with(prefix));
            let buckets = names.map(|name| format!("<Bucket><Name>{name}</Name></Bucket>"));
            let buckets: String = buckets.collect();
            Ok(json!(format!(
                "<ListAllMyBucketsResult><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
            )))
        }
        "GetBucketNotificationConfiguration" => {
            let document = bucket(cloud, input)?.documents.get("notification");
            Ok(json!(document.map_or(NO_NOTIFICATIONS, String::as_str)))
        }
        "PutBucketNotificationConfiguration" => {
            bucket(cloud, input)?;
            check_notifications(cloud, &name, &body, input["Skip"] == true)?;
            bucket(cloud, input)?.documents.insert("notification".to_owned(), body);
            Ok(json!(""))
        }
        "PutObject" => {
            bucket(cloud, input)?;
            cloud.s3.put_object(&name, text(input, "Key"));
            Ok(json!(""))
        }
        "ListObjectVersions" => {
            let objects = bucket(cloud, input)?.objects.iter().take(1000).map(|key| {
                format!("<Version><Key>{}</Key><VersionId>null</VersionId></Version>", escape(key))
            });
            let objects: String = objects.collect();
            Ok(json!(format!("<ListVersionsResult>{objects}</ListVersionsResult>")))
        }
        "DeleteObjects" => {
            let Ok(document) = Document::parse(&body) else { return refuse("MalformedXML", "not XML") };
            let objects = document.descendants().filter(|node| node.tag_name().name() == "Object");
            let keys: Vec<String> = objects.map(|object| value(object, "Key")).collect();
            let bucket = bucket(cloud, input)?;
            bucket.objects.retain(|key| !keys.contains(key));
            Ok(json!("<DeleteResult/>"))
        }
        other => unknown("s3", other),
    }
}

/// Puts, returns or deletes a document of a bucket.
fn document(bucket: &mut Bucket, verb: &str, subresource: &str, missing: &str, body: String) -> Answer {
    if subresource == "tagging" {
        return match verb {
            "Put" => {
                bucket.tags = pairs(&body)?;
                Ok(Json::Null)
            }
            "Delete" => {
                bucket.tags.clear();
                Ok(Json::Null)
            }
            _ if bucket.tags.is_empty() => refuse_with(404, missing, "The TagSet does not exist"),
            _ => {
                let tag = |(key, value): (&String, &String)| {
                    format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value))
                };
                let tags: String = bucket.tags.iter().map(tag).collect();
                Ok(json!(format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")))
            }
        };
    }
    match verb {
        "Put" => {
            bucket.documents.insert(subresource.to_owned(), body);
            Ok(json!(""))
        }
        "Delete" if subresource == "encryption" => {
            bucket.documents.insert(subresource.to_owned(), ENCRYPTION.to_owned());
            Ok(Json::Null)
        }
        "Delete" => {
            bucket.documents.remove(subresource);
            Ok(Json::Null)
        }
        _ => match bucket.documents.get(subresource) {
            Some(document) if subresource == LIFECYCLE => {
                Ok(json!({ "Body": document, "Headers": { MINIMUM_SIZE: bucket.minimum_size } }))
            }
            Some(document) => Ok(json!(document)),
            None if subresource == VERSIONING => Ok(json!(NO_VERSIONING)),
            None => refuse_with(404, missing, "The configuration does not exist"),
        },
    }
}
