//! ECR: repositories, their lifecycle policies, and the images in them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, parsed, refuse, text, text_list, unknown,
};

const TAGS: TagForm = TagForm::pairs("tags", "tagKeys", "Key", "Value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    repositories: BTreeMap<String, Repository>,
}

#[derive(Clone, Debug)]
struct Repository {
    mutability: String,
    scan_on_push: bool,
    encryption: Json,
    tags: Tags,
    lifecycle_policy: Option<String>,
    /// The digests of images, by tag. The digest is derived from the tag, so that each image has one tag.
    images: BTreeMap<String, String>,
}

const INVALID: &str = "InvalidParameterException";

/// The KMS key that AWS manages for ECR.
const OWN_KEY: &str = "key/00000000-0000-4000-9000-0000000000ec";

/// The maximum number of images in one call.
const IMAGES_AT_ONCE: usize = 100;

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, repository) in &self.repositories {
            let tags = Some(repository.tags.clone());
            let settings = json!({
                "imageTagMutability": repository.mutability,
                "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
                "encryptionConfiguration": repository.encryption,
            });
            items.push(Item { kind: "repository", name: name.clone(), tags, settings });
            if let Some(policy) = &repository.lifecycle_policy {
                let settings = parsed(policy);
                items.push(Item { kind: "lifecycle policy", name: name.clone(), tags: None, settings });
            }
            items.extend(repository.images.keys().map(|tag| Item {
                kind: "image",
                name: format!("{name}:{tag}"),
                tags: None,
                settings: Json::Null,
            }));
        }
        items
    }
}

/// Stores an image, as a push to the registry does. A push is not part of the ECR API. Pushing the same image
/// again is not an error.
pub(super) fn push(cloud: &mut Cloud, repository: &str, tag: &str) -> Result<String, Refusal> {
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(format!("{repository}:{tag}"))));
    find(cloud, repository)?.images.insert(tag.to_owned(), digest.clone());
    Ok(digest)
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    if let Some(missing) = required(operation).iter().find(|member| input[**member].is_null()) {
        return invalid(missing, "must not be null");
    }
    let name = text(input, "repositoryName");
    match operation {
        // Not part of the ECR API: the push of a container engine.
        "Push" => push(cloud, text(input, "repositoryName"), text(input, "imageTag")).map(|_| json!({})),
        "CreateRepository" => create(cloud, input),
        "DescribeRepositories" => describe(cloud, input),
        "DeleteRepository" => delete(cloud, input),
        "PutImageTagMutability" => {
            let mutability = mutability(input)?;
            find(cloud, name)?.mutability.clone_from(&mutability);
            Ok(of_repository(name, "imageTagMutability", mutability.into()))
        }
        "PutImageScanningConfiguration" => {
            let scan = scan_on_push(input);
            find(cloud, name)?.scan_on_push = scan;
            Ok(of_repository(name, "imageScanningConfiguration", json!({ "scanOnPush": scan })))
        }
        "PutLifecyclePolicy" => {
            let policy = lifecycle_policy(text(input, "lifecyclePolicyText"))?;
            find(cloud, name)?.lifecycle_policy = Some(policy.clone());
            Ok(of_repository(name, "lifecyclePolicyText", policy.into()))
        }
        "GetLifecyclePolicy" => {
            let policy = find(cloud, name)?.lifecycle_policy.clone();
            policy.map_or_else(
                || no_policy(name),
                |policy| Ok(of_repository(name, "lifecyclePolicyText", policy.into())),
            )
        }
        "DeleteLifecyclePolicy" => {
            let policy = find(cloud, name)?.lifecycle_policy.take();
            policy.map_or_else(
                || no_policy(name),
                |policy| Ok(of_repository(name, "lifecyclePolicyText", policy.into())),
            )
        }
        "DescribeImages" => describe_images(cloud, input),
        "ListImages" => {
            let listed = tagged(find(cloud, name)?, input).map(|(tag, digest)| image_id(tag, digest));
            Ok(json!({ "imageIds": listed.collect::<Vec<_>>() }))
        }
        "BatchDeleteImage" => delete_images(cloud, input),
        "GetAuthorizationToken" => Ok(json!({ "authorizationData": [{
            "authorizationToken": BASE64_STANDARD.encode("AWS:token"),
            "proxyEndpoint": format!("https://{}", registry()),
        }] })),
        "ListTagsForResource" => Ok(TAGS.list(&by_arn(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut by_arn(cloud, input)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut by_arn(cloud, input)?.tags, input)),
        other => unknown("ecr", other),
    }
}

