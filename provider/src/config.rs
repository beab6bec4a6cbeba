//! The provider's configuration, and the clients and the AWS account, which are looked up once per process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use tandem_engine::driver::Failure;
use tandem_model::checks::tags::common_fault;
use tandem_model::context::{Context, Network};
use tandem_model::finding::Severity;
use tandem_model::input::{Inputs, Reader, Rule};
use tandem_model::scalar::Scalar;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Path, Value};
use tokio::sync::OnceCell;

use crate::aws::{AssumeRole, Aws, Clients, Connection, SERVICES};
use crate::container_engine::ContainerEngine;
use crate::convert;
use crate::planned::Planned;

/// How long an apply counts as running after it last renewed its lease. `TANDEM_LEASE_SECONDS` sets another
/// time, for tests.
const LEASE: Duration = Duration::from_secs(90);

/// Inputs of the `provider` block.
#[derive(Debug, Default, Inputs)]
struct Configuration {
    /// First part of the names of all AWS objects. Set one project per application and stage, e.g. `shop-prod`. Default: `tandem`.
    #[input(rule = Rule::NAME)]
    project: Option<Scalar<String>>,
    /// AWS region, e.g. `eu-central-1`. Default: from `AWS_REGION` or the shared configuration files.
    #[input(rule = Rule::Check("a region, e.g. `eu-central-1`", check_region))]
    region: Option<Scalar<String>>,
    /// Profile of the shared configuration files. Default: from `AWS_PROFILE`.
    profile: Option<Scalar<String>>,
    /// AWS access key ID. Prefer environment variables, the shared configuration files or single sign-on.
    access_key: Option<Scalar<String>>,
    /// AWS secret access key of `access_key`.
    #[input(sensitive)]
    secret_key: Option<Scalar<String>>,
    /// Session token of a temporary `access_key`.
    #[input(sensitive)]
    token: Option<Scalar<String>>,
    /// URL of one endpoint for all services, e.g. of an emulator: `"http://127.0.0.1:4566"`. Default: from `AWS_ENDPOINT_URL`.
    #[input(rule = Rule::Check("a URL, e.g. `http://127.0.0.1:4566`", check_url))]
    endpoint: Option<Scalar<String>>,
    /// Endpoint URLs by service: `apigatewayv2`, `cloudwatch`, `dynamodb`, `ec2`, `ecr`, `ecs`, `events`, `iam`, `kinesis`, `lambda`, `logs`, `s3`, `scheduler`, `sfn`, `sns`, `sqs`, `sts`.
    endpoints: Option<Scalar<BTreeMap<String, Scalar<String>>>>,
    /// IAM role that the provider assumes for all calls.
    assume_role: Option<AssumeRoleInputs>,
    /// AWS account id, 12 digits. The provider rejects credentials of any other account before it changes anything.
    #[input(rule = Rule::Check("the 12 digits of an AWS account", check_account))]
    account_id: Option<Scalar<String>>,
    /// Tags for every AWS object that supports tags. A tag of a resource overrides the default tag with the same key.
    default_tags: Option<Scalar<BTreeMap<String, Scalar<String>>>>,
    /// Number of retries of a call after a temporary error, e.g. throttling. Default: 9.
    #[input(rule = Rule::Range(0, 100))]
    max_retries: Option<Scalar<i64>>,
    /// Behavior of a create if a complete composite with the same name exists. `matching` takes it over if all its settings are as configured. `never` (the default) fails and prints the `import` block.
    #[input(rule = Rule::OneOf(&["never", "matching"]))]
    adopt: Option<Scalar<String>>,
}

#[derive(Debug, Inputs)]
struct AssumeRoleInputs {
    /// ARN of the role.
    role_arn: Scalar<String>,
    /// Session name, which CloudTrail records with every call.
    session_name: Option<Scalar<String>>,
    /// External ID, if the trust policy of the role requires one.
    external_id: Option<Scalar<String>>,
}

fn check_url(text: &str) -> Result<(), String> {
    match text.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(()),
        _ => Err(format!("{text:?} is not a URL such as \"http://127.0.0.1:4566\"")),
    }
}

fn check_account(text: &str) -> Result<(), String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(format!("{text:?} is not an account id of 12 digits"))
    }
}

/// Checks the form of a region: area, direction and number, e.g. `eu-central-1`. AWS adds areas, so only the
/// directions are listed here.
fn check_region(text: &str) -> Result<(), String> {
    const DIRECTIONS: [&str; 9] =
        ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];
    let parts: Vec<&str> = text.split('-').collect();
    if let [area, .., direction, number] = parts[..]
        && !area.is_empty()
        && area.bytes().all(|byte| byte.is_ascii_lowercase())
        && DIRECTIONS.contains(&direction)
        && number.parse::<u8>().is_ok()
    {
        return Ok(());
    }
    Err(format!("{text:?} cannot be an AWS region, e.g. \"eu-central-1\""))
}

