//! Lambda functions.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, LogFormat,
    LoggingConfig, PackageType, Runtime, State,
};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::artifact::{self, CodeKind};
use tandem_model::composite::Settings;

use super::failure::{call, found, gone, not_yet};
use super::{map, number, of_project, optional, pages, settings, text, texts};

pub(super) struct Functions(pub(super) Client);

/// Fields that UpdateFunctionCode sets; UpdateFunctionConfiguration sets all other fields.
const CODE: &[&str] = &["source_code_hash", "image_uri", "architectures"];

/// Builds the zip of the recipe. Returns an error if its hash differs from the planned one.
async fn zip(settings: &Settings) -> Result<Blob, Failure> {
    let fail = |message: String| Failure::local("lambda:CreateFunction", message);
    let recipe = settings.get("source").cloned().unwrap_or_default();
    let path = recipe["path"].as_str().unwrap_or_default().to_owned();
    let kind = if recipe["kind"] == "zip" { CodeKind::Zip } else { CodeKind::Bootstrap };
    let bytes =
        tokio::fs::read(&path).await.map_err(|error| fail(format!("`{path}` cannot be read: {error}")))?;
    let prepared = tokio::task::spawn_blocking(move || artifact::prepare(kind, &bytes)).await;
    let code = prepared
        .map_err(|error| fail(error.to_string()))?
        .map_err(|error| fail(format!("`{path}` {error}")))?;
    if artifact::base64(&code.facts.sha256) != text(settings, "source_code_hash") {
        return Err(fail(format!("`{path}` changed between plan and apply; plan and apply again")));
    }
    Ok(Blob::new(code.zip))
}

fn architectures(settings: &Settings) -> Vec<Architecture> {
    texts(settings, "architectures").iter().map(|name| Architecture::from(name.as_str())).collect()
}

fn environment(settings: &Settings) -> Environment {
    Environment::builder().set_variables(Some(map(settings, "environment").into_iter().collect())).build()
}

fn logging(settings: &Settings) -> LoggingConfig {
    LoggingConfig::builder()
        .log_format(LogFormat::from(text(settings, "log_format")))
        .set_log_group(optional(settings, "log_group"))
        .build()
}

impl Functions {
    async fn configuration(&self, id: &str) -> Result<Option<FunctionConfiguration>, Failure> {
        let function = found(call!("lambda:GetFunction", self.0.get_function().function_name(id)))?;
        Ok(function.and_then(|function| function.configuration))
    }

    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let arn = self.configuration(id).await?.and_then(|now| now.function_arn);
        arn.ok_or_else(|| Failure::local("lambda:GetFunction", format!("the function `{id}` is gone")))
    }
}

