//! STS.

use serde_json::json;

use super::{ACCOUNT, Answer, unknown};

pub(super) fn call(operation: &str) -> Answer {
    match operation {
        "GetCallerIdentity" => Ok(json!({
            "Account": ACCOUNT,
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/tester"),
            "UserId": "AIDATESTER",
        })),
        other => unknown("sts", other),
    }
}