/// The required members of an operation.
fn required(operation: &str) -> &'static [&'static str] {
    match operation {
        "DescribeRepositories" | "GetAuthorizationToken" => &[],
        "PutImageTagMutability" => &["repositoryName", "imageTagMutability"],
        "PutImageScanningConfiguration" => &["repositoryName", "imageScanningConfiguration"],
        "PutLifecyclePolicy" => &["repositoryName", "lifecyclePolicyText"],
        "BatchDeleteImage" => &["repositoryName", "imageIds"],
        "ListTagsForResource" => &["resourceArn"],
        "TagResource" => &["resourceArn", "tags"],
        "UntagResource" => &["resourceArn", "tagKeys"],
        _ => &["repositoryName"],
    }
}

fn invalid<T>(member: &str, constraint: &str) -> Result<T, Refusal> {
    refuse(INVALID, format!("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"))
}

/// The host of the registry.
fn registry() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
}

fn no_repository<T>(name: &str) -> Result<T, Refusal> {
    refuse(
        "RepositoryNotFoundException",
        format!("The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"),
    )
}

fn no_policy<T>(name: &str) -> Result<T, Refusal> {
    refuse(
        "LifecyclePolicyNotFoundException",
        format!(
            "Lifecycle policy does not exist for the repository with name '{name}' in the registry with id \
             '{ACCOUNT}'"
        ),
    )
}

fn find<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Repository, Refusal> {
    match cloud.ecr.repositories.get_mut(name) {
        Some(repository) => Ok(repository),
        None => no_repository(name),
    }
}

fn by_arn<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Repository, Refusal> {
    let arn = text(input, "resourceArn");
    match arn.split_once(":repository/") {
        Some((_, name)) => find(cloud, name),
        None => invalid("resourceArn", "Invalid ARN"),
    }
}

/// An answer about one member of a repository.
fn of_repository(name: &str, member: &str, value: Json) -> Json {
    let mut answer = json!({ "registryId": ACCOUNT, "repositoryName": name });
    answer[member] = value;
    answer
}

fn described(name: &str, repository: &Repository) -> Json {
    json!({
        "repositoryArn": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"),
        "registryId": ACCOUNT,
        "repositoryName": name,
        "repositoryUri": format!("{}/{name}", registry()),
        "imageTagMutability": repository.mutability,
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
        "encryptionConfiguration": repository.encryption,
    })
}

/// Returns true if a name is valid: words of lowercase letters and digits, joined by single separators.
fn well_named(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (2..=256).contains(&name.len()) && name.split(['/', '.', '_', '-']).all(word)
}

fn mutability(input: &Json) -> Result<String, Refusal> {
    match input["imageTagMutability"].as_str().unwrap_or("MUTABLE") {
        known @ ("MUTABLE" | "IMMUTABLE") => Ok(known.to_owned()),
        _ => invalid("imageTagMutability", "Member must satisfy enum value set: [IMMUTABLE, MUTABLE]"),
    }
}

fn scan_on_push(input: &Json) -> bool {
    input["imageScanningConfiguration"]["scanOnPush"].as_bool().unwrap_or(false)
}

/// The encryption as AWS returns it. Without a given key, KMS uses the key that AWS manages.
fn encryption(input: &Json) -> Result<Json, Refusal> {
    let given = &input["encryptionConfiguration"];
    match given["encryptionType"].as_str().unwrap_or("AES256") {
        "AES256" => Ok(json!({ "encryptionType": "AES256" })),
        "KMS" => {
            let own = format!("arn:aws:kms:{REGION}:{ACCOUNT}:{OWN_KEY}");
            Ok(json!({ "encryptionType": "KMS", "kmsKey": given["kmsKey"].as_str().unwrap_or(&own) }))
        }
        _ => invalid("encryptionType", "Member must satisfy enum value set: [KMS, AES256]"),
    }
}

fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = text(input, "repositoryName");
    if !well_named(name) {
        return invalid("repositoryName", "must satisfy regular expression of a repository's name");
    }
    if cloud.ecr.repositories.contains_key(name) {
        return refuse(
            "RepositoryAlreadyExistsException",
            format!("The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"),
        );
    }
    let repository = Repository {
        mutability: mutability(input)?,
        scan_on_push: scan_on_push(input),
        encryption: encryption(input)?,
        tags: TAGS.given(input),
        lifecycle_policy: None,
        images: BTreeMap::new(),
    };
    let answer = json!({ "repository": described(name, &repository) });
    cloud.ecr.repositories.insert(name.to_owned(), repository);
    Ok(answer)
}