#[async_trait]
impl Driver for Functions {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(function) = found(call!("lambda:GetFunction", self.0.get_function().function_name(id)))?
        else {
            return Ok(None);
        };
        let Some(now) = function.configuration else { return Ok(None) };
        // Without its tags, the function would seem to belong to another owner.
        if let Some(error) = function.tags_error {
            let message = error.message;
            return Err(Failure::local(
                "lambda:GetFunction",
                format!("the tags cannot be read (lambda:ListTags): {message}"),
            ));
        }
        let variables: serde_json::Map<String, Json> = now
            .environment()
            .and_then(|environment| environment.variables())
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        let image = now.package_type() == Some(&PackageType::Image);
        let image_uri = function.code.as_ref().and_then(|code| code.image_uri()).filter(|_| image);
        let logging = now.logging_config();
        let architectures: Vec<&str> = now.architectures().iter().map(Architecture::as_str).collect();
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: settings([
                ("function_name", json!(now.function_name())),
                ("package_type", json!(now.package_type().map_or("Zip", PackageType::as_str))),
                ("description", json!(now.description().filter(|text| !text.is_empty()))),
                ("role", json!(now.role())),
                ("runtime", json!(now.runtime().filter(|_| !image).map(Runtime::as_str))),
                ("handler", json!(now.handler().filter(|_| !image))),
                ("architectures", json!(architectures)),
                ("memory_size", json!(now.memory_size())),
                ("timeout", json!(now.timeout())),
                ("environment", if variables.is_empty() { Json::Null } else { Json::Object(variables) }),
                ("kms_key_arn", json!(now.kms_key_arn().filter(|text| !text.is_empty()))),
                ("log_format", json!(logging.and_then(LoggingConfig::log_format).map(LogFormat::as_str))),
                ("log_group", json!(logging.and_then(LoggingConfig::log_group))),
                ("source_code_hash", json!(now.code_sha256().filter(|_| !image))),
                ("image_uri", json!(image_uri)),
            ]),
            attributes: [("arn".to_owned(), json!(now.function_arn()))].into(),
            tags: function.tags.unwrap_or_default().into_iter().collect(),
        }))
    }

    /// Lambda cannot filter by prefix: this lists every function.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let functions = pages(|token| async {
            let page = call!("lambda:ListFunctions", self.0.list_functions().set_marker(token))?;
            Ok((page.functions.unwrap_or_default(), page.next_marker))
        });
        Ok(of_project(project, functions.await?.into_iter().filter_map(|function| function.function_name)))
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let image = optional(settings, "image_uri");
        let code = match &image {
            Some(uri) => FunctionCode::builder().image_uri(uri),
            None => FunctionCode::builder().zip_file(zip(settings).await?),
        };
        let name = text(settings, "function_name");
        let request = self
            .0
            .create_function()
            .function_name(name)
            .package_type(if image.is_some() { PackageType::Image } else { PackageType::Zip })
            .code(code.build())
            .set_runtime(optional(settings, "runtime").map(|runtime| Runtime::from(runtime.as_str())))
            .set_handler(optional(settings, "handler"))
            .set_description(optional(settings, "description"))
            .role(text(settings, "role"))
            .set_architectures(Some(architectures(settings)))
            .set_memory_size(number(settings, "memory_size"))
            .set_timeout(number(settings, "timeout"))
            .environment(environment(settings))
            .set_kms_key_arn(optional(settings, "kms_key_arn"))
            .logging_config(logging(settings))
            .set_tags(Some(tags.clone().into_iter().collect()));
        let created = call!("lambda:CreateFunction", request)?;
        Ok(Created {
            id: name.to_owned(),
            attributes: [("arn".to_owned(), json!(created.function_arn()))].into(),
        })
    }

    async fn ready(&self, id: &str) -> Result<(), Failure> {
        let Some(now) = self.configuration(id).await? else {
            return Err(not_yet("lambda:GetFunction", format!("`{id}` is not visible yet")));
        };
        let reason = |text: Option<&str>| text.unwrap_or("AWS gives no reason").to_owned();
        if now.state() == Some(&State::Failed) {
            return Err(Failure::local("lambda:GetFunction", reason(now.state_reason())));
        }
        if now.last_update_status() == Some(&LastUpdateStatus::Failed) {
            return Err(Failure::local("lambda:GetFunction", reason(now.last_update_status_reason())));
        }
        let busy = now.state() == Some(&State::Pending)
            || now.last_update_status() == Some(&LastUpdateStatus::InProgress);
        if busy {
            return Err(not_yet("lambda:GetFunction", format!("`{id}` is not active yet")));
        }
        Ok(())
    }

    /// Code and configuration are separate calls: Lambda rejects an update while another one is in progress.
    fn parts<'a>(&self, fields: &[&'a str]) -> Vec<Vec<&'a str>> {
        let (code, configuration): (Vec<_>, Vec<_>) = fields.iter().partition(|field| CODE.contains(field));
        [code, configuration].into_iter().filter(|part| !part.is_empty()).collect()
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        if fields.iter().any(|field| CODE.contains(field)) {
            let request = self.0.update_function_code().function_name(id);
            let request = request.set_architectures(Some(architectures(settings)));
            let request = match optional(settings, "image_uri") {
                Some(uri) => request.image_uri(uri),
                None => request.zip_file(zip(settings).await?),
            };
            call!("lambda:UpdateFunctionCode", request)?;
        } else {
            let request = self
                .0
                .update_function_configuration()
                .function_name(id)
                .set_runtime(optional(settings, "runtime").map(|runtime| Runtime::from(runtime.as_str())))
                .set_handler(optional(settings, "handler"))
                .description(text(settings, "description"))
                .role(text(settings, "role"))
                .set_memory_size(number(settings, "memory_size"))
                .set_timeout(number(settings, "timeout"))
                .environment(environment(settings))
                .kms_key_arn(text(settings, "kms_key_arn"))
                .logging_config(logging(settings));
            call!("lambda:UpdateFunctionConfiguration", request)?;
        }
        Ok(())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let tags = Some(set.clone().into_iter().collect());
        call!("lambda:TagResource", self.0.tag_resource().resource(arn).set_tags(tags)).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource(arn).set_tag_keys(Some(remove.to_vec()));
        call!("lambda:UntagResource", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("lambda:DeleteFunction", self.0.delete_function().function_name(id)))
    }
}
