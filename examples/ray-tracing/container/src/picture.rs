//! The ray tracer, and the scene that it renders.
//!
//! It uses only operations that IEEE 754 rounds exactly: sums, products, quotients and square roots.
//! Every machine therefore renders the same bytes, whole or in tiles.

use std::ops::{Add, Mul, Range, Sub};
use std::thread;

pub const WIDTH: u32 = 480;
pub const HEIGHT: u32 = 320;
/// Tiles are numbered row by row.
pub const TILES: u32 = ACROSS * DOWN;
const ACROSS: u32 = 4;
const DOWN: u32 = 4;

/// Rays through each pixel, per axis.
const SAMPLES: u32 = 3;
/// Rays to the lamp, per axis. The lamp is a square, for soft shadows.
const SHADOWS: u32 = 6;
const BOUNCES: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Vector(f64, f64, f64);

impl Add for Vector {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1, self.2 + other.2)
    }
}

impl Sub for Vector {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0, self.1 - other.1, self.2 - other.2)
    }
}

impl Mul<f64> for Vector {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor, self.1 * factor, self.2 * factor)
    }
}

impl Vector {
    fn dot(self, other: Self) -> f64 {
        self.0 * other.0 + self.1 * other.1 + self.2 * other.2
    }

    fn cross(self, other: Self) -> Self {
        Self(
            self.1 * other.2 - self.2 * other.1,
            self.2 * other.0 - self.0 * other.2,
            self.0 * other.1 - self.1 * other.0,
        )
    }

    fn unit(self) -> Self {
        self * (1.0 / self.dot(self).sqrt())
    }

    /// Interpolates: `much` of the other vector, and the rest of this one.
    fn mixed(self, other: Self, much: f64) -> Self {
        self * (1.0 - much) + other * much
    }
}

const EYE: Vector = Vector(0.0, 1.9, -6.6);
const LOOKED_AT: Vector = Vector(0.0, 0.75, 0.0);
/// Height of the visible part of the scene at a distance of 1.
const VIEW: f64 = 0.66;
const LAMP: Vector = Vector(-5.0, 8.0, -5.0);
const LAMP_SIZE: f64 = 2.5;
const HORIZON: Vector = Vector(0.70, 0.79, 0.90);
const ZENITH: Vector = Vector(0.03, 0.12, 0.45);
const SMALL: f64 = 1e-6;

struct Sphere {
    center: Vector,
    radius: f64,
    color: Vector,
    /// Share of the light that is reflected, from 0 to 1.
    mirror: f64,
}

/// The point where a ray ends.
struct Surface {
    distance: f64,
    normal: Vector,
    color: Vector,
    mirror: f64,
    /// Strength of the lamp's highlight.
    gloss: f64,
}

struct Scene {
    spheres: Vec<Sphere>,
    forward: Vector,
    right: Vector,
    up: Vector,
}

/// Renders a part of the image: row by row, three bytes per pixel.
fn part(columns: Range<u32>, rows: Range<u32>) -> Vec<u8> {
    let scene = Scene::new();
    let pixels = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
    pixels.flat_map(|(x, y)| scene.pixel(x, y)).collect()
}

/// Renders a tile.
pub fn tile(number: u32) -> Vec<u8> {
    let (columns, rows) = area(number);
    part(columns, rows)
}

/// Columns and rows of a tile.
fn area(number: u32) -> (Range<u32>, Range<u32>) {
    let (width, height) = (WIDTH / ACROSS, HEIGHT / DOWN);
    let (left, top) = (number % ACROSS * width, number / ACROSS * height);
    (left..left + width, top..top + height)
}

/// Renders the whole image.
pub fn whole() -> Vec<u8> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let rows = HEIGHT.div_ceil(u32::try_from(threads).unwrap_or(HEIGHT));
    thread::scope(|scope| {
        let tops = (0..HEIGHT).step_by(rows as usize);
        let band = |top: u32| scope.spawn(move || part(0..WIDTH, top..HEIGHT.min(top + rows)));
        let bands: Vec<_> = tops.map(band).collect();
        bands.into_iter().flat_map(|band| band.join().expect("no panic")).collect()
    })
}

/// Merges the pixels of all tiles.
pub fn assemble(tiles: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let row = (WIDTH / ACROSS * 3) as usize;
    let size = row * (HEIGHT / DOWN) as usize;
    if tiles.len() != TILES as usize {
        return Err(format!("there are {} tiles, expected {TILES}", tiles.len()));
    }
    if let Some(number) = tiles.iter().position(|tile| tile.len() != size) {
        return Err(format!("tile {number} has {} bytes, expected {size}", tiles[number].len()));
    }
    let mut pixels = Vec::with_capacity(size * tiles.len());
    for across in tiles.chunks(ACROSS as usize) {
        for start in (0..size).step_by(row) {
            across.iter().for_each(|tile| pixels.extend(&tile[start..start + row]));
        }
    }
    Ok(pixels)
}

