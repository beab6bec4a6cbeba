//! A static ffmpeg: for the base image of containers, and to create and read pictures.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::Packages;

/// The colors of a sample's seconds, as ffmpeg names them and as red, green and blue.
pub const SECONDS: [(&str, [u8; 3]); 6] = [
    ("red", [255, 0, 0]),
    ("green", [0, 128, 0]),
    ("blue", [0, 0, 255]),
    ("purple", [128, 0, 128]),
    ("orange", [255, 165, 0]),
    ("teal", [0, 128, 128]),
];

/// The binary.
///
/// # Panics
/// If it is not installed. The message contains the command that installs it.
pub fn binary() -> PathBuf {
    let python = Packages::Ffmpeg.program("python3");
    let library = python.ancestors().nth(2).expect("the environment's folder").join("lib");
    let found = std::fs::read_dir(library).expect("the environment").flatten().find_map(|version| {
        let folder = version.path().join("site-packages/imageio_ffmpeg/binaries");
        let mut files = std::fs::read_dir(folder).ok()?.flatten().map(|file| file.path());
        files.find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-")))
    });
    found.expect("ffmpeg: run `cargo xtask setup`")
}

fn run(command: &mut Command) -> io::Result<Vec<u8>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// The segments of a digit on a display of seven: top, both upper, middle, both lower, bottom.
const SEGMENTS: [&str; 10] =
    ["abcefg", "cf", "acdeg", "acdfg", "bcdf", "abdfg", "abdefg", "acf", "abcdefg", "abcdfg"];

/// Draws a digit into the middle of a picture of 320 x 180.
fn digit(digit: usize) -> String {
    let boxes = SEGMENTS[digit % 10].chars().map(|segment| {
        let (x, y, w, h) = match segment {
            'a' => (130, 30, 60, 10),
            'b' => (130, 30, 10, 60),
            'c' => (180, 30, 10, 60),
            'd' => (130, 85, 60, 10),
            'e' => (130, 90, 10, 60),
            'f' => (180, 90, 10, 60),
            _ => (130, 140, 60, 10),
        };
        format!("drawbox=x={x}:y={y}:w={w}:h={h}:color=white:t=fill")
    });
    boxes.collect::<Vec<_>>().join(",")
}

/// Creates a video in which each second has another color and number.
pub fn sample(path: &Path) -> io::Result<()> {
    let mut command = Command::new(binary());
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
    for (second, (color, _)) in SECONDS.iter().enumerate() {
        let picture = format!("color=c={color}:s=320x180:r=10:d=1,{}", digit(second));
        command.args(["-f", "lavfi", "-i", &picture]);
    }
    let parts: Vec<String> = (0..SECONDS.len()).map(|part| format!("[{part}]")).collect();
    let concat = format!("{}concat=n={}", parts.concat(), SECONDS.len());
    command.args(["-filter_complex", &concat, "-pix_fmt", "yuv420p", "-g", "10"]).arg(path);
    run(&mut command).map(|_| ())
}

/// The second of a sample that a picture shows, by the color of its corner.
pub fn second_shown(picture: &Path) -> io::Result<Option<usize>> {
    let mut command = Command::new(binary());
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-i"]).arg(picture);
    command.args(["-vf", "crop=16:16:4:4,scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let pixel = run(&mut command)?;
    // A video's colors are a little off.
    let near = |color: &[u8; 3]| color.iter().zip(&pixel).all(|(one, two)| one.abs_diff(*two) < 40);
    Ok(SECONDS.iter().position(|(_, color)| pixel.len() == 3 && near(color)))
}

/// Width and height of a JPEG.
pub fn size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let mut at = 2;
    while jpeg.len() > at + 9 && jpeg[at] == 0xff {
        let (marker, length) = (jpeg[at + 1], usize::from(jpeg[at + 2]) << 8 | usize::from(jpeg[at + 3]));
        // A frame header, other than those that begin tables.
        if (0xc0..=0xcf).contains(&marker) && ![0xc4, 0xc8, 0xcc].contains(&marker) {
            let number = |at: usize| u16::from(jpeg[at]) << 8 | u16::from(jpeg[at + 1]);
            return Some((number(at + 7), number(at + 5)));
        }
        at += 2 + length;
    }
    None
}
