//! A queue must hide a message for as long as a function may work on it.

use crate::context::Context;
use crate::finding::{Code, Findings, Path};
use crate::scalar::Scalar;

/// Checks the visibility timeout of a queue, when the queue and the timeout are known.
pub fn check(
    context: &Context,
    queue: &Scalar<String>,
    timeout: &Scalar<i64>,
    path: Path,
    findings: &mut Findings,
) {
    let (Some(arn), Some(timeout)) = (queue.known(), timeout.known()) else { return };
    let visibility = context
        .objects
        .get(arn)
        .and_then(|settings| settings.get("visibility_timeout_seconds"))
        .and_then(serde_json::Value::as_i64);
    let Some(visibility) = visibility.filter(|visibility| visibility < timeout) else { return };
    findings.error(
        Code::VisibilityTimeout,
        path,
        format!(
            "the queue hides a message for {visibility} s, but the function may work on it for {timeout} s: \
             Lambda refuses that, because the message would be given out twice"
        ),
        format!(
            "Set the queue's visibility timeout to {} s (six times the function's timeout), or lower \
             the function's `timeout` to {visibility} s or less.",
            timeout * 6
        ),
    );
}