impl Scene {
    fn new() -> Self {
        let sphere = |center, radius, color, mirror| Sphere { center, radius, color, mirror };
        let mut spheres = vec![
            sphere(Vector(0.0, 1.0, 0.0), 1.0, Vector(0.95, 0.95, 0.97), 0.85),
            sphere(Vector(-2.9, 0.9, 1.5), 0.9, Vector(0.70, 0.10, 0.08), 0.12),
            sphere(Vector(2.8, 0.8, 1.3), 0.8, Vector(0.90, 0.60, 0.20), 0.40),
            sphere(Vector(1.1, 0.7, 3.2), 0.7, Vector(0.10, 0.40, 0.25), 0.15),
        ];
        // A ring of sixteen spheres around the first: each is rotated by a sixteenth turn.
        let (cosine, sine) = (0.923_879_532_511_286_7, 0.382_683_432_365_089_8);
        let (mut x, mut z) = (1.75, 0.0);
        for number in 0..16 {
            let hue = f64::from(number) / 16.0;
            spheres.push(sphere(Vector(x, 0.24, z), 0.24, rainbow(hue), 0.15));
            (x, z) = (x * cosine - z * sine, x * sine + z * cosine);
        }
        let forward = (LOOKED_AT - EYE).unit();
        let right = Vector(0.0, 1.0, 0.0).cross(forward).unit();
        Self { spheres, forward, right, up: forward.cross(right) }
    }

    fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let mut sum = Vector(0.0, 0.0, 0.0);
        for shift in grid(SAMPLES) {
            let across = (f64::from(x) + shift.0 - f64::from(WIDTH) / 2.0) / f64::from(HEIGHT);
            let up = 0.5 - (f64::from(y) + shift.1) / f64::from(HEIGHT);
            let along = self.forward + self.right * (across * VIEW) + self.up * (up * VIEW);
            sum = sum + self.color(EYE, along.unit(), shift, BOUNCES);
        }
        let mean = sum * (1.0 / f64::from(SAMPLES * SAMPLES));
        // Gamma correction with an exponent of 1/2.
        [mean.0, mean.1, mean.2].map(|light| (light.clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u8)
    }

    /// Returns the light from a direction. Each ray of a pixel samples other points of the lamp.
    fn color(&self, from: Vector, along: Vector, shift: (f64, f64), bounces: u32) -> Vector {
        let Some(surface) = self.surface(from, along) else {
            return sky(along);
        };
        let Surface { distance, normal, mirror, gloss, .. } = surface;
        let point = from + along * distance + normal * SMALL;
        let to_lamp = (LAMP - point).unit();
        let facing = normal.dot(to_lamp);
        let lit = if facing > 0.0 { self.lit(point, shift) } else { 0.0 };
        let ambient = 0.14 + 0.08 * normal.1;
        let mut color = surface.color * (ambient + 0.95 * lit * facing.max(0.0));
        let halfway = normal.dot((to_lamp - along).unit()).max(0.0);
        color = color + Vector(1.0, 0.98, 0.92) * (gloss * lit * power(halfway, 7));

        let seen = -normal.dot(along);
        // Fresnel effect: at a flat angle a surface reflects more.
        let aside = (1.0 - seen).max(0.0);
        let share = mirror + (1.0 - mirror) * gloss * 0.5 * (power(aside, 2) * aside);
        if bounces > 0 && share > 0.02 {
            let reflected = self.color(point, along + normal * (2.0 * seen), shift, bounces - 1);
            color = color.mixed(reflected, share);
        }
        let haze = distance * distance / (distance * distance + 2000.0);
        color.mixed(HORIZON, haze)
    }

    /// Returns the first surface that a ray hits.
    fn surface(&self, from: Vector, along: Vector) -> Option<Surface> {
        let mut nearest: Option<(f64, &Sphere)> = None;
        for sphere in &self.spheres {
            let to = sphere.center - from;
            let middle = to.dot(along);
            let half = middle * middle - to.dot(to) + sphere.radius * sphere.radius;
            if middle <= 0.0 || half <= 0.0 {
                continue;
            }
            let distance = middle - half.sqrt();
            if distance > SMALL && nearest.is_none_or(|(other, _)| distance < other) {
                nearest = Some((distance, sphere));
            }
        }
        let ground = -from.1 / along.1;
        if along.1 < 0.0 && nearest.is_none_or(|(other, _)| ground < other) {
            let at = from + along * ground;
            let light = (at.0.floor() + at.2.floor()) * 0.5;
            let color = if light == light.floor() {
                Vector(0.78, 0.76, 0.72)
            } else {
                Vector(0.10, 0.13, 0.20)
            };
            let normal = Vector(0.0, 1.0, 0.0);
            return Some(Surface { distance: ground, normal, color, mirror: 0.08, gloss: 0.1 });
        }
        let (distance, sphere) = nearest?;
        let normal = (from + along * distance - sphere.center) * (1.0 / sphere.radius);
        let Sphere { color, mirror, .. } = *sphere;
        Some(Surface { distance, normal, color, mirror, gloss: 0.7 })
    }

