//! Statements of functions' resource policies.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::{
    ACCOUNT, Answer, Cloud, Item, Refusal, conflict, function, impossible, missing, name_of, named, required,
    text,
};

#[derive(Clone, Debug)]
pub(super) struct Permission {
    sid: String,
    statement: Json,
    added: Duration,
}

impl Permission {
    pub(super) fn item(&self, function: &str) -> Item {
        let name = format!("{function}:{}", self.sid);
        Item { kind: "permission", name, tags: None, settings: self.statement.clone() }
    }

    /// Returns true if the statement lets a service invoke the function for an object, and has taken effect.
    pub(super) fn allows(&self, cloud: &Cloud, principal: &str, source_arn: &str) -> bool {
        let action = text(&self.statement, "Action");
        let condition = |operator: &str, key: &str| self.statement["Condition"][operator][key].as_str();
        cloud.settled(self.added)
            && matches!(action, "lambda:InvokeFunction" | "lambda:*" | "*")
            && self.statement["Condition"]["Bool"].is_null()
            && self.statement["Principal"]["Service"] == principal
            && condition("ArnLike", "AWS:SourceArn").is_none_or(|pattern| like(pattern, source_arn))
            && condition("StringEquals", "AWS:SourceAccount").is_none_or(|account| account == ACCOUNT)
    }
}

/// Returns true if a string matches a pattern, in which `*` stands for any characters.
fn like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    text.strip_prefix(start)
        .is_some_and(|tail| tail.char_indices().any(|(at, _)| like(rest, &tail[at..])) || like(rest, ""))
}

/// The form of a principal in a policy.
fn principal(given: &str) -> Result<Json, Refusal> {
    if given.ends_with(".amazonaws.com") {
        return Ok(json!({ "Service": given }));
    }
    if given == "*" {
        return Ok(given.into());
    }
    if given.starts_with("arn:aws:iam::") {
        return Ok(json!({ "AWS": given }));
    }
    if given.len() == ACCOUNT.len() && given.chars().all(|one| one.is_ascii_digit()) {
        return Ok(json!({ "AWS": format!("arn:aws:iam::{given}:root") }));
    }
    impossible("The provided principal was invalid. Please check the principal and try again.")
}

fn condition(input: &Json) -> Option<Json> {
    let mut condition = Map::new();
    let keys = [
        ("ArnLike", "AWS:SourceArn", "SourceArn"),
        ("StringEquals", "AWS:SourceAccount", "SourceAccount"),
        ("StringEquals", "lambda:FunctionUrlAuthType", "FunctionUrlAuthType"),
    ];
    for (operator, key, member) in keys {
        let value = text(input, member);
        if !value.is_empty() {
            let pairs = condition.entry(operator).or_insert_with(|| json!({}));
            pairs[key] = value.into();
        }
    }
    if let Some(through_url) = input["InvokedViaFunctionUrl"].as_bool() {
        let value = through_url.to_string();
        condition.insert("Bool".to_owned(), json!({ "lambda:InvokedViaFunctionUrl": value }));
    }
    (!condition.is_empty()).then(|| condition.into())
}

/// Refuses members about function URLs that do not fit the action.
fn check_url(input: &Json, action: &str) -> Result<(), Refusal> {
    let about = [
        ("FunctionUrlAuthType", "lambda:InvokeFunctionUrl"),
        ("InvokedViaFunctionUrl", "lambda:InvokeFunction"),
    ];
    match about.iter().find(|(member, of_action)| !input[*member].is_null() && *of_action != action) {
        Some((member, action)) => impossible(format!("{member} is only supported for {action} action")),
        None => Ok(()),
    }
}

pub(super) fn add(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    named(input, "StatementId", 100)?;
    let sid = text(input, "StatementId");
    let action = required(input, "Action")?;
    let principal = principal(required(input, "Principal")?)?;
    check_url(input, action)?;
    let function = function(cloud, input)?;
    if function.permissions.iter().any(|permission| permission.sid == sid) {
        return conflict(format!(
            "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove \
             the existing statement."
        ));
    }
    let mut statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": function.arn(),
    });
    if let Some(condition) = condition(input) {
        statement["Condition"] = condition;
    }
    let answer = json!({ "Statement": statement.to_string() });
    function.permissions.push(Permission { sid: sid.to_owned(), statement, added: now });
    Ok(answer)
}

pub(super) fn remove(cloud: &mut Cloud, input: &Json) -> Answer {
    let sid = required(input, "StatementId")?;
    let permissions = &mut function(cloud, input)?.permissions;
    if permissions.is_empty() {
        return missing("No policy is associated with the given resource.");
    }
    let before = permissions.len();
    permissions.retain(|permission| permission.sid != sid);
    if permissions.len() == before {
        return missing(format!("Statement {sid} is not found in resource policy."));
    }
    Ok(Json::Null)
}

/// The whole policy. It does not exist without a statement or without a function.
pub(super) fn policy(cloud: &Cloud, input: &Json) -> Answer {
    let function = cloud.lambda.functions.get(name_of(required(input, "FunctionName")?));
    let permissions = function.into_iter().flat_map(|function| &function.permissions);
    let statements: Vec<&Json> = permissions.map(|permission| &permission.statement).collect();
    if statements.is_empty() {
        return missing(super::MISSING);
    }
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Ok(json!({ "Policy": policy.to_string() }))
}