pub(crate) fn schema() -> Schema {
    let description = "Composites of serverless functions and containers on AWS: each resource creates and owns \
        all AWS objects that a production setup needs.";
    Schema { version: 0, block: convert::block(&Configuration::fields(), description) }
}

fn read(config: &Value) -> (Option<Configuration>, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    let inputs = convert::input(config);
    let configuration = match config {
        Value::Null => Some(Configuration::default()),
        _ => Configuration::read(&Configuration::fields(), &inputs, &mut reader),
    };
    let mut diagnostics = convert::diagnostics(&reader.findings, &Configuration::fields());
    if let Some(endpoints) = configuration.as_ref().and_then(|read| read.endpoints.as_ref()?.known()) {
        for service in endpoints.keys().filter(|service| !SERVICES.contains(&service.as_str())) {
            let path = Path::attribute("endpoints").join(tfplugin::Step::Key(service.clone()));
            let detail = format!("Use one of these services: {}.", SERVICES.join(", "));
            diagnostics.push(Diagnostic::error(format!("There is no service `{service}`"), detail).at(path));
        }
    }
    if let Some(read) = &configuration {
        let tags = read.default_tags.as_ref().and_then(Scalar::known);
        for (key, value) in tags.into_iter().flatten() {
            if let Some(fault) = common_fault(key, value.known().map(String::as_str)) {
                let path = Path::attribute("default_tags").join(tfplugin::Step::Key(key.clone()));
                let diagnostic = match fault.severity {
                    Severity::Error => Diagnostic::error(fault.message, fault.help),
                    Severity::Warning => Diagnostic::warning(fault.message, fault.help),
                };
                diagnostics.push(diagnostic.at(path));
            }
        }
        if read.access_key.is_some() != read.secret_key.is_some() {
            let detail = "Set both or neither.";
            diagnostics.push(
                Diagnostic::error("Only one of `access_key` and `secret_key` is set", detail)
                    .at(Path::attribute("access_key")),
            );
        }
    }
    (configuration, diagnostics)
}

pub(crate) fn validate(config: &Value) -> Vec<Diagnostic> {
    read(config).1
}

/// The services that the provider depends on. Tests replace AWS, the container engine and the clock.
#[derive(Clone, Default)]
pub struct Outside {
    /// Connector for calls to AWS. Default: HTTPS.
    pub carrier: Option<SharedHttpConnector>,
    /// Container engine. Default: Docker or podman.
    pub engine: Option<Arc<dyn ContainerEngine>>,
    /// Clock. Default: the clock of the system.
    pub clock: Option<fn() -> SystemTime>,
    /// Access key and secret key. Default: from the environment.
    pub credentials: Option<(String, String)>,
}

/// The configuration of the provider, shared by all its resources.
#[derive(Default)]
pub(crate) struct Shared {
    outside: Outside,
    configured: Mutex<Option<Arc<Configured>>>,
}

/// A configured provider.
pub(crate) struct Configured {
    /// True if a value that the connection or names depend on is not known yet.
    pub(crate) unknown: bool,
    pub(crate) adopt: bool,
    project: Option<String>,
    connection: Connection,
    account: Option<String>,
    default_tags: BTreeMap<String, String>,
    outside: Outside,
    session: OnceCell<Arc<Session>>,
    /// The composites planned since the provider was configured.
    pub(crate) planned: Planned,
}

/// The clients, and the region and account, from the first use on.
pub(crate) struct Session {
    pub(crate) aws: Aws,
    pub(crate) context: Context,
    network: OnceCell<Option<Network>>,
}

impl Session {
    /// The default VPC of the region, looked up once. `None` if there is none.
    pub(crate) async fn default_network(&self) -> Result<Option<&Network>, Failure> {
        let found = self.network.get_or_try_init(|| self.aws.ec2.default_network()).await?;
        Ok(found.as_ref())
    }
}

impl Shared {
    pub(crate) fn new(outside: Outside) -> Self {
        Self { outside, configured: Mutex::default() }
    }

