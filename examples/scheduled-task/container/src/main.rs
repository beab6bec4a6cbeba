//! Sums up the sales of each product, and writes a report to the same bucket.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde_json::json;

/// Key of the sales. After a header, each line has a product and a number of pieces.
const SALES: &str = "sales.csv";

fn sum(sales: &str) -> Result<BTreeMap<&str, u64>, String> {
    let mut sold: BTreeMap<&str, u64> = BTreeMap::new();
    for (index, line) in sales.lines().enumerate().skip(1) {
        let parts = line
            .split_once(',')
            .and_then(|(product, pieces)| Some((product, pieces.trim().parse::<u32>().ok()?)));
        let (product, pieces) = parts.ok_or_else(|| {
            format!("line {} of {SALES} is {line:?}, expected `product,number`", index + 1)
        })?;
        *sold.entry(product).or_default() += u64::from(pieces);
    }
    Ok(sold)
}

async fn client() -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let shared = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    // A custom endpoint, e.g. an emulator, rarely resolves a host name per bucket.
    let own = shared.endpoint_url().is_some();
    Client::from_conf(aws_sdk_s3::config::Builder::from(&shared).force_path_style(own).build())
}

/// Writes the report. Returns its key.
async fn report() -> Result<String, String> {
    let resources = env::var("TANDEM_RESOURCES").map_err(|_| "TANDEM_RESOURCES is not set")?;
    let buckets: Vec<String> = serde_json::from_str(&resources)
        .map_err(|error| format!("TANDEM_RESOURCES is not a JSON list of strings: {error}"))?;
    let bucket = buckets.first().ok_or("TANDEM_RESOURCES contains no bucket")?;
    // Only the schedule sets DUE, not a start by hand.
    let due = env::var("DUE").unwrap_or_else(|_| "now".to_owned());
    let s3 = client().await;
    let object = s3.get_object().bucket(bucket).key(SALES).send().await;
    let object = object
        .map_err(|error| format!("cannot get {SALES}: {}", DisplayErrorContext(&error)))?;
    let sales = object.body.collect().await;
    let sales = sales.map_err(|error| format!("cannot get {SALES}: {error}"))?.to_vec();
    let sales = String::from_utf8(sales).map_err(|error| format!("{SALES} is not UTF-8: {error}"))?;
    let report = json!({ "due": due, "sold": sum(&sales)? }).to_string();
    let key = format!("reports/{due}.json");
    let put = s3.put_object().bucket(bucket).key(&key).content_type("application/json");
    put.body(ByteStream::from(report.into_bytes()))
        .send()
        .await
        .map_err(|error| format!("cannot put {key}: {}", DisplayErrorContext(&error)))?;
    Ok(key)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match report().await {
        Ok(key) => {
            println!("{}", json!({ "message": "report written", "key": key }));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", json!({ "level": "ERROR", "message": error }));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sales_are_summed_up_by_product() {
        let sold = sum("product,pieces\napples,3\npears, 2\napples,4\n").unwrap();
        assert_eq!(sold, BTreeMap::from([("apples", 7), ("pears", 2)]));
        assert!(sum("").unwrap().is_empty());
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        for line in ["apples", "apples,", "apples,-1", "apples,many"] {
            let error = sum(&format!("product,pieces\n{line}\n")).unwrap_err();
            assert!(error.starts_with("line 2 of sales.csv"), "{error}");
        }
    }
}
