//! A queue must hide a message for as long as a function may work on it.

use crate::context::Context;
use crate::finding::{Code, Findings, Path};
use crate::scalar::Scalar;

/// What is wrong, and what to do, where a queue hides a message for fewer seconds than a function may take.
pub fn too_short(visibility: i64, timeout: i64) -> Option<(String, String)> {
    let message = format!(
        "the queue hides a message for {visibility} s, but the function may work on it for {timeout} s: \
         Lambda refuses that, because the message would be given out twice"
    );
    let help = format!(
        "Set the queue's visibility timeout to {} s (six times the function's timeout), or lower \
         the function's `timeout` to {visibility} s or less.",
        timeout.saturating_mul(6)
    );
    (visibility < timeout).then_some((message, help))
}

/// Checks the visibility timeout of a queue, when the queue and the timeout are known.
pub fn check(
    context: &Context,
    queue: &Scalar<String>,
    timeout: &Scalar<i64>,
    path: Path,
    findings: &mut Findings,
) {
    let (Some(arn), Some(timeout)) = (queue.known(), timeout.known()) else { return };
    // A queue of another account or region cannot be looked at from here.
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
    // At plan, the same apply may be about to raise the queue's.
    if context.applying {
        findings.error(Code::VisibilityTimeout, path, message, help);
    } else {
        findings.warning(Code::VisibilityTimeout, path, message, help);
    }
}
