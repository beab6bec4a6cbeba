//! A double of Amazon Rekognition for the example `content-moderation`: a server on loopback that recognizes
//! three images by their Base64.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

/// An image, and the result of Rekognition for it.
#[derive(Debug)]
pub struct Image {
    /// The name of its file.
    pub name: &'static str,
    /// The confidence in [`LABEL`], in percent; `None` without a label.
    pub confidence: Option<f64>,
}

/// An image without a label.
pub static CLEAN: Image = Image { name: "clean.png", confidence: None };

/// An image just below the threshold.
pub static DOUBTFUL: Image = Image { name: "doubtful.png", confidence: Some(79.75) };

/// An image that is to be blocked.
pub static BLOCKED: Image = Image { name: "blocked.png", confidence: Some(99.5) };

/// The only label.
pub const LABEL: &str = "Graphic Violence";

/// A PNG of one pixel.
const PIXEL: &[u8] =
    b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\
    :~\x9bU\x00\x00\x00\x0aIDATx\xdach\x00\x00\x00\x82\x00\x81\xdaE\x08;\x00\x00\x00\x00IEND\xaeB`\x82";

impl Image {
    /// The content of its file. Bytes after the end of a PNG are ignored, so the name there identifies the
    /// image.
    pub fn bytes(&self) -> Vec<u8> {
        [PIXEL, self.name.as_bytes()].concat()
    }
}

/// The server: it ends when this is dropped.
#[derive(Debug)]
pub struct Rekognition {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// Starts the server on a free port.
pub fn start() -> io::Result<Rekognition> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let ended = Arc::new(AtomicBool::new(false));
    let seen = ended.clone();
    let server = std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if seen.load(Ordering::SeqCst) {
                break;
            }
            // A client that has disconnected needs no response.
            std::thread::spawn(move || answer(&stream).is_ok());
        }
    });
    Ok(Rekognition { address, ended, server: Some(server) })
}

impl Rekognition {
    /// Its address: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables with which a function reaches it.
    pub fn environment(&self) -> Json {
        json!({ "AWS_ENDPOINT_URL_REKOGNITION": self.endpoint() })
    }
}

impl Drop for Rekognition {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // The server waits for a connection: this one ends it.
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Answers the one call of a connection.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    // An empty line ends the head: it has only the two characters of a line break.
    while reader.read_line(&mut head)? > 2 {}
    let head = head.to_ascii_lowercase();
    let header =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let mut body = vec![0; header("content-length:").parse().unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let asked: Json = serde_json::from_slice(&body).unwrap_or_default();
    let (status, said) = reply(header("x-amz-target:"), &asked);
    let said = said.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        said.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(said.as_bytes())
}

/// The status and the body of an answer.
fn reply(target: &str, asked: &Json) -> (&'static str, Json) {
    let refused =
        |kind: &str| ("400 Bad Request", json!({ "__type": kind, "Message": "not supported by the double" }));
    if target != "rekognitionservice.detectmoderationlabels" {
        return refused("UnknownOperationException");
    }
    let bytes = &asked["Image"]["Bytes"];
    let known =
        [&CLEAN, &DOUBTFUL, &BLOCKED].into_iter().find(|image| *bytes == BASE64.encode(image.bytes()));
    let Some(image) = known else { return refused("InvalidImageFormatException") };
    // As on AWS, the default minimum is 50 percent.
    let minimum = asked["MinConfidence"].as_f64().unwrap_or(50.0);
    let sure = image.confidence.filter(|confidence| *confidence >= minimum);
    let label =
        |confidence: f64| json!({ "Name": LABEL, "ParentName": "Violence", "Confidence": confidence });
    let labels: Vec<Json> = sure.into_iter().map(label).collect();
    ("200 OK", json!({ "ModerationLabels": labels, "ModerationModelVersion": "7.0" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_apart() {
        let labels = |image: &Image| {
            let asked = json!({ "Image": { "Bytes": BASE64.encode(image.bytes()) } });
            let (status, said) = reply("rekognitionservice.detectmoderationlabels", &asked);
            (status, said["ModerationLabels"][0]["Confidence"].as_f64())
        };
        for image in [&CLEAN, &DOUBTFUL, &BLOCKED] {
            assert_eq!(labels(image), ("200 OK", image.confidence), "{}", image.name);
        }
        assert_eq!(labels(&Image { name: "other.png", confidence: None }).0, "400 Bad Request");
    }
}
