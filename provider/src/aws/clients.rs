//! Creates the SDK's clients from the provider's configuration, the environment and the shared AWS files.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider as Tls, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

use super::ec2;
use super::limiter::Limits;

/// Time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for a response.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Services whose endpoint can be set.
pub const SERVICES: &[&str] = &[
    "apigatewayv2",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "events",
    "iam",
    "kinesis",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "sfn",
    "sns",
    "sqs",
    "sts",
];

/// The connection settings of the provider's configuration. Unset fields come from the environment and the
/// shared configuration files.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The region.
    pub region: Option<String>,
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// The access key.
    pub access_key: Option<String>,
    /// The secret key.
    pub secret_key: Option<String>,
    /// The session token.
    pub token: Option<String>,
    /// One endpoint for all services.
    pub endpoint: Option<String>,
    /// Endpoints by service.
    pub endpoints: BTreeMap<String, String>,
    /// The role to assume.
    pub assume_role: Option<AssumeRole>,
    /// Maximum number of retries of a failed call.
    pub max_retries: Option<u32>,
    /// The connector to use in place of HTTPS, e.g. AWS in memory.
    pub carrier: Option<SharedHttpConnector>,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// Its ARN.
    pub arn: String,
    /// The name of the session.
    pub session_name: Option<String>,
    /// The external id that the role's trust policy requires.
    pub external_id: Option<String>,
}

/// One client per service.
pub struct Clients {
    /// The account, once it is known.
    pub account: Option<String>,
    /// The region.
    pub region: String,
    /// The S3 endpoint and the region, which are part of the names of lock files.
    pub place: String,
    /// The client of this service.
    pub apigatewayv2: aws_sdk_apigatewayv2::Client,
    /// The client of this service.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// The client of this service.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The client of this service.
    pub ec2: ec2::Client,
    /// The client of this service.
    pub ecr: aws_sdk_ecr::Client,
    /// The client of this service.
    pub ecs: aws_sdk_ecs::Client,
    /// The client of this service.
    pub events: aws_sdk_eventbridge::Client,
    /// The host and port of a custom ECR endpoint.
    pub own_registry: Option<String>,
    /// The client of this service.
    pub iam: aws_sdk_iam::Client,
    /// The client of this service.
    pub kinesis: aws_sdk_kinesis::Client,
    /// The client of this service.
    pub lambda: aws_sdk_lambda::Client,
    /// The client of this service.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// The client of this service.
    pub s3: aws_sdk_s3::Client,
    /// The client of this service.
    pub scheduler: aws_sdk_scheduler::Client,
    /// The client of this service.
    pub sfn: aws_sdk_sfn::Client,
    /// The client of this service.
    pub sns: aws_sdk_sns::Client,
    /// The client of this service.
    pub sqs: aws_sdk_sqs::Client,
    /// True if SQS is an emulator on this machine.
    pub local_sqs: bool,
    /// The client of this service.
    pub sts: aws_sdk_sts::Client,
    credentials: Option<SharedCredentialsProvider>,
}

impl Connection {
    /// Creates the clients; returns an error if no region is set.
    pub async fn clients(&self) -> Result<Clients, String> {
        let limits = Limits::default();
        let shared = self.load(&limits).await;
        let Some(region) = shared.region().map(ToString::to_string) else {
            return Err("no region is set".to_owned());
        };
        let endpoint = |service: &str| self.endpoints.get(service).or(self.endpoint.as_ref()).cloned();
        macro_rules! configure {
            ($sdk:ident, $service:literal) => {{
                let builder = $sdk::config::Builder::from(&shared);
                match endpoint($service) {
                    Some(url) => builder.endpoint_url(url),
                    None => builder,
                }
            }};
        }
        macro_rules! client {
            ($sdk:ident, $service:literal) => {
                $sdk::Client::from_conf(configure!($sdk, $service).build())
            };
        }
        // Custom endpoints rarely resolve one host name per bucket.
        let own_s3 = endpoint("s3").is_some()
            || shared.endpoint_url().is_some()
            || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let of_environment = |service: &str| {
            let set = std::env::var(format!("AWS_ENDPOINT_URL_{}", service.to_uppercase())).ok();
            endpoint(service).or(set).or_else(|| shared.endpoint_url().map(ToOwned::to_owned))
        };
        let own_registry = of_environment("ecr").map(|url| {
            let host = url.split_once("://").map_or(&*url, |(_, host)| host);
            host.trim_end_matches('/').to_owned()
        });
        let credentials = shared.credentials_provider();
        let s3 = configure!(aws_sdk_s3, "s3").force_path_style(own_s3).build();
        Ok(Clients {
            account: None,
            place: format!("{}/{region}", endpoint("s3").unwrap_or_default()),
            ec2: ec2::Client::new(
                self.connector(&limits),
                credentials.clone(),
                &region,
                of_environment("ec2"),
                self.attempts(),
            ),
            region,
            apigatewayv2: client!(aws_sdk_apigatewayv2, "apigatewayv2"),
            cloudwatch: client!(aws_sdk_cloudwatch, "cloudwatch"),
            dynamodb: client!(aws_sdk_dynamodb, "dynamodb"),
            ecr: client!(aws_sdk_ecr, "ecr"),
            ecs: client!(aws_sdk_ecs, "ecs"),
            events: client!(aws_sdk_eventbridge, "events"),
            own_registry,
            iam: client!(aws_sdk_iam, "iam"),
            kinesis: client!(aws_sdk_kinesis, "kinesis"),
            lambda: client!(aws_sdk_lambda, "lambda"),
            logs: client!(aws_sdk_cloudwatchlogs, "logs"),
            s3: aws_sdk_s3::Client::from_conf(s3),
            scheduler: client!(aws_sdk_scheduler, "scheduler"),
            sfn: client!(aws_sdk_sfn, "sfn"),
            sns: client!(aws_sdk_sns, "sns"),
            sqs: client!(aws_sdk_sqs, "sqs"),
            local_sqs: of_environment("sqs").is_some_and(|url| is_local(&url)),
            sts: client!(aws_sdk_sts, "sts"),
            credentials,
        })
    }

