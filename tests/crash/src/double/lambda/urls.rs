//! Function URLs. Requests to them are not implemented.

use serde_json::{Value as Json, json};

use super::{
    Answer, Cloud, Item, REGION, Refusal, conflict, function, impossible, invalid, missing, name_of,
    required, text, text_list, within, without,
};

/// Members that a function URL takes from calls unchanged.
const GIVEN: [&str; 3] = ["AuthType", "Cors", "InvokeMode"];
/// The time of every change. No test reads it.
const TIME: &str = "2026-01-01T00:00:00.000000000Z";
/// The methods that CORS can allow.
const METHODS: [&str; 7] = ["*", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

pub(super) fn item(function: &str, url: &Json) -> Item {
    let own = ["CreationTime", "FunctionArn", "FunctionUrl", "LastModifiedTime"];
    let settings = without(url.clone(), &own);
    Item { kind: "function url", name: function.to_owned(), tags: None, settings }
}

fn check(input: &Json) -> Result<(), Refusal> {
    let given = text(input, "AuthType");
    if !["", "AWS_IAM", "NONE"].contains(&given) {
        let constraint = "Member must satisfy enum value set: [NONE, AWS_IAM]";
        return invalid("AuthType", &format!("'{given}'"), constraint);
    }
    let cors = &input["Cors"];
    within(cors, "MaxAge", 0..=86_400)?;
    if let Some(method) =
        text_list(&cors["AllowMethods"]).iter().find(|name| !METHODS.contains(&name.as_str()))
    {
        return impossible(format!("{method} is not a supported method"));
    }
    if cors.as_object().is_some_and(|cors| !cors.is_empty()) && text_list(&cors["AllowOrigins"]).is_empty() {
        return impossible("You can't leave AllowOrigins as empty when Cors is enabled.");
    }
    Ok(())
}

/// Takes the members that a call sets. Omitted members keep their value, and an empty `Cors` removes it.
fn configure(url: &mut Json, input: &Json) {
    for member in GIVEN {
        match &input[member] {
            Json::Null => {}
            Json::Object(cors) if cors.is_empty() => *url = without(url.take(), &[member]),
            given => url[member] = given.clone(),
        }
    }
}

/// The function URL of a function. A missing function has none.
fn url<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Option<Json>, Refusal> {
    match cloud.lambda.functions.get_mut(name_of(required(input, "FunctionName")?)) {
        Some(owner) if owner.url.is_some() => Ok(&mut owner.url),
        _ => missing(super::MISSING),
    }
}

pub(super) fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    required(input, "AuthType")?;
    check(input)?;
    let number = cloud.next();
    let owner = function(cloud, input)?;
    if owner.url.is_some() {
        return conflict(format!(
            "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig \
             exists for this Lambda function",
            owner.arn()
        ));
    }
    let mut url = json!({
        "FunctionUrl": format!("https://{number:032}.lambda-url.{REGION}.on.aws/"),
        "FunctionArn": owner.arn(),
        "InvokeMode": "BUFFERED",
        "CreationTime": TIME,
        "LastModifiedTime": TIME,
    });
    configure(&mut url, input);
    owner.url = Some(url.clone());
    Ok(url)
}

pub(super) fn get(cloud: &mut Cloud, input: &Json) -> Answer {
    Ok(json!(url(cloud, input)?))
}

pub(super) fn update(cloud: &mut Cloud, input: &Json) -> Answer {
    check(input)?;
    let url = url(cloud, input)?;
    let mut changed = json!(url);
    configure(&mut changed, input);
    *url = Some(changed.clone());
    Ok(changed)
}

pub(super) fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    *url(cloud, input)? = None;
    Ok(Json::Null)
}
