//! Logging in go-plugin's format: one JSON object per line of stderr.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging at the level of the first of these variables that is set: `TF_LOG_PROVIDER_<NAME>`,
/// `TF_LOG_PROVIDER`, `TF_LOG`. Without them logging is off, and a log statement costs one comparison.
///
/// Only events of `targets` (crate names) are written, because other libraries may log secrets.
pub fn init(provider: &str, targets: &'static [&'static str]) {
    let specific = format!("TF_LOG_PROVIDER_{}", provider.to_uppercase().replace('-', "_"));
    let names = [specific.as_str(), "TF_LOG_PROVIDER", "TF_LOG"];
    let value = names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let Some(level) = value.and_then(|value| level(&value)) else { return };
    let subscriber = tracing_subscriber::registry().with(HcLog { targets }.with_filter(level));
    // A second call (tests in one process) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn level(value: &str) -> Option<LevelFilter> {
    match value.to_ascii_uppercase().as_str() {
        "OFF" => None,
        "ERROR" => Some(LevelFilter::ERROR),
        "WARN" => Some(LevelFilter::WARN),
        "INFO" => Some(LevelFilter::INFO),
        "DEBUG" => Some(LevelFilter::DEBUG),
        // JSON, TRACE, and any other value: Terraform reads those as TRACE.
        _ => Some(LevelFilter::TRACE),
    }
}

struct HcLog {
    targets: &'static [&'static str],
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for HcLog {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let target = event.metadata().target();
        let module = target.split("::").next().unwrap_or(target);
        if !self.targets.contains(&module) {
            return;
        }
        let mut fields = Fields::default();
        if let Some(scope) = context.event_scope(event) {
            for span in scope.from_root() {
                if let Some(outer) = span.extensions().get::<Fields>() {
                    fields.0.extend(outer.0.clone());
                }
            }
        }
        event.record(&mut fields);
        let line = line(*event.metadata().level(), module, fields.0, SystemTime::now());
        // One write per line keeps lines of parallel operations separate. A closed stderr is not an error.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn line(level: Level, module: &str, mut fields: Map<String, Json>, now: SystemTime) -> String {
    // Terraform crashes if `@message` is not a string.
    let message = match fields.remove("message") {
        Some(Json::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let level = level.as_str().to_ascii_lowercase();
    fields.insert("@level".to_owned(), level.into());
    fields.insert("@message".to_owned(), message.into());
    fields.insert("@module".to_owned(), module.into());
    fields.insert("@timestamp".to_owned(), humantime::format_rfc3339_micros(now).to_string().into());
    let mut line = Json::Object(fields).to_string();
    line.push('\n');
    line
}

#[derive(Default)]
struct Fields(Map<String, Json>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name().to_owned(), text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_go_plugin_reads() {
        let mut fields = Map::new();
        fields.insert("message".to_owned(), 5.into());
        fields.insert("tf_rpc".to_owned(), "PlanResourceChange".into());
        let text = line(Level::INFO, "tandem", fields, SystemTime::UNIX_EPOCH);
        let json: Json = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        assert_eq!(json["@message"], "5");
        assert_eq!(json["@level"], "info");
        assert_eq!(json["@timestamp"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(json["tf_rpc"], "PlanResourceChange");
    }

    #[test]
    fn levels_are_terraforms() {
        assert_eq!(level("off"), None);
        assert_eq!(level("warn"), Some(LevelFilter::WARN));
        assert_eq!(level("json"), Some(LevelFilter::TRACE));
    }
}