    /// The HTTP client of the SDK's clients.
    fn http_client(&self, limits: &Limits) -> SharedHttpClient {
        let carrier = match self.carrier.clone() {
            Some(carrier) => http_client_fn(move |_, _| carrier.clone()),
            None => aws_smithy_http_client::Builder::new()
                .tls_provider(Tls::Rustls(CryptoMode::Ring))
                .build_https(),
        };
        let limits = limits.clone();
        http_client_fn(move |settings, components| limits.on(carrier.http_connector(settings, components)))
    }

    /// The connector for calls outside the SDK's clients, i.e. for EC2.
    fn connector(&self, limits: &Limits) -> SharedHttpConnector {
        let https = || {
            let timeouts = HttpConnectorSettings::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                .build();
            let connector = Connector::builder().connector_settings(timeouts);
            SharedHttpConnector::new(connector.tls_provider(Tls::Rustls(CryptoMode::Ring)).build())
        };
        limits.on(self.carrier.clone().unwrap_or_else(https))
    }

    /// Maximum number of attempts of a call: the first one and `max_retries` more.
    fn attempts(&self) -> u32 {
        self.max_retries.unwrap_or(9).saturating_add(1)
    }

    async fn load(&self, limits: &Limits) -> SdkConfig {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http_client(limits))
            .retry_config(RetryConfig::standard().with_max_attempts(self.attempts()))
            // A call that waits for the limiter sends no bytes; the protection would abort it as stalled.
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().upload_enabled(false).build())
            .timeout_config(timeouts);
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let (Some(key), Some(secret)) = (&self.access_key, &self.secret_key) {
            loader = loader.credentials_provider(Credentials::new(
                key,
                secret,
                self.token.clone(),
                None,
                "provider configuration",
            ));
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let shared = loader.load().await;
        let Some(role) = &self.assume_role else { return shared };
        let mut provider = AssumeRoleProvider::builder(&role.arn)
            .session_name(role.session_name.as_deref().unwrap_or("terraform-provider-tandem"))
            .configure(&shared);
        if let Some(id) = &role.external_id {
            provider = provider.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(provider.build().await);
        shared.into_builder().credentials_provider(provider).build()
    }
}

impl Clients {
    /// Reads the account id from STS; the error states why there is none.
    pub async fn account(&self) -> Result<String, String> {
        if let Some(provider) = &self.credentials {
            let found = provider.provide_credentials().await;
            found.map_err(|error| format!("no credentials were found: {}", causes(&error)))?;
        }
        let identity = self.sts.get_caller_identity().send().await;
        let identity =
            identity.map_err(|error| super::failure::failure("sts:GetCallerIdentity", error).to_string())?;
        identity.account.ok_or_else(|| "STS returned no account".to_owned())
    }
}

/// Returns true for the URL of an endpoint on this machine.
fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The message of an error, followed by those of its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_on_this_machine_are_local() {
        for local in
            ["http://localhost:4566", "http://127.0.0.1:4566/", "http://[::1]:4566", "http://sqs.localhost"]
        {
            assert!(is_local(local), "{local}");
        }
        for remote in [
            "https://sqs.eu-central-1.amazonaws.com",
            "https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com",
            "http://10.0.0.1:4566",
            "http://localhost.example",
        ] {
            assert!(!is_local(remote), "{remote}");
        }
    }
}
