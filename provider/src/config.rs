//! The provider's configuration, and what follows from it once per process: clients and account.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use tandem_engine::driver::Failure;
use tandem_model::context::{Context, Network};
use tandem_model::input::{Inputs, Reader, Rule};
use tandem_model::names;
use tandem_model::ownership;
use tandem_model::scalar::Scalar;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Path, Value};
use tokio::sync::OnceCell;

use crate::aws::{AssumeRole, Aws, Clients, Connection, SERVICES};
use crate::container_engine::ContainerEngine;
use crate::convert;

/// How long an apply that shows no sign of life counts as alive. `TANDEM_LEASE_SECONDS` sets another
/// time, for tests.
const LEASE: Duration = Duration::from_secs(90);

/// Inputs of the `provider` block.
#[derive(Debug, Default, Inputs)]
struct Configuration {
    /// First part of the name of everything that is made. One project per application and stage, such as `shop-prod`; `tandem` when not given.
    #[input(rule = Rule::Check("project", names::check_name))]
    project: Option<Scalar<String>>,
    /// AWS region, such as `eu-central-1`. Otherwise from `AWS_REGION` or the shared configuration.
    #[input(rule = Rule::Check("region", check_region))]
    region: Option<Scalar<String>>,
    /// Profile of the shared configuration files. Otherwise from `AWS_PROFILE`.
    profile: Option<Scalar<String>>,
    /// Access key. Better left to the environment, the shared configuration, or single sign-on.
    access_key: Option<Scalar<String>>,
    /// Secret key that goes with `access_key`.
    #[input(sensitive)]
    secret_key: Option<Scalar<String>>,
    /// Session token that goes with a temporary `access_key`.
    #[input(sensitive)]
    token: Option<Scalar<String>>,
    /// URL of one endpoint for all services, such as that of an emulator. Otherwise from `AWS_ENDPOINT_URL`.
    #[input(rule = Rule::Check("URL", check_url))]
    endpoint: Option<Scalar<String>>,
    /// URLs of endpoints by service: `apigatewayv2`, `cloudwatch`, `dynamodb`, `ec2`, `ecr`, `ecs`, `events`, `iam`, `kinesis`, `lambda`, `logs`, `s3`, `scheduler`, `sfn`, `sns`, `sqs`, `sts`.
    endpoints: Option<Scalar<BTreeMap<String, Scalar<String>>>>,
    /// A role to work in.
    assume_role: Option<AssumeRoleInputs>,
    /// The account that must be worked in: credentials of another are refused.
    #[input(rule = Rule::Check("account", check_account))]
    account_id: Option<Scalar<String>>,
    /// Tags for everything that can carry tags; those of a resource win over them.
    default_tags: Option<Scalar<BTreeMap<String, Scalar<String>>>>,
    /// How often a call is tried again that failed in passing. 9 when not given.
    #[input(rule = Rule::Range(0, 100))]
    max_retries: Option<Scalar<i64>>,
    /// `matching`: takes over a complete composite that is in no state, when it is exactly as configured. `never`, the default: refuses and says how to import it.
    #[input(rule = Rule::OneOf(&["never", "matching"]))]
    adopt: Option<Scalar<String>>,
}

#[derive(Debug, Inputs)]
struct AssumeRoleInputs {
    /// ARN of the role.
    role_arn: Scalar<String>,
    /// Name of the session, as it shows up in the logs of AWS.
    session_name: Option<Scalar<String>>,
    /// External id that the role asks for.
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

/// Whether a region can exist: an area, a direction, a number. New areas come; directions do not.
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
    Err(format!("{text:?} cannot be an AWS region; one is called \"eu-central-1\""))
}

pub(crate) fn schema() -> Schema {
    let description = "Composites of serverless functions and containers on AWS: each resource makes and owns \
        everything that such a thing takes.";
    Schema { version: 0, block: convert::block(&Configuration::fields(), description) }
}

