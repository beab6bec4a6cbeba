//! ECR repositories, their lifecycle policies, and the images in them.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageDetail, ImageFailureCode, ImageIdentifier,
    ImageScanningConfiguration, ImageTagMutability, Repository, Tag,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::image;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::ecr;
use tandem_model::names;

use super::failure::{call, found, gone, not_yet};
use super::{only_child, pages, split};
use crate::container_engine::{ContainerEngine, Login, Recipe};

fn tag_list(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.map(|tag| tag.expect("key and value are set")).collect()
}

async fn repository(client: &Client, name: &str) -> Result<Option<Repository>, Failure> {
    let request = client.describe_repositories().repository_names(name);
    let found = found(call!("ecr:DescribeRepositories", request))?;
    Ok(found.and_then(|found| found.repositories.unwrap_or_default().into_iter().next()))
}

/// Every image of a repository.
async fn images(client: &Client, name: &str) -> Result<Vec<ImageDetail>, Failure> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = client.describe_images().repository_name(name).set_next_token(token);
        let Some(page) = found(call!("ecr:DescribeImages", request))? else { return Ok(all) };
        all.extend(page.image_details.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Returns true if Tandem built the image: one of its tags has Tandem's format.
fn built_here(image: &ImageDetail) -> bool {
    image.image_tags().iter().any(|tag| image::is_ours(tag))
}

async fn delete_images(client: &Client, name: &str, images: Vec<ImageIdentifier>) -> Result<(), Failure> {
    // BatchDeleteImage takes up to 100 images.
    for some in images.chunks(100) {
        let request = client.batch_delete_image().repository_name(name).set_image_ids(Some(some.to_vec()));
        let Some(answer) = found(call!("ecr:BatchDeleteImage", request))? else { continue };
        let is_gone = |code: &ImageFailureCode| *code == ImageFailureCode::ImageNotFound;
        let mut kept =
            answer.failures().iter().filter(|failure| !failure.failure_code().is_some_and(is_gone));
        if let Some(kept) = kept.next() {
            let image = kept.image_id().and_then(|image| image.image_tag().or(image.image_digest()));
            let why = kept.failure_reason().unwrap_or("ECR gives no reason");
            let message = format!(
                "repository `{name}` still holds image {}: {why}. Delete the image in ECR, then run the \
                 command again",
                image.unwrap_or_default()
            );
            // An image of an index (manifest list) can be deleted after the index.
            return Err(match kept.failure_code() {
                Some(ImageFailureCode::ImageReferencedByManifestList) => {
                    not_yet("ecr:BatchDeleteImage", message)
                }
                _ => Failure::local("ecr:BatchDeleteImage", message),
            });
        }
    }
    Ok(())
}

fn by_digest(image: &ImageDetail) -> ImageIdentifier {
    ImageIdentifier::builder().set_image_digest(image.image_digest.clone()).build()
}

pub(super) struct Repositories(pub(super) Client);

#[async_trait]
impl Driver for Repositories {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(found) = repository(&self.0, id).await? else { return Ok(None) };
        let arn = found.repository_arn().unwrap_or_default();
        let listed = call!("ecr:ListTagsForResource", self.0.list_tags_for_resource().resource_arn(arn))?;
        let encryption = found.encryption_configuration();
        let scan = found.image_scanning_configuration().map(ImageScanningConfiguration::scan_on_push);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<ecr::Repository>::default()
                .name(found.repository_name())
                .image_tag_mutability(found.image_tag_mutability().map(ImageTagMutability::as_str))
                .scan_on_push(scan.unwrap_or(false))
                .encryption_type(encryption.map(|e| e.encryption_type().as_str()))
                .kms_key(encryption.and_then(EncryptionConfiguration::kms_key))
                .settings(),
            attributes: [("arn".to_owned(), json!(arn)), ("url".to_owned(), json!(found.repository_uri()))]
                .into(),
            tags: listed.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
        }))
    }

    /// ECR cannot filter by prefix: this lists every repository.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let repositories = pages(|token| async {
            let request = self.0.describe_repositories().set_next_token(token);
            let page = call!("ecr:DescribeRepositories", request)?;
            Ok((page.repositories.unwrap_or_default(), page.next_token))
        });
        let folder = names::folder(project);
        let names = repositories.await?.into_iter().filter_map(|repository| repository.repository_name);
        Ok(names.filter(|name| name.starts_with(&folder)).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let repository = View::<ecr::Repository>::of(settings);
        let name = repository.name();
        let encryption = EncryptionConfiguration::builder()
            .encryption_type(EncryptionType::from(repository.encryption_type()))
            .set_kms_key(repository.kms_key().map(ToOwned::to_owned));
        let request = self
            .0
            .create_repository()
            .repository_name(name)
            .image_tag_mutability(ImageTagMutability::from(repository.image_tag_mutability()))
            .image_scanning_configuration(scanning(&repository))
            .encryption_configuration(encryption.build().expect("the type is set"))
            .set_tags(Some(tag_list(tags)));
        let created = call!("ecr:CreateRepository", request)?.repository;
        let url = created.and_then(|created| created.repository_uri);
        Ok(Created { id: name.to_owned(), attributes: [("url".to_owned(), json!(url))].into() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let wanted = View::<ecr::Repository>::of(settings);
        if fields.contains(&"image_tag_mutability") {
            let request = self.0.put_image_tag_mutability().repository_name(id);
            let mutability = ImageTagMutability::from(wanted.image_tag_mutability());
            call!("ecr:PutImageTagMutability", request.image_tag_mutability(mutability))?;
        }
        if fields.contains(&"scan_on_push") {
            let request = self.0.put_image_scanning_configuration().repository_name(id);
            let request = request.image_scanning_configuration(scanning(&wanted));
            call!("ecr:PutImageScanningConfiguration", request)?;
        }
        Ok(())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        let found = repository(&self.0, id).await?;
        found.and_then(|found| found.repository_arn).ok_or_else(|| {
            Failure::local("ecr:DescribeRepositories", format!("the repository `{id}` is gone"))
        })
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let request = self.0.tag_resource().resource_arn(arn).set_tags(Some(tag_list(set)));
        call!("ecr:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("ecr:UntagResource", request).map(|_| ())
    }

    /// Also deletes the images that Tandem built: they can be built again.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let images = images(&self.0, id).await?;
        let ours = images.iter().filter(|image| built_here(image)).map(by_digest).collect();
        delete_images(&self.0, id, ours).await?;
        gone(call!("ecr:DeleteRepository", self.0.delete_repository().repository_name(id)))
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        let images = images(&self.0, id).await?;
        let other = images.iter().find(|image| !built_here(image));
        Ok(other.map(|image| {
            let name = image.image_tags().first().cloned().or_else(|| image.image_digest.clone());
            format!("images that Tandem did not build, such as `{}`", name.unwrap_or_default())
        }))
    }

    async fn empty(&self, id: &str) -> Result<bool, Failure> {
        let images = images(&self.0, id).await?;
        delete_images(&self.0, id, images.iter().map(by_digest).collect()).await?;
        Ok(false)
    }
}

fn scanning(repository: &View<'_, ecr::Repository>) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().set_scan_on_push(repository.scan_on_push()).build()
}

pub(super) struct LifecyclePolicies(pub(super) Client);

#[async_trait]
impl Driver for LifecyclePolicies {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let request = self.0.get_lifecycle_policy().repository_name(id);
        let Some(now) = found(call!("ecr:GetLifecyclePolicy", request))? else { return Ok(None) };
        let policy = now.lifecycle_policy_text().and_then(|text| serde_json::from_str::<Json>(text).ok());
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<ecr::LifecyclePolicy>::default().repository(id).policy(policy).settings(),
            ..Observed::default()
        }))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let id = View::<ecr::LifecyclePolicy>::of(settings).repository();
        self.update(id, &[], settings).await?;
        Ok(Created { id: id.to_owned(), ..Created::default() })
    }

    async fn children(&self, parent: &'static Kind, repository: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &ecr::REPOSITORY, repository).await
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let request = self.0.put_lifecycle_policy().repository_name(id);
        let request = request.lifecycle_policy_text(View::<ecr::LifecyclePolicy>::of(settings).policy());
        call!("ecr:PutLifecyclePolicy", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("ecr:DeleteLifecyclePolicy", self.0.delete_lifecycle_policy().repository_name(id)))
    }
}