fn describe(cloud: &mut Cloud, input: &Json) -> Answer {
    let mut names = text_list(&input["repositoryNames"]);
    if names.is_empty() {
        names.extend(cloud.ecr.repositories.keys().cloned());
    }
    let mut repositories = Vec::new();
    for name in names {
        repositories.push(described(&name, find(cloud, &name)?));
    }
    Ok(json!({ "repositories": repositories }))
}

fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = text(input, "repositoryName");
    let repository = find(cloud, name)?;
    if !repository.images.is_empty() && !input["force"].as_bool().unwrap_or(false) {
        return refuse(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{name}' in registry with id '{ACCOUNT}' cannot be deleted because \
                 it still contains images"
            ),
        );
    }
    let answer = json!({ "repository": described(name, repository) });
    cloud.ecr.repositories.remove(name);
    Ok(answer)
}

/// A lifecycle policy as AWS stores it: JSON without the original whitespace.
fn lifecycle_policy(text: &str) -> Result<String, Refusal> {
    let policy: Json = serde_json::from_str(text).unwrap_or_default();
    let rules = policy["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let whole = |rule: &Json| {
        rule["rulePriority"].as_u64().is_some_and(|priority| priority > 0)
            && rule["selection"].is_object()
            && rule["action"].is_object()
    };
    if rules.is_empty() || !rules.iter().all(whole) {
        return invalid("LifecyclePolicyText", "Lifecycle policy validation failure");
    }
    Ok(policy.to_string())
}

fn image_id(tag: &str, digest: &str) -> Json {
    json!({ "imageTag": tag, "imageDigest": digest })
}

/// The images that match a filter, as tag and digest. All images have a tag.
fn tagged<'a>(repository: &'a Repository, input: &Json) -> impl Iterator<Item = (&'a String, &'a String)> {
    let untagged = text(&input["filter"], "tagStatus") == "UNTAGGED";
    repository.images.iter().filter(move |_| !untagged)
}

/// The image with this tag, this digest, or both.
fn chosen<'a>(repository: &'a Repository, id: &Json) -> Option<(&'a String, &'a String)> {
    let fits = |member: &str, own: &str| id[member].is_null() || text(id, member) == own;
    let meant = !(id["imageTag"].is_null() && id["imageDigest"].is_null());
    let mut images = repository.images.iter().filter(|_| meant);
    images.find(|(tag, digest)| fits("imageTag", tag) && fits("imageDigest", digest))
}

fn describe_images(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = text(input, "repositoryName");
    let repository = find(cloud, name)?;
    let mut images = Vec::new();
    match input["imageIds"].as_array() {
        None => images.extend(tagged(repository, input)),
        Some(ids) => {
            for id in ids {
                let Some(image) = chosen(repository, id) else { return no_image(name, id) };
                images.push(image);
            }
        }
    }
    let details = images.into_iter().map(|(tag, digest)| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": name,
            "imageDigest": digest,
            "imageTags": [tag],
            "imageSizeInBytes": 1024,
            "imageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
        })
    });
    Ok(json!({ "imageDetails": details.collect::<Vec<_>>() }))
}

fn no_image(repository: &str, id: &Json) -> Answer {
    let given = |member: &str| id[member].as_str().unwrap_or("null");
    refuse(
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the \
             repository with name '{repository}' in the registry with id '{ACCOUNT}'",
            given("imageDigest"),
            given("imageTag")
        ),
    )
}

/// Deletes images. Without its last tag, an image is deleted.
fn delete_images(cloud: &mut Cloud, input: &Json) -> Answer {
    let repository = find(cloud, text(input, "repositoryName"))?;
    let ids = input["imageIds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=IMAGES_AT_ONCE).contains(&ids.len()) {
        return invalid("imageIds", "Member must have length between 1 and 100");
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        let found = chosen(repository, id).map(|(tag, digest)| (tag.clone(), image_id(tag, digest)));
        match found {
            Some((tag, id)) => {
                repository.images.remove(&tag);
                deleted.push(id);
            }
            None => failures.push(json!({
                "imageId": id,
                "failureCode": "ImageNotFound",
                "failureReason": "Requested image not found",
            })),
        }
    }
    Ok(json!({ "imageIds": deleted, "failures": failures }))
}