fn read(config: &Value) -> (Option<Configuration>, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    let inputs = convert::input(config);
    let configuration = match config {
        Value::Null => Some(Configuration::default()),
        _ => Configuration::read(&inputs, &mut reader),
    };
    let mut diagnostics: Vec<Diagnostic> = reader.findings.0.iter().map(convert::diagnostic).collect();
    if let Some(endpoints) = configuration.as_ref().and_then(|read| read.endpoints.as_ref()?.known()) {
        for service in endpoints.keys().filter(|service| !SERVICES.contains(&service.as_str())) {
            let path = Path::attribute("endpoints").join(tfplugin::Step::Key(service.clone()));
            let detail = format!("Services with an endpoint of their own: {}.", SERVICES.join(", "));
            diagnostics.push(Diagnostic::error(format!("There is no service `{service}`"), detail).at(path));
        }
    }
    if let Some(read) = &configuration {
        let tags = read.default_tags.as_ref().and_then(Scalar::known);
        if let Some(key) = tags.and_then(|tags| tags.keys().find(|key| ownership::is_reserved(key))) {
            let path = Path::attribute("default_tags").join(tfplugin::Step::Key(key.clone()));
            let detail =
                "Tags that begin with `tandem:` say whose an object is, and those with `aws:` are AWS's.";
            diagnostics.push(Diagnostic::error(format!("The tag `{key}` is reserved"), detail).at(path));
        }
        if read.access_key.is_some() != read.secret_key.is_some() {
            let detail = "Give both `access_key` and `secret_key`, or none of them.";
            diagnostics
                .push(Diagnostic::error("Half of a credential", detail).at(Path::attribute("access_key")));
        }
    }
    (configuration, diagnostics)
}

pub(crate) fn validate(config: &Value) -> Vec<Diagnostic> {
    read(config).1
}

/// What the provider works on: AWS and a container engine, unless something else is put in their place.
#[derive(Clone, Default)]
pub struct Outside {
    /// What carries the calls to AWS, in place of HTTPS.
    pub carrier: Option<SharedHttpConnector>,
    /// What builds images, in place of Docker or podman.
    pub engine: Option<Arc<dyn ContainerEngine>>,
    /// What tells the time of day, in place of the system.
    pub clock: Option<fn() -> SystemTime>,
    /// Access key and secret key, in place of those of the environment.
    pub credentials: Option<(String, String)>,
}

/// The configuration as far as it is known, and what follows from it.
#[derive(Default)]
pub(crate) struct Shared {
    outside: Outside,
    configured: Mutex<Option<Arc<Configured>>>,
}

/// A configured provider.
pub(crate) struct Configured {
    /// Whether something that decides where things are is not known yet.
    pub(crate) unknown: bool,
    pub(crate) adopt: bool,
    project: Option<String>,
    connection: Connection,
    account: Option<String>,
    default_tags: BTreeMap<String, String>,
    outside: Outside,
    session: OnceCell<Session>,
}

/// Clients and place, once somebody has asked for them.
pub(crate) struct Session {
    pub(crate) aws: Aws,
    pub(crate) context: Context,
    network: OnceCell<Option<Network>>,
}

impl Session {
    /// The default VPC, looked for once.
    pub(crate) async fn default_network(&self) -> Result<Option<&Network>, Failure> {
        let found = self.network.get_or_try_init(|| self.aws.ec2.default_network()).await?;
        Ok(found.as_ref())
    }
}

impl Shared {
    pub(crate) fn new(outside: Outside) -> Self {
        Self { outside, configured: Mutex::default() }
    }

    /// Takes a configuration; no call is made until something needs one.
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
        };
        *self.configured.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(configured));
        Vec::new()
    }

    /// The configuration; `None` while only validations were asked for.
    pub(crate) fn configured(&self) -> Option<Arc<Configured>> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Configured {
    /// What tells the time of day.
    pub(crate) fn clock(&self) -> fn() -> SystemTime {
        self.outside.clock.unwrap_or(SystemTime::now)
    }

    /// Clients and place. The first to ask makes one call to learn the account, unless the
    /// configuration says it.
    pub(crate) async fn session(&self) -> Result<&Session, Diagnostic> {
        self.session.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Session, Diagnostic> {
        let mut clients = self.connection.clients().await.map_err(|error| {
            Diagnostic::error(
                "No AWS region",
                format!("{error}: set `region` in the provider configuration, or AWS_REGION."),
            )
        })?;
        if let Err(error) = check_region(&clients.region) {
            return Err(Diagnostic::error(
                "The AWS region cannot exist",
                format!("{error}. It comes from AWS_REGION or the shared configuration."),
            ));
        }
        let account = clients.account().await.map_err(|error| no_account(&clients, &error))?;
        if let Some(wanted) = self.account.as_ref().filter(|wanted| **wanted != account) {
            let path = Path::attribute("account_id");
            return Err(Diagnostic::error(
                "Credentials of another account",
                format!(
                    "The credentials belong to account {account}, and `account_id` says {wanted}. Nothing was \
                     touched. Use credentials of {wanted}, or correct `account_id`."
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
}

fn no_account(clients: &Clients, error: &str) -> Diagnostic {
    Diagnostic::error(
        "AWS does not know who is asking",
        format!(
            "The provider must know the AWS account, and asked in region {}: {error}\n\nGive credentials that \
             work: `aws sso login`, AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `profile` in the \
             provider configuration. Check the region and `endpoint` as well.",
            clients.region
        ),
    )
}

/// How long an apply that shows no sign of life counts as alive.
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
