//! Images and their thumbnails, in one bucket.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use super::{Applied, Example, Result, expect, wait};
use crate::ffmpeg;

pub(super) const EXAMPLE: Example = Example {
    name: "image-thumbnail",
    title: "Images get thumbnails in two sizes: one bucket, one function, no loop",
    container: None,
    ffmpeg: true,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// An image to upload.
struct Sample {
    name: &'static str,
    format: &'static str,
    /// Width and height of its pixels.
    pixels: (u32, u32),
    /// True if EXIF says that the camera was turned by a quarter.
    turned: bool,
    /// Width and height of each thumbnail.
    thumbnails: [(u32, u32); SIZES.len()],
}

const SIZES: [u32; 2] = [128, 512];

const SAMPLES: [Sample; 3] = [
    Sample {
        name: "chart.png",
        format: "PNG",
        pixels: (1024, 640),
        turned: false,
        thumbnails: [(128, 80), (512, 320)],
    },
    Sample {
        name: "a folder/my cat+ü.jpg",
        format: "JPEG",
        pixels: (800, 600),
        turned: true,
        thumbnails: [(96, 128), (384, 512)],
    },
    // Thumbnails are never enlarged.
    Sample {
        name: "icon.png",
        format: "PNG",
        pixels: (64, 48),
        turned: false,
        thumbnails: [(64, 48), (64, 48)],
    },
];

/// Key of a truncated image.
const BROKEN: &str = "uploads/broken.png";
/// Number of tries: one, and the default two retries of a function.
const TRIES: usize = 3;

/// Uploads images and a broken one. Checks every thumbnail, and that nothing else happened.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (account, bucket) = (applied.account, applied.output("bucket")?);
    std::fs::create_dir_all(applied.folder)?;
    let samples = SAMPLES.iter().map(|sample| make(applied.folder, sample)).collect::<Result<Vec<_>>>()?;
    // The broken image comes first: a blocked image would not arrive. It is the first half of a valid image.
    let whole = std::fs::read(&samples[0])?;
    account.put_object(bucket, BROKEN, &whole[..whole.len() / 2])?;
    for (sample, path) in SAMPLES.iter().zip(&samples) {
        let mut content = std::fs::read(path)?;
        if sample.turned {
            turn(&mut content);
        }
        account.put_object(bucket, &format!("uploads/{}", sample.name), &content)?;
    }
    let mut said = Vec::new();
    for (sample, path) in SAMPLES.iter().zip(&samples) {
        said.extend(thumbnails(applied, bucket, sample, path)?);
    }
    said.push(dead_letter(applied)?);
    // If a thumbnail triggered the function, that invocation came before the last try with the broken image.
    let invocations = wait("the log of every invocation", || {
        let invocations = invocations(applied)?;
        Ok((invocations >= SAMPLES.len() + TRIES).then_some(invocations))
    })?;
    expect("the number of invocations", invocations, SAMPLES.len() + TRIES)?;
    expect("the list of keys in the bucket", keys(applied, bucket)?, expected_keys())?;
    Ok(said)
}

/// Waits for the thumbnails of an image, and checks them.
fn thumbnails(applied: &Applied<'_>, bucket: &str, sample: &Sample, original: &Path) -> Result<Vec<String>> {
    let wanted = impression(original, sample.turned)?;
    let mut said = Vec::new();
    for (size, (width, height)) in SIZES.iter().zip(sample.thumbnails) {
        let key = format!("thumbs/{size}/{}", sample.name);
        let thumbnail = wait(&key, || applied.account.get_object(bucket, &key));
        let thumbnail = thumbnail.map_err(|error| format!("{error}\n{}", log(applied).join("\n")))?;
        let path = applied.keep(&format!("{size} {}", file_name(sample)), &thumbnail)?;
        expect(
            &format!("format and size of {key}"),
            format_and_size(&thumbnail),
            Some((sample.format, width, height)),
        )?;
        let found = impression(&path, false)?;
        // Two scaling algorithms give slightly different pixels.
        let alike = found.iter().zip(&wanted).all(|(found, wanted)| found.abs_diff(*wanted) < 40);
        expect(&format!("similarity of {} to the uploaded image", path.display()), alike, true)?;
        said.push(format!("{key}: {width}x{height}, {}", path.display()));
    }
    Ok(said)
}