/// Images, built with a container engine and pushed.
pub(super) struct Images {
    pub(super) ecr: Client,
    /// The host and port of a custom ECR endpoint, which serves the registry as well.
    pub(super) own_endpoint: Option<String>,
    pub(super) engine: Arc<dyn ContainerEngine>,
}

impl Images {
    /// The registry address of a repository. Emulators return AWS's host, so a custom endpoint replaces it.
    fn address(&self, url: &str) -> String {
        match (&self.own_endpoint, url.split_once('/')) {
            (Some(own), Some((host, path))) if host.ends_with(".amazonaws.com") => format!("{own}/{path}"),
            _ => url.to_owned(),
        }
    }

    async fn detail(&self, repository: &str, tag: &str) -> Result<Option<ImageDetail>, Failure> {
        let image = ImageIdentifier::builder().image_tag(tag).build();
        let request = self.ecr.describe_images().repository_name(repository).image_ids(image);
        let found = found(call!("ecr:DescribeImages", request))?;
        Ok(found.and_then(|found| found.image_details.unwrap_or_default().into_iter().next()))
    }

    async fn observed(&self, name: &str, tag: &str, image: &ImageDetail) -> Result<Observed, Failure> {
        let url = repository(&self.ecr, name).await?.and_then(|found| found.repository_uri);
        Ok(self.at(&url.unwrap_or_default(), name, tag, image))
    }

