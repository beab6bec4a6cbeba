//! An account of AWS, used with the command line of AWS.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tandem_testkit::environment::Packages;

use crate::step::{Result, step};

/// An account, and the objects that were made in it.
pub(super) struct Account {
    /// Its id.
    pub(super) id: String,
    /// Its partition, e.g. `aws`.
    pub(super) partition: String,
    /// The region.
    pub(super) region: String,
    /// The key for log groups that the user gave.
    pub(super) kms_key_arn: Option<String>,
    /// The number of calls so far.
    pub(super) calls: usize,
    /// The first part of all names. It is different in each run.
    pub(super) prefix: String,
    endpoint: Option<String>,
    /// Arguments of the calls that remove these objects, in the order of their creation.
    undo: Vec<Vec<String>>,
    /// The calls among them that failed.
    failed: Vec<Vec<String>>,
}

/// Credentials of a role.
pub(super) struct Credentials {
    key: String,
    secret: String,
    token: String,
}

/// The time after which a wait for a new object ends.
const PATIENCE: Duration = Duration::from_secs(120);

impl Account {
    /// The account of the credentials in the environment.
    pub(super) fn new(
        region: Option<String>,
        endpoint: Option<String>,
        kms_key_arn: Option<String>,
    ) -> Result<Self> {
        if !Packages::AwsCli.installed() {
            step("Installing the command line of AWS", || Packages::AwsCli.install().map_err(Into::into))?;
        }
        let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let mut account = Self {
            id: String::new(),
            partition: String::new(),
            region: region.clone().unwrap_or_default(),
            kms_key_arn,
            calls: 0,
            prefix: format!("tandem-doubts-{seconds}-{}", std::process::id()),
            endpoint,
            undo: Vec::new(),
            failed: Vec::new(),
        };
        if region.is_none() {
            let configured = Command::new(Packages::AwsCli.program("aws"))
                .args(["configure", "get", "region"])
                .output()?;
            let configured = String::from_utf8_lossy(&configured.stdout).trim().to_owned();
            let named = std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
            account.region = named.unwrap_or(configured);
            if account.region.is_empty() {
                return Err("no region is configured: set `--region`, e.g. `--region eu-central-1`".into());
            }
        }
        let caller = account.call(&["sts", "get-caller-identity"])?;
        caller["Account"].as_str().unwrap_or_default().clone_into(&mut account.id);
        let arn = caller["Arn"].as_str().unwrap_or_default();
        arn.split(':').nth(1).unwrap_or("aws").clone_into(&mut account.partition);
        Ok(account)
    }

    /// The ARN of an object of this account and region.
    pub(super) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{rest}", self.partition, self.region, self.id)
    }

    /// Makes a call, e.g. `["sqs", "create-queue", "--queue-name", "a"]`. The error has the code and message of AWS.
    pub(super) fn call(&mut self, arguments: &[&str]) -> std::result::Result<Json, String> {
        self.call_as(None, arguments)
    }

    /// Makes a call with the credentials of a role.
    pub(super) fn call_as(
        &mut self,
        role: Option<&Credentials>,
        arguments: &[&str],
    ) -> std::result::Result<Json, String> {
        self.calls += 1;
        let mut aws = Command::new(Packages::AwsCli.program("aws"));
        aws.args(arguments).args(["--output", "json", "--region", &self.region]);
        if let Some(endpoint) = &self.endpoint {
            aws.args(["--endpoint-url", endpoint]);
        }
        if let Some(role) = role {
            aws.env_remove("AWS_PROFILE").env("AWS_ACCESS_KEY_ID", &role.key);
            aws.env("AWS_SECRET_ACCESS_KEY", &role.secret).env("AWS_SESSION_TOKEN", &role.token);
        }
        let output = aws.env("AWS_PAGER", "").output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        if text.trim().is_empty() {
            Ok(Json::Null)
        } else {
            serde_json::from_str(&text).map_err(|error| error.to_string())
        }
    }

    /// Makes a call that makes an object, and remembers the call that removes it.
    pub(super) fn make(&mut self, make: &[&str], undo: &[&str]) -> std::result::Result<Json, String> {
        let made = self.call(make)?;
        self.later(undo);
        Ok(made)
    }

    /// Remembers a call that removes an object.
    pub(super) fn later(&mut self, undo: &[&str]) {
        self.undo.push(undo.iter().map(|&argument| argument.to_owned()).collect());
    }

    /// Forgets the last call that removes an object, which is already removed.
    pub(super) fn is_removed(&mut self) {
        self.undo.pop();
    }

    /// Credentials of a role that was made just now.
    pub(super) fn assume(&mut self, arn: &str) -> std::result::Result<Credentials, String> {
        let assumed = self.patiently(|account| {
            account.call(&["sts", "assume-role", "--role-arn", arn, "--role-session-name", "doubts"])
        })?;
        let of = |name: &str| assumed["Credentials"][name].as_str().unwrap_or_default().to_owned();
        Ok(Credentials { key: of("AccessKeyId"), secret: of("SecretAccessKey"), token: of("SessionToken") })
    }

    /// Repeats a call until it works: IAM and new objects take some seconds.
    pub(super) fn patiently<T>(
        &mut self,
        mut call: impl FnMut(&mut Self) -> std::result::Result<T, String>,
    ) -> std::result::Result<T, String> {
        let start = Instant::now();
        loop {
            match call(self) {
                Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_secs(3)),
                result => return result,
            }
        }
    }

    /// Removes the objects that were made, the newest first.
    pub(super) fn clean_up(&mut self) {
        while let Some(undo) = self.undo.pop() {
            let arguments: Vec<&str> = undo.iter().map(String::as_str).collect();
            if self.patiently_remove(&arguments).is_err() {
                self.failed.push(undo);
            }
        }
    }

    /// An object that another one still uses can be removed some seconds later.
    fn patiently_remove(&mut self, arguments: &[&str]) -> std::result::Result<Json, String> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.call(arguments) {
                Err(_) if tries < 20 && self.endpoint.is_none() => std::thread::sleep(Duration::from_secs(6)),
                result => return result,
            }
        }
    }

    /// The commands that remove the objects that are left.
    pub(super) fn left(&self) -> Vec<String> {
        self.failed
            .iter()
            .map(|arguments| format!("aws {} --region {}", arguments.join(" "), self.region))
            .collect()
    }
}

impl Drop for Account {
    /// A command that ends early removes its objects.
    fn drop(&mut self) {
        self.clean_up();
    }
}