    /// Share of the lamp that is visible from a point.
    fn lit(&self, from: Vector, shift: (f64, f64)) -> f64 {
        let mut seen = 0;
        for (across, down) in grid(SHADOWS) {
            // Each ray of a pixel takes another position within the cell of the grid.
            let place =
                |at: f64, shift: f64| (at + (shift - 0.5) / f64::from(SHADOWS) - 0.5) * LAMP_SIZE;
            let to_lamp = LAMP + Vector(place(across, shift.0), 0.0, place(down, shift.1)) - from;
            let square = to_lamp.dot(to_lamp);
            // No sphere is behind the lamp.
            let hides = |sphere: &Sphere| {
                let to = sphere.center - from;
                let middle = to.dot(to_lamp);
                let beside = to.dot(to) - sphere.radius * sphere.radius;
                middle > 0.0 && beside > 0.0 && middle * middle > beside * square
            };
            seen += u32::from(!self.spheres.iter().any(hides));
        }
        f64::from(seen) / f64::from(SHADOWS * SHADOWS)
    }
}

/// Centers of the cells of a grid over the unit square.
fn grid(size: u32) -> impl Iterator<Item = (f64, f64)> {
    let middle = move |number: u32| (f64::from(number) + 0.5) / f64::from(size);
    (0..size * size).map(move |number| (middle(number % size), middle(number / size)))
}

fn sky(along: Vector) -> Vector {
    let color = HORIZON.mixed(ZENITH, along.1.max(0.0).sqrt());
    let sun = along.dot(LAMP.unit()).max(0.0);
    color + Vector(1.0, 0.85, 0.6) * (0.5 * power(sun, 5))
}

/// Squares a number `times` times: its power of 2, 4, 8 and so on.
fn power(number: f64, times: u32) -> f64 {
    (0..times).fold(number, |power, _| power * power)
}

/// A color of the rainbow, for a hue from 0 to 1.
fn rainbow(hue: f64) -> Vector {
    let band = |middle: f64| {
        let away = (hue * 6.0 - middle).abs();
        (2.0 - away.min(6.0 - away)).clamp(0.0, 1.0) * 0.75 + 0.08
    };
    Vector(band(0.0), band(2.0), band(4.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_of_a_tile_comes_to_its_place() {
        let named = |columns: Range<u32>, rows: Range<u32>| -> Vec<u8> {
            let pixels = rows.flat_map(|y| columns.clone().map(move |x| y * WIDTH + x));
            pixels.flat_map(|number| number.to_le_bytes().into_iter().take(3)).collect()
        };
        let tiles = (0..TILES).map(area).map(|(columns, rows)| named(columns, rows));
        let tiles: Vec<Vec<u8>> = tiles.collect();
        assert!(assemble(&tiles).unwrap() == named(0..WIDTH, 0..HEIGHT));
    }

    #[test]
    fn a_row_is_the_same_whatever_else_is_traced() {
        let row = part(0..WIDTH, 200..201);
        assert!(part(120..123, 200..202)[..9] == row[360..369]);
    }

    #[test]
    fn there_is_something_to_see() {
        let scene = Scene::new();
        let [red, green, blue] = scene.pixel(WIDTH / 2, 2);
        assert!(blue > green && green > red, "the sky is {red} {green} {blue}");
        let [red, green, blue] = scene.pixel(62, 140);
        assert!(red > green + 50 && red > blue + 50, "the red sphere is {red} {green} {blue}");
        let colors: std::collections::BTreeSet<_> =
            (0..WIDTH).map(|x| scene.pixel(x, HEIGHT - 40)).collect();
        assert!(colors.len() > 50, "{} colors", colors.len());
    }

    #[test]
    fn tiles_must_fit() {
        let error = assemble(&vec![vec![0; 3]; TILES as usize]).unwrap_err();
        assert_eq!(error, "tile 0 has 3 bytes, expected 28800");
        assert_eq!(assemble(&[]).unwrap_err(), "there are 0 tiles, expected 16");
    }
}
