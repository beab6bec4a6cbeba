//! Statements of functions' resource policies.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionUrlAuthType;
use serde_json::Value as Json;
use tandem_engine::driver::{Class, Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::lambda;
use tokio::sync::Mutex;

use super::failure::{call, found, gone};
use super::split;

pub(super) struct Permissions {
    lambda: Client,
    /// Held during an edit: Lambda loses parallel edits of one function's policy.
    one_at_a_time: Mutex<()>,
}

impl Permissions {
    pub(super) fn new(lambda: Client) -> Self {
        Self { lambda, one_at_a_time: Mutex::new(()) }
    }
}

/// The statements of a function's policy.
async fn statements(lambda: &Client, function: &str) -> Result<Vec<Json>, Failure> {
    let policy = found(call!("lambda:GetPolicy", lambda.get_policy().function_name(function)))?;
    let document: Json =
        policy.and_then(|policy| serde_json::from_str(policy.policy()?).ok()).unwrap_or_default();
    Ok(document["Statement"].as_array().cloned().unwrap_or_default())
}

/// The first value of a condition key, for any operator and in any letter case.
fn condition<'a>(statement: &'a Json, key: &str) -> Option<&'a Json> {
    let operators = statement["Condition"].as_object()?.values();
    let mut pairs = operators.filter_map(Json::as_object).flatten();
    let value = pairs.find(|(name, _)| name.eq_ignore_ascii_case(key))?.1;
    Some(value.get(0).unwrap_or(value))
}

fn observed(function: &str, statement: &Json) -> Observed {
    let sid = statement["Sid"].as_str().unwrap_or_default();
    let principal = statement["Principal"]["Service"].as_str().or_else(|| statement["Principal"].as_str());
    // A policy holds booleans as strings.
    let through_url = condition(statement, "lambda:invokedViaFunctionUrl");
    let through_url = through_url.map(|value| *value == Json::Bool(true) || value == "true");
    Observed {
        id: format!("{function}:{sid}"),
        settings: Seen::<lambda::Permission>::default()
            .function_name(function)
            .statement_id(sid)
            .action(&statement["Action"])
            .principal(principal)
            .source_arn(condition(statement, "AWS:SourceArn"))
            .source_account(condition(statement, "AWS:SourceAccount"))
            .function_url_auth_type(condition(statement, "lambda:functionUrlAuthType"))
            .invoked_via_function_url(through_url)
            .settings(),
        attributes: [(FUNCTION.to_owned(), statement["Resource"].clone())].into(),
        ..Observed::default()
    }
}

/// The attribute with the ARN of the function.
const FUNCTION: &str = "function_arn";

/// Returns true for the ARN of the function of a permission.
pub(super) fn is_of(permission: &Observed, function: &str) -> bool {
    permission.attributes.get(FUNCTION).and_then(Json::as_str) == Some(function)
}

#[async_trait]
impl Driver for Permissions {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (function, sid) = split(id, ':', "lambda:GetPolicy")?;
        let statements = statements(&self.lambda, function).await?;
        let statement = statements.iter().find(|statement| statement["Sid"] == sid);
        Ok(statement.map(|statement| observed(function, statement)))
    }

    /// The statements of a function's policy.
    async fn children(&self, parent: &'static Kind, function: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != lambda::FUNCTION.name {
            return Ok(Vec::new());
        }
        let statements = statements(&self.lambda, &function.id).await?;
        Ok(statements.iter().map(|statement| observed(&function.id, statement)).collect())
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let permission = View::<lambda::Permission>::of(settings);
        let (function, sid) = (permission.function_name(), permission.statement_id());
        let _guard = self.one_at_a_time.lock().await;
        let request = self
            .lambda
            .add_permission()
            .function_name(function)
            .statement_id(sid)
            .action(permission.action())
            .principal(permission.principal())
            .set_source_arn(permission.source_arn().map(ToOwned::to_owned))
            .set_source_account(permission.source_account().map(ToOwned::to_owned))
            .set_function_url_auth_type(permission.function_url_auth_type().map(FunctionUrlAuthType::from))
            .set_invoked_via_function_url(permission.invoked_via_function_url());
        match call!("lambda:AddPermission", request) {
            // An earlier attempt may have added the statement although its response was lost.
            Err(failure) if failure.class != Class::AlreadyExists => return Err(failure),
            _ => {}
        }
        Ok(Created { id: format!("{function}:{sid}"), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.delete(id).await?;
        self.create(settings, &Tags::new()).await.map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (function, sid) = split(id, ':', "lambda:RemovePermission")?;
        let _guard = self.one_at_a_time.lock().await;
        let request = self.lambda.remove_permission().function_name(function).statement_id(sid);
        gone(call!("lambda:RemovePermission", request))
    }
}
