//! Function URLs: HTTPS addresses of Lambda functions.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{Cors, FunctionUrlAuthType};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::lambda;

use super::failure::{call, found, gone};

pub(super) struct FunctionUrls(pub(super) Client);

/// The CORS settings: origins, methods and headers that browsers may use.
fn cors(url: &View<'_, lambda::FunctionUrl>) -> Cors {
    let given = |list: Option<Vec<String>>| list.filter(|list| !list.is_empty());
    Cors::builder()
        .set_allow_origins(given(url.cors_allow_origins()))
        .set_allow_methods(given(url.cors_allow_methods()))
        .set_allow_headers(given(url.cors_allow_headers()))
        .set_max_age(url.cors_max_age())
        .build()
}

fn authorization(url: &View<'_, lambda::FunctionUrl>) -> FunctionUrlAuthType {
    FunctionUrlAuthType::from(url.authorization_type())
}

#[async_trait]
impl Driver for FunctionUrls {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let request = self.0.get_function_url_config().function_name(id);
        let Some(now) = found(call!("lambda:GetFunctionUrlConfig", request))? else { return Ok(None) };
        let cors = now.cors();
        // AWS returns 0 for an unset age.
        let max_age = cors.and_then(Cors::max_age).filter(|age| *age != 0);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<lambda::FunctionUrl>::default()
                .function_name(id)
                .authorization_type(now.auth_type().as_str())
                .cors_allow_origins(cors.map(Cors::allow_origins))
                .cors_allow_methods(cors.map(Cors::allow_methods))
                .cors_allow_headers(cors.map(Cors::allow_headers))
                .cors_max_age(max_age)
                .settings(),
            attributes: [("function_url".to_owned(), json!(now.function_url()))].into(),
            ..Observed::default()
        }))
    }

    async fn children(&self, parent: &'static Kind, function: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != lambda::FUNCTION.name {
            return Ok(Vec::new());
        }
        match self.observe(&function.id).await {
            // Policies grant reading together with creating: if reading is denied, no URL was created.
            Err(failure) if failure.denied => Ok(Vec::new()),
            observed => Ok(observed?.into_iter().collect()),
        }
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let url = View::<lambda::FunctionUrl>::of(settings);
        let id = url.function_name();
        let cors = Some(cors(&url)).filter(|cors| *cors != Cors::builder().build());
        let request = self.0.create_function_url_config().function_name(id);
        let request = request.auth_type(authorization(&url)).set_cors(cors);
        let created = call!("lambda:CreateFunctionUrlConfig", request)?;
        Ok(Created {
            id: id.to_owned(),
            attributes: [("function_url".to_owned(), created.function_url.into())].into(),
        })
    }

    /// Always sends the CORS settings, even empty ones: Lambda keeps settings that the call omits.
    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let url = View::<lambda::FunctionUrl>::of(settings);
        let request = self.0.update_function_url_config().function_name(id);
        let request = request.auth_type(authorization(&url)).cors(cors(&url));
        call!("lambda:UpdateFunctionUrlConfig", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let request = self.0.delete_function_url_config().function_name(id);
        gone(call!("lambda:DeleteFunctionUrlConfig", request))
    }
}
