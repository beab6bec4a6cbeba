//! Lambda functions.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Concurrency, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, LogFormat,
    LoggingConfig, PackageType, Runtime, State,
};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::artifact::{self, CodeKind};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::lambda;

use super::failure::{call, found, gone, not_yet};
use super::table::patiently;
use super::{of_project, pages};

pub(super) struct Functions(pub(super) Client);

/// Fields that UpdateFunctionCode sets; UpdateFunctionConfiguration sets all other fields.
const CODE: &[&str] = &["source_code_hash", "image_uri", "architectures"];

/// The field that PutFunctionConcurrency sets.
const CONCURRENCY: &str = "reserved_concurrent_executions";

/// Builds the zip of the recipe. Returns an error if its hash differs from the planned one.
async fn zip(function: &View<'_, lambda::Function>) -> Result<Blob, Failure> {
    let fail = |message: String| Failure::local("lambda:CreateFunction", message);
    let recipe: Json = serde_json::from_str(&function.source().unwrap_or_default()).unwrap_or_default();
    let path = recipe["path"].as_str().unwrap_or_default().to_owned();
    let kind = if recipe["kind"] == "zip" { CodeKind::Zip } else { CodeKind::Bootstrap };
    let bytes =
        tokio::fs::read(&path).await.map_err(|error| fail(format!("`{path}` cannot be read: {error}")))?;
    let prepared = tokio::task::spawn_blocking(move || artifact::prepare(kind, &bytes)).await;
    let code = prepared
        .map_err(|error| fail(error.to_string()))?
        .map_err(|error| fail(format!("`{path}` {error}")))?;
    if artifact::base64(&code.facts.sha256) != function.source_code_hash().unwrap_or_default() {
        return Err(fail(format!("`{path}` changed between plan and apply; plan and apply again")));
    }
    Ok(Blob::new(code.zip))
}

fn architectures(function: &View<'_, lambda::Function>) -> Vec<Architecture> {
    function.architectures().iter().map(|name| Architecture::from(name.as_str())).collect()
}

fn environment(function: &View<'_, lambda::Function>) -> Environment {
    let variables = function.environment().unwrap_or_default();
    Environment::builder().set_variables(Some(variables.into_iter().collect())).build()
}

fn logging(function: &View<'_, lambda::Function>) -> LoggingConfig {
    // A field in `ignore_drift` that AWS does not report is missing in an update.
    let group = Some(function.log_group()).filter(|name| !name.is_empty());
    LoggingConfig::builder()
        .log_format(LogFormat::from(function.log_format()))
        .set_log_group(group.map(ToOwned::to_owned))
        .build()
}

impl Functions {
    async fn put_concurrency(&self, id: &str, function: &View<'_, lambda::Function>) -> Result<(), Failure> {
        let Some(executions) = function.reserved_concurrent_executions() else {
            let request = self.0.delete_function_concurrency().function_name(id);
            return gone(call!("lambda:DeleteFunctionConcurrency", request));
        };
        let request = self.0.put_function_concurrency().function_name(id);
        let request = request.reserved_concurrent_executions(executions);
        call!("lambda:PutFunctionConcurrency", request).map(|_| ())
    }

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
        let variables = now.environment().and_then(|environment| environment.variables());
        let image = now.package_type() == Some(&PackageType::Image);
        let image_uri = function.code.as_ref().and_then(|code| code.image_uri()).filter(|_| image);
        let concurrency = function.concurrency.as_ref().and_then(Concurrency::reserved_concurrent_executions);
        let logging = now.logging_config();
        let architectures: Vec<&str> = now.architectures().iter().map(Architecture::as_str).collect();
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<lambda::Function>::default()
                .function_name(now.function_name())
                .package_type(now.package_type().map_or("Zip", PackageType::as_str))
                .description(now.description().filter(|text| !text.is_empty()))
                .role(now.role())
                .runtime(now.runtime().filter(|_| !image).map(Runtime::as_str))
                .handler(now.handler().filter(|_| !image))
                .architectures(architectures)
                .memory_size(now.memory_size())
                .timeout(now.timeout())
                .environment(variables.filter(|variables| !variables.is_empty()))
                .kms_key_arn(now.kms_key_arn().filter(|text| !text.is_empty()))
                .log_format(logging.and_then(LoggingConfig::log_format).map(LogFormat::as_str))
                .log_group(logging.and_then(LoggingConfig::log_group))
                .source_code_hash(now.code_sha256().filter(|_| !image))
                .image_uri(image_uri)
                .reserved_concurrent_executions(concurrency)
                .settings(),
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
        let function = View::<lambda::Function>::of(settings);
        let image = function.image_uri();
        let code = match image {
            Some(uri) => FunctionCode::builder().image_uri(uri),
            None => FunctionCode::builder().zip_file(zip(&function).await?),
        };
        let name = function.function_name();
        let request = self
            .0
            .create_function()
            .function_name(name)
            .package_type(if image.is_some() { PackageType::Image } else { PackageType::Zip })
            .code(code.build())
            .set_runtime(function.runtime().map(Runtime::from))
            .set_handler(function.handler().map(ToOwned::to_owned))
            .set_description(function.description().map(ToOwned::to_owned))
            .role(function.role())
            .set_architectures(Some(architectures(&function)))
            .set_memory_size(function.memory_size())
            .set_timeout(function.timeout())
            .environment(environment(&function))
            .set_kms_key_arn(function.kms_key_arn().map(ToOwned::to_owned))
            .logging_config(logging(&function))
            .set_tags(Some(tags.clone().into_iter().collect()));
        let created = call!("lambda:CreateFunction", request)?;
        if function.reserved_concurrent_executions().is_some() {
            patiently(|| self.put_concurrency(name, &function)).await?;
        }
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

    /// Code, concurrency and configuration are separate calls: Lambda rejects an update while another one is in
    /// progress.
    fn parts<'a>(&self, fields: &[&'a str]) -> Vec<Vec<&'a str>> {
        let (code, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|field| CODE.contains(field));
        let (concurrency, configuration) = rest.into_iter().partition(|field| *field == CONCURRENCY);
        [code, configuration, concurrency].into_iter().filter(|part| !part.is_empty()).collect()
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let function = View::<lambda::Function>::of(settings);
        if fields.contains(&CONCURRENCY) {
            return self.put_concurrency(id, &function).await;
        }
        if fields.iter().any(|field| CODE.contains(field)) {
            let request = self.0.update_function_code().function_name(id);
            let request = request.set_architectures(Some(architectures(&function)));
            let request = match function.image_uri() {
                Some(uri) => request.image_uri(uri),
                None => request.zip_file(zip(&function).await?),
            };
            call!("lambda:UpdateFunctionCode", request)?;
        } else {
            let request = self
                .0
                .update_function_configuration()
                .function_name(id)
                .set_runtime(function.runtime().map(Runtime::from))
                .set_handler(function.handler().map(ToOwned::to_owned))
                .description(function.description().unwrap_or_default())
                .role(function.role())
                .set_memory_size(function.memory_size())
                .set_timeout(function.timeout())
                .environment(environment(&function))
                .kms_key_arn(function.kms_key_arn().unwrap_or_default())
                .logging_config(logging(&function));
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
