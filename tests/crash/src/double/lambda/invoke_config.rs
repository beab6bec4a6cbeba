//! The configuration of asynchronous invocations: retries and destinations.

use serde_json::{Value as Json, json};

use super::{
    Answer, Cloud, Refusal, arn, function, iam, impossible, missing, name_of, required, text, within,
};

pub(super) fn put(cloud: &mut Cloud, input: &Json) -> Answer {
    within(input, "MaximumRetryAttempts", 0..=2)?;
    within(input, "MaximumEventAgeInSeconds", 60..=21_600)?;
    let Some(owner) = cloud.lambda.functions.get(name_of(required(input, "FunctionName")?)) else {
        return missing("The function doesn't exist.");
    };
    owner.active(cloud.now)?;
    let destination = |member: &str| text(&input["DestinationConfig"][member], "Destination");
    for arn in ["OnSuccess", "OnFailure"].map(destination) {
        // Lambda checks that the role can send to the queue.
        if arn.starts_with("arn:aws:sqs:") && !iam::allows(cloud, owner.role(), "sqs:SendMessage") {
            return impossible(format!(
                "The function's execution role does not have permissions to call SendMessage on {arn}"
            ));
        }
    }
    let described = |member: &str| match destination(member) {
        "" => json!({}),
        arn => json!({ "Destination": arn }),
    };
    let config = json!({
        "FunctionArn": format!("{}:$LATEST", owner.arn()),
        "MaximumRetryAttempts": input["MaximumRetryAttempts"],
        "MaximumEventAgeInSeconds": input["MaximumEventAgeInSeconds"],
        "DestinationConfig": { "OnSuccess": described("OnSuccess"), "OnFailure": described("OnFailure") },
    });
    function(cloud, input)?.event_invoke_config = Some(config.clone());
    Ok(config)
}

/// The configuration of a function. A missing function has none.
fn settings<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Option<Json>, Refusal> {
    let name = name_of(required(input, "FunctionName")?);
    match cloud.lambda.functions.get_mut(name) {
        Some(owner) if owner.event_invoke_config.is_some() => Ok(&mut owner.event_invoke_config),
        _ => missing(format!("The function {}:$LATEST doesn't have an EventInvokeConfig", arn(name))),
    }
}

pub(super) fn get(cloud: &mut Cloud, input: &Json) -> Answer {
    Ok(json!(settings(cloud, input)?))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    *settings(cloud, input)? = None;
    Ok(Json::Null)
}
