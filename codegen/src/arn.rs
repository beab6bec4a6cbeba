//! ARNs in specs.

/// Returns the service and the resource name of an ARN, e.g. `sqs` and `jobs`.
pub(crate) fn parse(text: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, service, _, _, rest] = parts[..] else { return None };
    let name = match service {
        // `BUCKET/KEY`
        "s3" => rest.split('/').next(),
        // `event-bus/NAME`, and the name of a partner's bus has slashes.
        "events" => rest.split_once('/').map(|(_, name)| name),
        // `table/NAME`, `function:NAME` or `NAME`.
        _ => rest.split([':', '/']).nth(1),
    };
    Some((service, name.unwrap_or(rest)))
}
