//! API Gateway's HTTP APIs and their parts.
//!
//! AWS gives the parts of an API random ids. The ids here consist of the API's id and a natural key: a URI, a
//! route key or a name. Listing all parts of the API finds the one with that key.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_apigatewayv2::Client;
use aws_sdk_apigatewayv2::config::Builder;
use aws_sdk_apigatewayv2::config::retry::RetryConfig;
use aws_sdk_apigatewayv2::operation::get_stage::GetStageOutput;
use aws_sdk_apigatewayv2::types::{
    AccessLogSettings, AuthorizationType, Authorizer, AuthorizerType, Cors, Integration, IntegrationType,
    JwtConfiguration, ProtocolType, Route, RouteSettings,
};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Class, Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::apigatewayv2;
use tandem_model::names;
use tandem_model::ownership::{INSTANCE, OWNER};
use tandem_model::partition;

use super::failure::{call, found, gone};
use super::{pages, split};

/// Time limit for retries of a create call whose response was lost.
const UNANSWERED: Duration = Duration::from_secs(60);

/// Disables the SDK's retries for a create call without an idempotency token: a retry after a lost response
/// would create a second object.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// Looks for the object after a failed create call: the call may have created it.
async fn settle(
    failure: Failure,
    look: impl Future<Output = Result<Option<Observed>, Failure>>,
) -> Result<Created, Failure> {
    // A throttled call created nothing, and another call would be throttled as well.
    if failure.code == "TooManyRequestsException" {
        return Err(failure);
    }
    match look.await {
        Ok(Some(made)) => Ok(Created { id: made.id, attributes: made.attributes }),
        Ok(None) if failure.code.is_empty() => Err(Failure { class: Class::Passing(UNANSWERED), ..failure }),
        _ => Err(failure),
    }
}

fn missing(operation: &str, id: &str) -> Failure {
    Failure::local(operation, format!("`{id}` is gone"))
}

fn own_id(id: Option<&str>) -> BTreeMap<String, Json> {
    [("id".to_owned(), json!(id))].into()
}

pub(super) struct Apis {
    pub(super) client: Client,
    pub(super) region: String,
    /// The account, which API Gateway does not return.
    pub(super) account: Option<String>,
}

/// A list; `None` when it is empty.
fn given(list: Vec<String>) -> Option<Vec<String>> {
    Some(list).filter(|list| !list.is_empty())
}

/// The CORS settings; `None` if none are set.
fn cors(api: &View<'_, apigatewayv2::Api>) -> Option<Cors> {
    let cors = Cors::builder()
        .set_allow_origins(api.cors_allow_origins().and_then(given))
        .set_allow_methods(api.cors_allow_methods().and_then(given))
        .set_allow_headers(api.cors_allow_headers().and_then(given))
        .set_max_age(api.cors_max_age())
        .build();
    (cors != Cors::builder().build()).then_some(cors)
}

impl Apis {
    /// The ARN that the tagging calls take.
    fn arn(&self, id: &str) -> String {
        format!("arn:{}:apigateway:{}::/apis/{id}", partition::of_region(&self.region).id, self.region)
    }

    fn attributes(&self, id: &str, endpoint: Option<&str>) -> BTreeMap<String, Json> {
        let mut attributes = own_id(Some(id));
        attributes.insert("api_endpoint".to_owned(), json!(endpoint));
        if let Some(account) = &self.account {
            let (partition, region) = (partition::of_region(&self.region).id, &self.region);
            let arn = format!("arn:{partition}:execute-api:{region}:{account}:{id}");
            attributes.insert("execution_arn".to_owned(), arn.into());
        }
        attributes
    }

    /// The API that an earlier attempt of the same create call made.
    async fn made(&self, settings: &Settings, tags: &Tags) -> Result<Option<Observed>, Failure> {
        let found = self.find(settings).await?;
        Ok(found.filter(|found| found.tags.get(INSTANCE) == tags.get(INSTANCE)))
    }
}