    /// Stores a configuration, without any call to AWS.
    pub(crate) fn configure(&self, config: &Value) -> Vec<Diagnostic> {
        let (configuration, diagnostics) = read(config);
        let Some(read) = configuration.filter(|_| diagnostics.is_empty()) else { return diagnostics };
        let mut unknown = false;
        let mut text = |scalar: &Option<Scalar<String>>| match scalar {
            Some(Scalar::Known(text)) => Some(text.clone()),
            Some(_) => {
                unknown = true;
                None
            }
            None => None,
        };
        let credentials = &self.outside.credentials;
        let mut connection = Connection {
            carrier: self.outside.carrier.clone(),
            region: text(&read.region),
            profile: text(&read.profile),
            access_key: text(&read.access_key).or_else(|| credentials.clone().map(|(key, _)| key)),
            secret_key: text(&read.secret_key).or_else(|| credentials.clone().map(|(_, secret)| secret)),
            token: text(&read.token),
            endpoint: text(&read.endpoint),
            assume_role: read.assume_role.as_ref().map(|role| AssumeRole {
                arn: text(&Some(role.role_arn.clone())).unwrap_or_default(),
                session_name: text(&role.session_name),
                external_id: text(&role.external_id),
            }),
            ..Connection::default()
        };
        let project = text(&read.project);
        let account = text(&read.account_id);
        let adopt = text(&read.adopt).is_some_and(|adopt| adopt == "matching");
        let mut map = |scalar: &Option<Scalar<BTreeMap<String, Scalar<String>>>>| match scalar {
            None => BTreeMap::new(),
            Some(Scalar::Known(entries)) => {
                let entries = entries
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone(), text(&Some(value.clone()))?)));
                entries.collect()
            }
            Some(_) => {
                text(&Some(Scalar::Unknown));
                BTreeMap::new()
            }
        };
        connection.endpoints = map(&read.endpoints);
        let default_tags = map(&read.default_tags);
        connection.max_retries = match read.max_retries {
            Some(Scalar::Known(retries)) => u32::try_from(retries).ok(),
            _ => None,
        };
        let configured = Configured {
            unknown,
            adopt,
            project: project.or_else(|| read.project.is_none().then(|| "tandem".to_owned())),
            connection,
            account,
            default_tags,
            outside: self.outside.clone(),
            session: OnceCell::new(),
            planned: Planned::default(),
        };
        *self.configured.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(configured));
        Vec::new()
    }

    /// The configuration. `None` before `configure`: Terraform validates with an unconfigured provider.
    pub(crate) fn configured(&self) -> Option<Arc<Configured>> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Configured {
    /// The clock.
    pub(crate) fn clock(&self) -> fn() -> SystemTime {
        self.outside.clock.unwrap_or(SystemTime::now)
    }

    /// The clients, region and account. The first caller connects and looks up the account with one call.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, Vec<Diagnostic>> {
        let connect = async || Ok(Arc::new(self.connect().await?));
        self.session.get_or_try_init(connect).await.cloned().map_err(|diagnostic| vec![diagnostic])
    }

    async fn connect(&self) -> Result<Session, Diagnostic> {
        let mut clients = self.connection.clients().await.map_err(|error| {
            Diagnostic::error(
                "No AWS region",
                format!("{error}. Set `region` in the provider configuration, or AWS_REGION."),
            )
        })?;
        if let Err(error) = check_region(&clients.region) {
            return Err(Diagnostic::error(
                "The AWS region is invalid",
                format!("{error}. Correct AWS_REGION or the region in the shared configuration files."),
            ));
        }
        let account = clients.account().await.map_err(|error| self.no_account(&clients, &error))?;
        if let Some(wanted) = self.account.as_ref().filter(|wanted| **wanted != account) {
            let path = Path::attribute("account_id");
            return Err(Diagnostic::error(
                "Credentials of another account",
                format!(
                    "The credentials belong to account {account}, but `account_id` is {wanted}. Nothing was \
                     changed. Use credentials of {wanted}, or set `account_id` to {account}."
                ),
            )
            .at(path));
        }
        clients.account = Some(account.clone());
        let context = Context {
            project: self.project.clone(),
            region: Some(clients.region.clone()),
            account: Some(account),
            default_tags: self.default_tags.clone(),
            ..Context::default()
        };
        let aws = match &self.outside.engine {
            Some(engine) => Aws::with(&clients, engine.clone()),
            None => Aws::new(&clients),
        };
        Ok(Session { aws, context, network: OnceCell::new() })
    }

    fn no_account(&self, clients: &Clients, error: &str) -> Diagnostic {
        let profile = self.connection.profile.as_ref();
        let profile = profile.map_or_else(String::new, |profile| format!(" with `profile` {profile:?}"));
        Diagnostic::error(
            "No valid AWS credentials, or AWS is unreachable",
            format!(
                "The lookup of the AWS account in region {}{profile} failed: {error}\n\nRun `aws sso login`, or set \
                 AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `profile` in the provider \
                 configuration. Also check the region and `endpoint`.",
                clients.region
            ),
        )
    }
}

/// How long an apply counts as running after it last renewed its lease.
pub(crate) fn lease() -> Duration {
    let set = std::env::var("TANDEM_LEASE_SECONDS").ok().and_then(|text| text.parse().ok());
    set.map_or(LEASE, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_that_cannot_exist_are_refused() {
        for good in [
            "us-east-1",
            "eu-central-2",
            "us-gov-west-1",
            "ap-southeast-5",
            "us-isob-east-1",
            "eusc-de-east-1",
        ] {
            assert_eq!(check_region(good), Ok(()), "{good}");
        }
        for bad in ["", "eu", "eu-moon-1", "eu-central", "eu-central-x", "EU-central-1", "-central-1"] {
            assert!(check_region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_service_whose_endpoint_can_be_set_is_documented() {
        let fields = Configuration::fields();
        let endpoints = fields.iter().find(|field| field.name == "endpoints").expect("an input");
        let documented: Vec<&str> = endpoints.doc.split('`').skip(1).step_by(2).collect();
        assert_eq!(documented, SERVICES);
    }
}
