//! Renders one tile of the image, or merges all tiles.

mod picture;
mod png;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use serde_json::{Value, json};

use picture::{HEIGHT, TILES, WIDTH};

/// The work of one container, from its environment variables.
#[derive(Debug, PartialEq, Eq)]
enum Job {
    /// Renders a tile. With `fail_once` the first try fails.
    Tile { number: u32, fail_once: bool },
    /// Merges all tiles.
    Merge,
}

impl Job {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| -> Result<Option<u32>, String> {
            let Some(text) = variable(name) else {
                return Ok(None);
            };
            let number = text.parse::<u32>().ok().filter(|number| *number < TILES);
            number.map(Some).ok_or_else(|| format!("{name} is {text:?}, expected the number of a tile"))
        };
        match number("TILE")? {
            Some(tile) => {
                let fail_once = number("FAIL_ONCE")? == Some(tile);
                Ok(Self::Tile { number: tile, fail_once })
            }
            None if variable("MERGE").is_some() => Ok(Self::Merge),
            None => Err("neither TILE nor MERGE is set".to_owned()),
        }
    }
}

/// The bucket with the tiles and the image.
struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    async fn from_environment() -> Result<Self, String> {
        let names = std::env::var("TANDEM_RESOURCES").map_err(|_| "TANDEM_RESOURCES is not set")?;
        let names: Vec<String> = serde_json::from_str(&names)
            .map_err(|error| format!("TANDEM_RESOURCES is not a JSON list of strings: {error}"))?;
        let name = names.into_iter().next().ok_or("TANDEM_RESOURCES contains no bucket")?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let shared = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        // A custom endpoint, e.g. an emulator, rarely resolves a host name per bucket.
        let own = shared.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(own).build();
        Ok(Self { client: Client::from_conf(config), name })
    }

    async fn put(&self, key: &str, kind: &str, content: Vec<u8>) -> Result<(), String> {
        let call = self.client.put_object().bucket(&self.name).key(key).content_type(kind);
        let put = call.body(content.into()).send().await;
        put.map_err(|error| format!("cannot put {key}: {}", DisplayErrorContext(error)))?;
        Ok(())
    }

    /// Puts an object if the key does not exist. Returns false if it exists.
    async fn put_first(&self, key: &str, content: Vec<u8>) -> Result<bool, String> {
        let call = self.client.put_object().bucket(&self.name).key(key).if_none_match("*");
        match call.body(content.into()).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 412) => {
                Ok(false)
            }
            Err(error) => Err(format!("cannot put {key}: {}", DisplayErrorContext(error))),
        }
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        let got = self.client.get_object().bucket(&self.name).key(key).send().await;
        let got =
            got.map_err(|error| format!("cannot get {key}: {}", DisplayErrorContext(error)))?;
        let content = got.body.collect().await;
        Ok(content.map_err(|error| format!("cannot get {key}: {error}"))?.to_vec())
    }
}

/// Returns the ARN of this container's task. Without an ECS metadata endpoint it is the host name.
fn task() -> Result<String, String> {
    let Ok(address) = std::env::var("ECS_CONTAINER_METADATA_URI_V4") else {
        let name = std::fs::read_to_string("/etc/hostname");
        return Ok(name.map_err(|error| format!("/etc/hostname: {error}"))?.trim().to_owned());
    };
    let answer = get(&format!("{address}/task")).map_err(|error| format!("{address}: {error}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let told: Value = serde_json::from_str(body).map_err(|error| format!("{address}: {error}"))?;
    let task = told["TaskARN"].as_str().map(ToOwned::to_owned);
    task.ok_or_else(|| format!("{address} returned no TaskARN: {body}"))
}

/// Sends a GET request without TLS. Returns the response, with its headers.
fn get(address: &str) -> std::io::Result<String> {
    let address = address.strip_prefix("http://").unwrap_or(address);
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let mut stream = if host.contains(':') {
        TcpStream::connect(host)?
    } else {
        TcpStream::connect((host, 80))?
    };
    // HTTP/1.0: the response is not chunked, and ends with the connection.
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn run() -> Result<ExitCode, String> {
    let began = now();
    let job = Job::read(|name| std::env::var(name).ok())?;
    let bucket = Bucket::from_environment().await?;
    match job {
        Job::Tile { number, fail_once } => {
            let task = task()?;
            let record = || {
                let record =
                    json!({ "tile": number, "task": task, "began": began, "ended": now() });
                record.to_string()
            };
            let name = format!("tiles/{number:02}");
            if fail_once {
                let failed = format!("{name}.failed.json");
                if bucket.put_first(&failed, record().into_bytes()).await? {
                    eprintln!(
                        "{}",
                        json!({ "level": "ERROR", "message": "fails once", "tile": number })
                    );
                    return Ok(ExitCode::from(3));
                }
            }
            let pixels = picture::tile(number);
            bucket.put(&format!("{name}.rgb"), "application/octet-stream", pixels).await?;
            let record = record();
            println!("{record}");
            bucket.put(&format!("{name}.json"), "application/json", record.into_bytes()).await?;
        }
        Job::Merge => {
            let mut tiles = Vec::new();
            for number in 0..TILES {
                tiles.push(bucket.get(&format!("tiles/{number:02}.rgb")).await?);
            }
            let png = png::encode(WIDTH, HEIGHT, &picture::assemble(&tiles)?);
            bucket.put("picture.png", "image/png", png).await?;
            println!("{}", json!({ "message": "merged", "tiles": TILES }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Renders the whole image into a file, to compare it with the merged tiles.
fn whole(file: &str) -> Result<ExitCode, String> {
    let png = png::encode(WIDTH, HEIGHT, &picture::whole());
    std::fs::write(file, png).map_err(|error| format!("{file}: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["whole", file] => whole(file),
        [] => run().await,
        _ => Err("run `trace whole FILE`, or set TILE or MERGE".to_owned()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{}", json!({ "level": "ERROR", "message": error }));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(variables: &[(&str, &str)]) -> Result<Job, String> {
        Job::read(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_environment_says_what_to_do() {
        assert_eq!(job(&[("TILE", "3")]), Ok(Job::Tile { number: 3, fail_once: false }));
        let fails = |tile| job(&[("TILE", tile), ("FAIL_ONCE", "5")]);
        assert_eq!(fails("5"), Ok(Job::Tile { number: 5, fail_once: true }));
        assert_eq!(fails("6"), Ok(Job::Tile { number: 6, fail_once: false }));
        assert_eq!(job(&[("MERGE", "yes")]), Ok(Job::Merge));
        assert_eq!(job(&[]), Err("neither TILE nor MERGE is set".to_owned()));
        assert_eq!(job(&[("TILE", "16")]), Err("TILE is \"16\", expected the number of a tile".to_owned()));
    }
}