#[async_trait]
impl Driver for Apis {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(api) = found(call!("apigatewayv2:GetApi", self.client.get_api().api_id(id)))? else {
            return Ok(None);
        };
        // GetApi returns tags, too, but some implementations do not update them.
        let tags = self.client.get_tags().resource_arn(self.arn(id));
        let Some(tags) = found(call!("apigatewayv2:GetTags", tags))? else { return Ok(None) };
        let cors = api.cors_configuration();
        // AWS returns 0 for an unset age.
        let max_age = cors.and_then(Cors::max_age).filter(|age| *age != 0);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<apigatewayv2::Api>::default()
                .name(api.name())
                .protocol_type(api.protocol_type().map(ProtocolType::as_str))
                .description(api.description().filter(|text| !text.is_empty()))
                .disable_execute_api_endpoint(api.disable_execute_api_endpoint().unwrap_or_default())
                .cors_allow_origins(cors.map(Cors::allow_origins))
                .cors_allow_methods(cors.map(Cors::allow_methods))
                .cors_allow_headers(cors.map(Cors::allow_headers))
                .cors_max_age(max_age)
                .settings(),
            attributes: self.attributes(id, api.api_endpoint()),
            tags: tags.tags.unwrap_or_default().into_iter().collect(),
        }))
    }

    /// API names are not unique: finds the API with an owner tag.
    async fn find(&self, settings: &Settings) -> Result<Option<Observed>, Failure> {
        let apis = pages(|token| async {
            let page = call!("apigatewayv2:GetApis", self.client.get_apis().set_next_token(token))?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        let name = View::<apigatewayv2::Api>::of(settings).name();
        let ours = apis
            .await?
            .into_iter()
            .find(|api| api.name() == Some(name) && api.tags().is_some_and(|tags| tags.contains_key(OWNER)));
        match ours.and_then(|api| api.api_id) {
            Some(id) => self.observe(&id).await,
            None => Ok(None),
        }
    }

    /// API Gateway cannot filter by prefix: this lists every API.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let apis = pages(|token| async {
            let page = call!("apigatewayv2:GetApis", self.client.get_apis().set_next_token(token))?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        let prefix = names::prefix(project);
        let apis = apis.await?.into_iter();
        let ours = apis.filter(|api| api.name().is_some_and(|name| name.starts_with(&prefix)));
        Ok(ours.filter_map(|api| api.api_id).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let api = View::<apigatewayv2::Api>::of(settings);
        let request = self
            .client
            .create_api()
            .name(api.name())
            .protocol_type(ProtocolType::from(api.protocol_type()))
            .set_description(api.description().map(ToOwned::to_owned))
            .set_disable_execute_api_endpoint(api.disable_execute_api_endpoint())
            .set_cors_configuration(cors(&api))
            .set_tags(Some(tags.clone().into_iter().collect()));
        match call!("apigatewayv2:CreateApi", request.customize().config_override(once())) {
            Ok(created) => {
                let id = created.api_id.unwrap_or_default();
                Ok(Created { attributes: self.attributes(&id, created.api_endpoint.as_deref()), id })
            }
            Err(failure) => settle(failure, self.made(settings, tags)).await,
        }
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let api = View::<apigatewayv2::Api>::of(settings);
        let cors = cors(&api);
        // UpdateApi replaces the CORS settings, but cannot remove them.
        if cors.is_none() && fields.iter().any(|field| field.starts_with("cors_")) {
            let request = self.client.delete_cors_configuration().api_id(id);
            gone(call!("apigatewayv2:DeleteCorsConfiguration", request))?;
        }
        let request = self
            .client
            .update_api()
            .api_id(id)
            .description(api.description().unwrap_or_default())
            .set_disable_execute_api_endpoint(api.disable_execute_api_endpoint())
            .set_cors_configuration(cors);
        call!("apigatewayv2:UpdateApi", request).map(|_| ())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        Ok(self.arn(id))
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let tags = Some(set.clone().into_iter().collect());
        let request = self.client.tag_resource().resource_arn(arn).set_tags(tags);
        call!("apigatewayv2:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.client.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("apigatewayv2:UntagResource", request).map(|_| ())
    }

    /// Deletes the API with all of its remaining parts.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("apigatewayv2:DeleteApi", self.client.delete_api().api_id(id)))
    }
}

pub(super) struct Integrations(pub(super) Client);

/// The version, if it is set: a field in `ignore_drift` that AWS does not report is missing in an update.
fn payload_format(integration: &View<'_, apigatewayv2::Integration>) -> Option<String> {
    let version = Some(integration.payload_format_version()).filter(|version| !version.is_empty());
    version.map(ToOwned::to_owned)
}

fn integration(api: &str, now: &Integration) -> Observed {
    Observed {
        id: format!("{api}|{}", now.integration_uri().unwrap_or_default()),
        settings: Seen::<apigatewayv2::Integration>::default()
            .api_id(api)
            .integration_type(now.integration_type().map(IntegrationType::as_str))
            .integration_uri(now.integration_uri())
            .payload_format_version(now.payload_format_version())
            .timeout_milliseconds(now.timeout_in_millis())
            .settings(),
        attributes: own_id(now.integration_id()),
        ..Observed::default()
    }
}

impl Integrations {
    /// The integrations of an API. A deleted API has none.
    async fn all(&self, api: &str) -> Result<Vec<Integration>, Failure> {
        let all = pages(|token| async {
            let request = self.0.get_integrations().api_id(api).set_next_token(token);
            let page = call!("apigatewayv2:GetIntegrations", request)?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        Ok(found(all.await)?.unwrap_or_default())
    }

    async fn get(&self, id: &str) -> Result<Option<Integration>, Failure> {
        let (api, uri) = split(id, '|', "apigatewayv2:GetIntegrations")?;
        let mut all = self.all(api).await?.into_iter();
        Ok(all.find(|integration| integration.integration_uri() == Some(uri)))
    }
}

#[async_trait]
impl Driver for Integrations {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (api, _) = split(id, '|', "apigatewayv2:GetIntegrations")?;
        Ok(self.get(id).await?.map(|now| integration(api, &now)))
    }

    async fn children(&self, parent: &'static Kind, api: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != apigatewayv2::API.name {
            return Ok(Vec::new());
        }
        Ok(self.all(&api.id).await?.iter().map(|now| integration(&api.id, now)).collect())
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let integration = View::<apigatewayv2::Integration>::of(settings);
        let (api, uri) = (integration.api_id(), integration.integration_uri());
        let id = format!("{api}|{uri}");
        let request = self
            .0
            .create_integration()
            .api_id(api)
            .integration_type(IntegrationType::from(integration.integration_type()))
            .integration_uri(uri)
            .set_payload_format_version(payload_format(&integration))
            .set_timeout_in_millis(integration.timeout_milliseconds());
        match call!("apigatewayv2:CreateIntegration", request.customize().config_override(once())) {
            Ok(created) => Ok(Created { attributes: own_id(created.integration_id()), id }),
            Err(failure) => settle(failure, self.observe(&id)).await,
        }
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let integration = View::<apigatewayv2::Integration>::of(settings);
        let now = self.get(id).await?.ok_or_else(|| missing("apigatewayv2:GetIntegrations", id))?;
        let request = self
            .0
            .update_integration()
            .api_id(integration.api_id())
            .set_integration_id(now.integration_id)
            .set_payload_format_version(payload_format(&integration))
            // By its name: an update omits a number in `ignore_drift` that AWS does not report.
            .set_timeout_in_millis(integration.timeout_milliseconds());
        call!("apigatewayv2:UpdateIntegration", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (api, _) = split(id, '|', "apigatewayv2:DeleteIntegration")?;
        let Some(now) = self.get(id).await? else { return Ok(()) };
        let request = self.0.delete_integration().api_id(api).set_integration_id(now.integration_id);
        gone(call!("apigatewayv2:DeleteIntegration", request))
    }
}

pub(super) struct Routes(pub(super) Client);

fn route(api: &str, now: &Route) -> Observed {
    let authorization = now.authorization_type().map_or("NONE", AuthorizationType::as_str);
    Observed {
        id: format!("{api}|{}", now.route_key().unwrap_or_default()),
        settings: Seen::<apigatewayv2::Route>::default()
            .api_id(api)
            .route_key(now.route_key())
            .target(now.target())
            .authorization_type(authorization)
            .authorizer_id(now.authorizer_id().filter(|text| !text.is_empty()))
            .authorization_scopes(now.authorization_scopes())
            .settings(),
        ..Observed::default()
    }
}

impl Routes {
    /// The routes of an API. A deleted API has none.
    async fn all(&self, api: &str) -> Result<Vec<Route>, Failure> {
        let all = pages(|token| async {
            let request = self.0.get_routes().api_id(api).set_next_token(token);
            let page = call!("apigatewayv2:GetRoutes", request)?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        Ok(found(all.await)?.unwrap_or_default())
    }

    async fn get(&self, id: &str) -> Result<Option<Route>, Failure> {
        let (api, key) = split(id, '|', "apigatewayv2:GetRoutes")?;
        Ok(self.all(api).await?.into_iter().find(|route| route.route_key() == Some(key)))
    }
}

#[async_trait]
impl Driver for Routes {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (api, _) = split(id, '|', "apigatewayv2:GetRoutes")?;
        Ok(self.get(id).await?.map(|now| route(api, &now)))
    }

    async fn children(&self, parent: &'static Kind, api: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != apigatewayv2::API.name {
            return Ok(Vec::new());
        }
        Ok(self.all(&api.id).await?.iter().map(|now| route(&api.id, now)).collect())
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let route = View::<apigatewayv2::Route>::of(settings);
        let (api, key) = (route.api_id(), route.route_key());
        let request = self
            .0
            .create_route()
            .api_id(api)
            .route_key(key)
            .target(route.target())
            .authorization_type(AuthorizationType::from(route.authorization_type()))
            .set_authorizer_id(route.authorizer_id().map(ToOwned::to_owned))
            .set_authorization_scopes(route.authorization_scopes().and_then(given));
        call!("apigatewayv2:CreateRoute", request)?;
        Ok(Created { id: format!("{api}|{key}"), ..Created::default() })
    }

    /// API Gateway keeps settings that the call omits, and accepts an authorizer only together with its type.
    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let now = self.get(id).await?.ok_or_else(|| missing("apigatewayv2:GetRoutes", id))?;
        let cleared = |field: &str| fields.contains(&field);
        let route = View::<apigatewayv2::Route>::of(settings);
        let authorizer = route.authorizer_id().map(ToOwned::to_owned);
        let scopes = route.authorization_scopes().and_then(given);
        let request = self
            .0
            .update_route()
            .api_id(route.api_id())
            .set_route_id(now.route_id)
            .target(route.target())
            .authorization_type(AuthorizationType::from(route.authorization_type()))
            .set_authorizer_id(authorizer.or_else(|| cleared("authorizer_id").then(String::new)))
            .set_authorization_scopes(scopes.or_else(|| cleared("authorization_scopes").then(Vec::new)));
        call!("apigatewayv2:UpdateRoute", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (api, _) = split(id, '|', "apigatewayv2:DeleteRoute")?;
        let Some(now) = self.get(id).await? else { return Ok(()) };
        let request = self.0.delete_route().api_id(api).set_route_id(now.route_id);
        gone(call!("apigatewayv2:DeleteRoute", request))
    }
}

pub(super) struct Authorizers(pub(super) Client);

fn authorizer(api: &str, now: &Authorizer) -> Observed {
    let jwt = now.jwt_configuration();
    Observed {
        id: format!("{api}|{}", now.name().unwrap_or_default()),
        settings: Seen::<apigatewayv2::Authorizer>::default()
            .api_id(api)
            .name(now.name())
            .authorizer_type(now.authorizer_type().map(AuthorizerType::as_str))
            .identity_sources(now.identity_source())
            .jwt_issuer(jwt.and_then(JwtConfiguration::issuer))
            .jwt_audience(jwt.map(JwtConfiguration::audience))
            .settings(),
        attributes: own_id(now.authorizer_id()),
        ..Observed::default()
    }
}

fn jwt(authorizer: &View<'_, apigatewayv2::Authorizer>) -> JwtConfiguration {
    JwtConfiguration::builder()
        .issuer(authorizer.jwt_issuer().unwrap_or_default())
        .set_audience(given(authorizer.jwt_audience()))
        .build()
}

impl Authorizers {
    /// The authorizers of an API. A deleted API has none.
    async fn all(&self, api: &str) -> Result<Vec<Authorizer>, Failure> {
        let all = pages(|token| async {
            let request = self.0.get_authorizers().api_id(api).set_next_token(token);
            let page = call!("apigatewayv2:GetAuthorizers", request)?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        Ok(found(all.await)?.unwrap_or_default())
    }

    async fn get(&self, id: &str) -> Result<Option<Authorizer>, Failure> {
        let (api, name) = split(id, '|', "apigatewayv2:GetAuthorizers")?;
        Ok(self.all(api).await?.into_iter().find(|authorizer| authorizer.name() == Some(name)))
    }
}

#[async_trait]
impl Driver for Authorizers {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (api, _) = split(id, '|', "apigatewayv2:GetAuthorizers")?;
        Ok(self.get(id).await?.map(|now| authorizer(api, &now)))
    }

    async fn children(&self, parent: &'static Kind, api: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != apigatewayv2::API.name {
            return Ok(Vec::new());
        }
        Ok(self.all(&api.id).await?.iter().map(|now| authorizer(&api.id, now)).collect())
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let authorizer = View::<apigatewayv2::Authorizer>::of(settings);
        let (api, name) = (authorizer.api_id(), authorizer.name());
        let id = format!("{api}|{name}");
        let request = self
            .0
            .create_authorizer()
            .api_id(api)
            .name(name)
            .authorizer_type(AuthorizerType::from(authorizer.authorizer_type()))
            .set_identity_source(Some(authorizer.identity_sources()))
            .jwt_configuration(jwt(&authorizer));
        match call!("apigatewayv2:CreateAuthorizer", request.customize().config_override(once())) {
            Ok(created) => Ok(Created { attributes: own_id(created.authorizer_id()), id }),
            Err(failure) => settle(failure, self.observe(&id)).await,
        }
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let authorizer = View::<apigatewayv2::Authorizer>::of(settings);
        let now = self.get(id).await?.ok_or_else(|| missing("apigatewayv2:GetAuthorizers", id))?;
        let request = self
            .0
            .update_authorizer()
            .api_id(authorizer.api_id())
            .set_authorizer_id(now.authorizer_id)
            .set_identity_source(Some(authorizer.identity_sources()))
            .jwt_configuration(jwt(&authorizer));
        call!("apigatewayv2:UpdateAuthorizer", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (api, _) = split(id, '|', "apigatewayv2:DeleteAuthorizer")?;
        let Some(now) = self.get(id).await? else { return Ok(()) };
        let request = self.0.delete_authorizer().api_id(api).set_authorizer_id(now.authorizer_id);
        gone(call!("apigatewayv2:DeleteAuthorizer", request))
    }
}

pub(super) struct Stages(pub(super) Client);

/// The access logs. A field in `ignore_drift` that AWS does not report is missing in an update.
fn access_logs(stage: &View<'_, apigatewayv2::Stage>) -> Option<AccessLogSettings> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let destination = given(stage.access_log_destination_arn())?;
    let logs = AccessLogSettings::builder().destination_arn(destination);
    Some(logs.set_format(given(stage.access_log_format())).build())
}

/// The throttling limits of all routes. The same call sets detailed metrics, which keep their current value.
fn limits(stage: &View<'_, apigatewayv2::Stage>, now: Option<&RouteSettings>) -> RouteSettings {
    RouteSettings::builder()
        .set_detailed_metrics_enabled(now.and_then(RouteSettings::detailed_metrics_enabled))
        .set_throttling_burst_limit(stage.throttling_burst_limit())
        .set_throttling_rate_limit(stage.throttling_rate_limit())
        .build()
}

impl Stages {
    /// The names of the stages of an API. A deleted API has none.
    async fn names(&self, api: &str) -> Result<Vec<String>, Failure> {
        let stages = pages(|token| async {
            let page =
                call!("apigatewayv2:GetStages", self.0.get_stages().api_id(api).set_next_token(token))?;
            Ok((page.items.unwrap_or_default(), page.next_token))
        });
        let stages = found(stages.await)?.unwrap_or_default();
        Ok(stages.into_iter().filter_map(|stage| stage.stage_name).collect())
    }

    async fn get(&self, api: &str, name: &str) -> Result<Option<GetStageOutput>, Failure> {
        found(call!("apigatewayv2:GetStage", self.0.get_stage().api_id(api).stage_name(name)))
    }
}

#[async_trait]
impl Driver for Stages {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (api, name) = split(id, '|', "apigatewayv2:GetStage")?;
        let Some(now) = self.get(api, name).await? else { return Ok(None) };
        let (logs, limits) = (now.access_log_settings(), now.default_route_settings());
        let rate = limits.and_then(RouteSettings::throttling_rate_limit);
        // API Gateway returns rates as floats; the field is an integer.
        #[allow(clippy::cast_possible_truncation)]
        let rate = rate.map(|rate| rate as i64);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<apigatewayv2::Stage>::default()
                .api_id(api)
                .name(name)
                .auto_deploy(now.auto_deploy().unwrap_or_default())
                .access_log_destination_arn(logs.and_then(AccessLogSettings::destination_arn))
                .access_log_format(logs.and_then(AccessLogSettings::format))
                .throttling_burst_limit(limits.and_then(RouteSettings::throttling_burst_limit))
                .throttling_rate_limit(rate)
                .settings(),
            ..Observed::default()
        }))
    }

    async fn children(&self, parent: &'static Kind, api: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != apigatewayv2::API.name {
            return Ok(Vec::new());
        }
        let mut children = Vec::new();
        for name in self.names(&api.id).await? {
            children.extend(self.observe(&format!("{}|{name}", api.id)).await?);
        }
        Ok(children)
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let stage = View::<apigatewayv2::Stage>::of(settings);
        let (api, name) = (stage.api_id(), stage.name());
        let request = self
            .0
            .create_stage()
            .api_id(api)
            .stage_name(name)
            .set_auto_deploy(stage.auto_deploy())
            .set_access_log_settings(access_logs(&stage))
            .default_route_settings(limits(&stage, None));
        call!("apigatewayv2:CreateStage", request)?;
        Ok(Created { id: format!("{api}|{name}"), ..Created::default() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let (api, name) = split(id, '|', "apigatewayv2:UpdateStage")?;
        let stage = View::<apigatewayv2::Stage>::of(settings);
        let logs = access_logs(&stage);
        if logs.is_none() && fields.iter().any(|field| field.starts_with("access_log_")) {
            let request = self.0.delete_access_log_settings().api_id(api).stage_name(name);
            gone(call!("apigatewayv2:DeleteAccessLogSettings", request))?;
        }
        let now = self.get(api, name).await?.ok_or_else(|| missing("apigatewayv2:GetStage", id))?;
        let request = self
            .0
            .update_stage()
            .api_id(api)
            .stage_name(name)
            .set_auto_deploy(stage.auto_deploy())
            .set_access_log_settings(logs)
            .default_route_settings(limits(&stage, now.default_route_settings()));
        call!("apigatewayv2:UpdateStage", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (api, name) = split(id, '|', "apigatewayv2:DeleteStage")?;
        gone(call!("apigatewayv2:DeleteStage", self.0.delete_stage().api_id(api).stage_name(name)))
    }
}
