//! ARNs that stand in specs.

/// The service of an ARN, and the name that it ends with.
pub(crate) fn parse(text: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, service, _, _, rest] = parts[..] else { return None };
    let name = match service {
        // `BUCKET/KEY`
        "s3" => rest.split('/').next(),
        // `table/NAME`, `function:NAME`, or the name alone.
        _ => rest.split([':', '/']).nth(1),
    };
    Some((service, name.unwrap_or(rest)))
}