    /// An image in the repository with this URL.
    fn at(&self, url: &str, name: &str, tag: &str, image: &ImageDetail) -> Observed {
        let reference = format!("{}@{}", self.address(url), image.image_digest().unwrap_or_default());
        Observed {
            id: format!("{name}:{tag}"),
            settings: Seen::<ecr::Image>::default().repository(name).tag(tag).settings(),
            attributes: [("reference".to_owned(), reference.into())].into(),
            ..Observed::default()
        }
    }

    async fn login(&self) -> Result<Login, Failure> {
        const CALL: &str = "ecr:GetAuthorizationToken";
        let given = call!("ecr:GetAuthorizationToken", self.ecr.get_authorization_token())?;
        let token = given.authorization_data().first().and_then(|data| data.authorization_token());
        let decoded = token.and_then(|token| BASE64_STANDARD.decode(token).ok());
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = decoded
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .ok_or_else(|| Failure::local(CALL, "the authorization token contains no user and password"))?;
        Ok(Login { user: user.to_owned(), password: password.to_owned() })
    }
}

#[async_trait]
impl Driver for Images {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (name, tag) = split(id, ':', "ecr:DescribeImages")?;
        match self.detail(name, tag).await? {
            Some(image) => self.observed(name, tag, &image).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let wanted = View::<ecr::Image>::of(settings);
        let (name, tag) = (wanted.repository(), wanted.tag());
        let Some(url) = repository(&self.ecr, name).await?.and_then(|found| found.repository_uri) else {
            return Err(Failure::local(
                "ecr:DescribeRepositories",
                format!("there is no repository `{name}`"),
            ));
        };
        // The view has the recipe as text.
        let build: Json = serde_json::from_str(&wanted.build()).unwrap_or_default();
        let recipe = Recipe::read(&build);
        let login = self.login().await?;
        self.engine
            .build_and_push(&recipe, &self.address(&url), tag, &login)
            .await
            .map_err(|error| Failure::local(error.doing, error.message))?;
        let made = self.detail(name, tag).await?.ok_or_else(|| {
            Failure::local(
                "ecr:DescribeImages",
                format!("`{name}:{tag}` was pushed, but ECR does not list it"),
            )
        })?;
        let observed = self.observed(name, tag, &made).await?;
        Ok(Created { id: observed.id, attributes: observed.attributes })
    }

    async fn update(&self, _id: &str, _fields: &[&str], _settings: &Settings) -> Result<(), Failure> {
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (name, tag) = split(id, ':', "ecr:BatchDeleteImage")?;
        delete_images(&self.ecr, name, vec![ImageIdentifier::builder().image_tag(tag).build()]).await
    }

    async fn children(&self, parent: &'static Kind, repository: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != ecr::REPOSITORY.name {
            return Ok(Vec::new());
        }
        let url = repository.attributes.get("url").and_then(Json::as_str).unwrap_or_default();
        let images = images(&self.ecr, &repository.id).await?;
        let tagged = images.iter().flat_map(|image| image.image_tags().iter().map(move |tag| (image, tag)));
        Ok(tagged.map(|(image, tag)| self.at(url, &repository.id, tag, image)).collect())
    }
}
