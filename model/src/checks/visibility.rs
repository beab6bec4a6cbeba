//! The visibility timeout of a queue must not be shorter than the timeout of a function that reads it.

use crate::context::Context;
use crate::finding::{Code, Findings, Path};
use crate::scalar::Scalar;

/// Message and help, if the visibility timeout is shorter than the function's timeout. Both are in seconds.
pub fn too_short(visibility: i64, timeout: i64) -> Option<(String, String)> {
    let message = format!(
        "the queue has a `visibility_timeout` of {visibility} s, but the function has a `timeout` of {timeout} s. \
         Lambda rejects this: SQS would deliver messages again while they are processed"
    );
    let help = format!(
        "Set `visibility_timeout` of the queue to {} (six times the `timeout` of the function), or lower \
         `timeout` to {visibility} or less.",
        timeout.saturating_mul(6)
    );
    (visibility < timeout).then_some((message, help))
}

/// Checks the visibility timeout of a queue, if the queue and the function's timeout are known.
pub fn check(
    context: &Context,
    queue: &Scalar<String>,
    timeout: &Scalar<i64>,
    path: Path,
    findings: &mut Findings,
) {
    let (Some(arn), Some(timeout)) = (queue.known(), timeout.known()) else { return };
    // The provider cannot read a queue of another account or region.
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next(), parts.next());
    if region != context.region.as_deref() || account != context.account.as_deref() {
        return;
    }
    let visibility = context
        .objects
        .get(arn)
        .and_then(|settings| settings.get("visibility_timeout_seconds"))
        .and_then(serde_json::Value::as_i64);
    let Some((message, help)) = visibility.and_then(|visibility| too_short(visibility, *timeout)) else {
        return;
    };
    // At plan it is a warning: the same apply may raise the visibility timeout.
    if context.applying {
        findings.error(Code::VisibilityTimeout, path, message, help);
    } else {
        findings.warning(Code::VisibilityTimeout, path, message, help);
    }
}
