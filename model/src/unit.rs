//! Units of integer inputs, and the conversion of strings such as `30s`.

/// The unit of an integer input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// MiB, which AWS calls MB for the memory of functions and tasks.
    Mebibytes,
    /// GiB.
    Gibibytes,
    /// CPU units of Fargate, of which 1,024 are one vCPU.
    CpuUnits,
}

/// Suffixes of durations, each with its number of seconds.
const DURATIONS: &[(&[&str], f64)] = &[
    (&["ms", "milliseconds"], 0.001),
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hr", "hour", "hours"], 3600.0),
    (&["d", "day", "days"], 86_400.0),
];

/// Suffixes of sizes, each with its number of MiB.
const SIZES: &[(&[&str], f64)] =
    &[(&["m", "mb", "mib"], 1.0), (&["g", "gb", "gib"], 1024.0), (&["t", "tb", "tib"], 1024.0 * 1024.0)];

impl Unit {
    /// The plural, for messages: "a number of seconds".
    pub fn plural(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Mebibytes => "MiB",
            Self::Gibibytes => "GiB",
            Self::CpuUnits => "CPU units",
        }
    }

    /// Converts a string such as `30s`, `5 minutes`, `1GB` or `0.5 vCPU` to an integer in this unit. `None`
    /// if the string is not a number with a known suffix, or the result is not an integer.
    pub fn convert(self, text: &str) -> Option<i64> {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let number: f64 = text[..end].parse().ok()?;
        let suffix = text[end..].trim().to_lowercase();
        let factor = |known: &[(&[&str], f64)], own: f64| {
            known.iter().find(|(names, _)| names.contains(&suffix.as_str())).map(|(_, factor)| factor / own)
        };
        let factor = match (self, suffix.as_str()) {
            // Without a suffix, 0.5 is half a vCPU, and 256 is a number of CPU units.
            (Self::CpuUnits, "") if number <= 64.0 => Some(1024.0),
            (Self::CpuUnits, "vcpu" | "vcpus") => Some(1024.0),
            (_, "") => Some(1.0),
            (Self::CpuUnits, _) => None,
            (Self::Mebibytes, _) => factor(SIZES, 1.0),
            (Self::Gibibytes, _) => factor(SIZES, 1024.0),
            (Self::Seconds, _) => factor(DURATIONS, 1.0),
            (Self::Minutes, _) => factor(DURATIONS, 60.0),
            (Self::Hours, _) => factor(DURATIONS, 3600.0),
            (Self::Days, _) => factor(DURATIONS, 86_400.0),
        }?;
        let value = number * factor;
        #[allow(clippy::cast_possible_truncation, reason = "checked: an integer, far below the limit")]
        (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn strings_with_a_unit_are_converted() {
        for (unit, text, expected) in [
            (Unit::Seconds, "30s", Some(30)),
            (Unit::Seconds, "5 minutes", Some(300)),
            (Unit::Seconds, "1.5h", Some(5400)),
            (Unit::Seconds, "20", Some(20)),
            (Unit::Seconds, "500ms", None),
            (Unit::Days, "1h", None),
            (Unit::Days, "48 hours", Some(2)),
            (Unit::Mebibytes, "1GB", Some(1024)),
            (Unit::Mebibytes, "512 MiB", Some(512)),
            (Unit::Gibibytes, "30G", Some(30)),
            (Unit::CpuUnits, "0.25", Some(256)),
            (Unit::CpuUnits, "256", Some(256)),
            (Unit::CpuUnits, "2 vCPU", Some(2048)),
            (Unit::Seconds, "soon", None),
            (Unit::Seconds, "30 MB", None),
        ] {
            assert_eq!(unit.convert(text), expected, "{unit:?} {text}");
        }
    }
}