/// Waits for the event of the broken image in the dead-letter queue. Returns a line about it.
fn dead_letter(applied: &Applied<'_>) -> Result<String> {
    let queue = applied.output("dead_letters")?;
    let letters = wait("the broken image in the dead-letter queue", || {
        let letters = applied.account.messages(queue)?;
        Ok((!letters.is_empty()).then_some(letters))
    })?;
    expect("the number of messages in the dead-letter queue", letters.len(), 1)?;
    let letter: Json = serde_json::from_str(&letters[0])?;
    let key = &letter["requestPayload"]["Records"][0]["s3"]["object"]["key"];
    expect("the key in the message of the dead-letter queue", key.as_str(), Some(BROKEN))?;
    let why = letter["responsePayload"]["errorMessage"].as_str().unwrap_or_default();
    if why.is_empty() {
        return Err(format!("the message in the dead-letter queue has no error: {letter}").into());
    }
    Ok(format!("{BROKEN}: tried {TRIES} times, then in the dead-letter queue ({why})"))
}

/// Number of invocations of the function: each one logs a line with START.
fn invocations(applied: &Applied<'_>) -> Result<usize> {
    let lines = applied.account.log_messages(applied.output("log_group")?)?;
    Ok(lines.iter().filter(|line| line.starts_with("START RequestId")).count())
}

fn log(applied: &Applied<'_>) -> Vec<String> {
    let lines = applied.output("log_group").and_then(|group| applied.account.log_messages(group));
    lines.unwrap_or_default()
}

/// Returns the key of every object in a bucket.
fn keys(applied: &Applied<'_>, bucket: &str) -> Result<BTreeSet<String>> {
    // A GET without a key lists the bucket.
    let list = applied.account.get_object(bucket, "")?.ok_or("there is no bucket")?;
    let list = String::from_utf8(list)?;
    let keys = list.split("<Key>").skip(1).filter_map(|part| Some(part.split_once("</Key>")?.0.to_owned()));
    Ok(keys.collect())
}

/// Returns the keys of the uploads, and of the thumbnails of valid images.
fn expected_keys() -> BTreeSet<String> {
    let mut keys = BTreeSet::from([BROKEN.to_owned()]);
    for sample in &SAMPLES {
        keys.insert(format!("uploads/{}", sample.name));
        keys.extend(SIZES.map(|size| format!("thumbs/{size}/{}", sample.name)));
    }
    keys
}

fn file_name(sample: &Sample) -> &str {
    sample.name.rsplit('/').next().unwrap_or(sample.name)
}

/// Makes an image. Returns its path.
fn make(folder: &Path, sample: &Sample) -> Result<PathBuf> {
    let path = folder.join(file_name(sample));
    let source = format!("testsrc=size={}x{}", sample.pixels.0, sample.pixels.1);
    run_ffmpeg(&["-y", "-f", "lavfi", "-i", &source, "-frames:v", "1"], &path)?;
    Ok(path)
}

/// Scales an image to 8 x 8 shades of grey. `turned` rotates it by a quarter to the right first.
fn impression(picture: &Path, turned: bool) -> Result<Vec<u8>> {
    let input = picture.to_str().ok_or("the path is not UTF-8")?;
    let turn = if turned { "transpose=clock," } else { "" };
    let filter = format!("{turn}scale=8:8:flags=area,format=gray");
    let shades = run_ffmpeg(&["-i", input, "-vf", &filter, "-f", "rawvideo"], Path::new("-"))?;
    expect(&format!("the number of shades in {input}"), shades.len(), 64)?;
    Ok(shades)
}

/// Runs ffmpeg. Returns its standard output.
fn run_ffmpeg(arguments: &[&str], output: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new(ffmpeg::binary());
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]).args(arguments).arg(output);
    let ended = command.output()?;
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&ended.stderr).trim()).into())
}

/// Sets EXIF orientation 6 in the first segment of a JPEG: a viewer rotates it by a quarter to the right.
/// Cameras write this if they are turned.
fn turn(jpeg: &mut Vec<u8>) {
    let header: &[u8] = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01";
    let tag: &[u8] = &[0x01, 0x12, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x06, 0x00, 0x00];
    let end: &[u8] = &[0; 4];
    jpeg.splice(2..2, [header, tag, end].concat());
}

/// Returns format, width and height of an image.
fn format_and_size(picture: &[u8]) -> Option<(&'static str, u32, u32)> {
    if picture.starts_with(b"\x89PNG\r\n\x1a\n") {
        let number = |at: usize| Some(u32::from_be_bytes(picture.get(at..at + 4)?.try_into().ok()?));
        return Some(("PNG", number(16)?, number(20)?));
    }
    let (width, height) = ffmpeg::size(picture).filter(|_| picture.starts_with(&[0xff, 0xd8, 0xff]))?;
    Some(("JPEG", width.into(), height.into()))
}
