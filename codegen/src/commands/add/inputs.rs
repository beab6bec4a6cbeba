//! Reads the inputs of a new entry from the arguments of `tandem add`.

use serde_json::{Map, Value as Json};
use tandem::source;
use tandem::spec::{body_fields, section};
use tandem_model::composite::Definition;
use tandem_model::input::{Field, Shape};
use tandem_model::suggest::{self, Suggestion};

/// The inputs that an entry of a spec can have. Its name is not among them.
pub(super) fn fields(definition: &Definition) -> Vec<Field> {
    (definition.fields)().into_iter().filter(|field| field.name != "name").collect()
}

/// The inputs of an entry, in the order of the definition. `items` has items of lists, each with the name of the
/// list; `set` has `input=value`.
pub(super) fn read(
    definition: &Definition,
    items: &[(&'static str, String)],
    set: &[String],
) -> Result<Vec<(&'static str, Json)>, String> {
    let fields = fields(definition);
    let top = Level { fields: &fields, name: &section(definition), block: false };
    let mut inputs = Map::new();
    for (name, text) in items {
        let field = top.find(name)?;
        let item = match &field.shape {
            Shape::List(element) => scalar(element, text),
            _ => value(field, text)?,
        };
        top.add(&mut inputs, field, item)?;
    }
    for pair in set {
        let Some((path, text)) = pair.split_once('=') else {
            return Err(format!("`{pair}` has no value. Pass a name and a value, e.g. `--set {pair}=VALUE`"));
        };
        top.assign(&mut inputs, path.trim(), text)?;
    }
    let entries = fields.iter().filter_map(|field| {
        let value = match (&field.shape, inputs.remove(field.name)?) {
            // A single block needs no list.
            (Shape::Blocks(_), Json::Array(mut blocks)) if blocks.len() == 1 => blocks.remove(0),
            (_, value) => value,
        };
        Some((field.name, value))
    });
    Ok(entries.collect())
}

/// The inputs of an entry or of a block.
struct Level<'a> {
    fields: &'a [Field],
    /// The section or block.
    name: &'a str,
    block: bool,
}

impl Level<'_> {
    fn find(&self, name: &str) -> Result<&Field, String> {
        if let Some(field) = self.fields.iter().find(|field| field.name == name) {
            return Ok(field);
        }
        let names: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
        let advice = match suggest::for_input(name, &names) {
            Suggestion::Name(near) => format!("Did you mean `{near}`? "),
            Suggestion::NotCovered(subject) => format!(
                "Tandem does not support {subject} here; the guide {} has the alternative, if there is one. ",
                suggest::GUIDE
            ),
            Suggestion::None => String::new(),
        };
        Err(format!("`{name}` is not an input of `{}`. {advice}Use one of: {}", self.name, names.join(", ")))
    }

    /// Sets an input, an input of a block in it, or an entry of a map.
    fn assign(&self, inputs: &mut Map<String, Json>, path: &str, text: &str) -> Result<(), String> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let field = self.find(name)?;
        let Some(rest) = rest else {
            return self.add(inputs, field, value(field, text)?);
        };
        let current = inputs.entry(name).or_insert_with(|| Json::Object(Map::new()));
        let blocks = match current {
            // With several blocks it is open which one is meant.
            Json::Array(blocks) if blocks.len() > 1 => {
                return Err(format!(
                    "`{name}` has {} blocks. Set `{rest}` together with the other inputs of its block",
                    blocks.len()
                ));
            }
            Json::Array(blocks) => blocks.first_mut(),
            one => Some(one),
        };
        match (&field.shape, blocks) {
            (Shape::Block(body) | Shape::Blocks(body), Some(Json::Object(block))) => {
                Level { fields: &body_fields(body), name, block: true }.assign(block, rest, text)
            }
            (Shape::Map(element), Some(Json::Object(entries))) => {
                if entries.insert(rest.to_owned(), scalar(element, text)).is_some() {
                    return Err(format!("`{path}` is set twice. Pass it once"));
                }
                Ok(())
            }
            _ => Err(format!("`{name}` is not a block. Remove `.{rest}`")),
        }
    }

    /// Adds the value of an input. A list is extended.
    fn add(&self, inputs: &mut Map<String, Json>, field: &Field, value: Json) -> Result<(), String> {
        let list = matches!(field.shape, Shape::List(_) | Shape::Blocks(_));
        match (inputs.get_mut(field.name), value) {
            (Some(Json::Array(items)), Json::Array(more)) if list => items.extend(more),
            (Some(Json::Array(items)), item) if list => items.push(item),
            (Some(_), _) if self.block => {
                return Err(format!(
                    "`{}` is set twice in one block of `{}`. Pass the option once for each block",
                    field.name, self.name
                ));
            }
            (Some(_), _) => return Err(format!("`{}` is set twice. Pass it once", field.name)),
            (None, item) if list && !item.is_array() => {
                inputs.insert(field.name.to_owned(), vec![item].into());
            }
            (None, value) => {
                inputs.insert(field.name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// Reads a block from `input=value,input=value`.
    fn block(&self, text: &str) -> Result<Json, String> {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for part in text.split(',') {
            match (part.split_once('='), pairs.last_mut()) {
                (Some((name, value)), _) => pairs.push((name.trim(), value.to_owned())),
                // A comma within a value, as in `cron(0 3,4 * * ? *)`.
                (None, Some((_, value))) => value.push_str(&format!(",{part}")),
                (None, None) => {
                    let first = self.fields.first().map_or("input", |field| field.name);
                    return Err(format!(
                        "{text:?} is not a block of `{}`. Pass names and values, e.g. `{first}=VALUE`",
                        self.name
                    ));
                }
            }
        }
        let mut block = Map::new();
        for (name, text) in pairs {
            self.assign(&mut block, name, &text)?;
        }
        Ok(Json::Object(block))
    }
}

/// Reads the value of an input by its type. A string of another type is kept: the check of the spec reports it with
/// its advice.
fn value(field: &Field, text: &str) -> Result<Json, String> {
    let name = field.name;
    let is_yaml = match field.shape {
        Shape::Block(_) | Shape::Map(_) => text.starts_with('{'),
        Shape::Blocks(_) => text.starts_with(['{', '[']),
        Shape::List(_) => text.starts_with('['),
        _ => false,
    };
    if is_yaml {
        let node = source::parse(text)
            .map_err(|fault| format!("`{name}` has the value `{text}`: {}. {}", fault.message, fault.help))?;
        return node
            .to_value()
            .to_json()
            .ok_or_else(|| format!("`{name}` has a number in `{text}` that is not JSON. Put it in quotes"));
    }
    match &field.shape {
        Shape::Block(body) | Shape::Blocks(body) => {
            Level { fields: &body_fields(body), name, block: true }.block(text)
        }
        Shape::Map(_) => Err(format!(
            "`{name}` is a map, and `{text}` is not. Set one entry of it, e.g. `{name}.KEY=VALUE`"
        )),
        // The handle of a resource is JSON.
        Shape::List(element) if text.starts_with('{') => Ok(vec![scalar(element, text)].into()),
        Shape::List(element) => {
            Ok(text.split(',').map(|item| scalar(element, item)).collect::<Vec<_>>().into())
        }
        shape => Ok(scalar(shape, text)),
    }
}

fn scalar(shape: &Shape, text: &str) -> Json {
    match shape {
        Shape::Integer => text.parse::<i64>().map_or(Json::from(text), Json::from),
        Shape::Bool => text.parse::<bool>().map_or(Json::from(text), Json::from),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tandem::spec::meant;

    use super::*;

    /// The inputs of an entry of this type, from options such as `on` and `set`.
    fn inputs(word: &str, options: &[(&'static str, &str)]) -> Result<Json, String> {
        let given = |set: bool| options.iter().filter(move |(name, _)| (*name == "set") == set);
        let items: Vec<_> = given(false).map(|(name, text)| (*name, (*text).to_owned())).collect();
        let set: Vec<_> = given(true).map(|(_, text)| (*text).to_owned()).collect();
        let read = read(meant(word).expect("a composite"), &items, &set)?;
        Ok(Json::Object(read.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    #[test]
    fn triggers_are_read() {
        for (text, expected) in [
            (
                "schedule=cron(0 3,4 * * ? *),timezone=UTC",
                json!({ "schedule": "cron(0 3,4 * * ? *)", "timezone": "UTC" }),
            ),
            ("queue=q,batch_size=5", json!({ "queue": "q", "batch_size": 5 })),
            ("bucket=inbox,prefix=2024", json!({ "bucket": "inbox", "prefix": "2024" })),
            (
                "http=api,cors_origins=https://a,https://b",
                json!({ "http": "api", "cors_origins": ["https://a", "https://b"] }),
            ),
            (
                "event_pattern={\"source\":[\"a\",\"b\"]}",
                json!({ "event_pattern": "{\"source\":[\"a\",\"b\"]}" }),
            ),
            ("{ bucket: inbox, allow_loop: true }", json!({ "bucket": "inbox", "allow_loop": true })),
        ] {
            assert_eq!(inputs("function", &[("on", text)]), Ok(json!({ "on": expected })), "{text}");
        }
        let two =
            [("on", "bucket=a"), ("on", "bucket=b"), ("launches", "t"), ("launches", "{\"a\":1,\"b\":2}")];
        assert_eq!(
            inputs("function", &two),
            Ok(
                json!({ "on": [{ "bucket": "a" }, { "bucket": "b" }], "launches": ["t", "{\"a\":1,\"b\":2}"] })
            )
        );
    }

    #[test]
    fn values_have_the_type_of_their_input() {
        for (word, text, expected) in [
            ("queue", "fifo=true", json!({ "fifo": true })),
            ("queue", "visibility_timeout=60", json!({ "visibility_timeout": 60 })),
            // The check of the spec reports the unit.
            ("queue", "visibility_timeout=60s", json!({ "visibility_timeout": "60s" })),
            ("table", "key=7", json!({ "key": "7" })),
            ("task", "command=echo,7", json!({ "command": ["echo", "7"] })),
            ("task", "command=[echo, 'a,b']", json!({ "command": ["echo", "a,b"] })),
            ("task", "environment.A.B=1=2", json!({ "environment": { "A.B": "1=2" } })),
            ("task", "environment={ A: '1' }", json!({ "environment": { "A": "1" } })),
            ("task", "network.assign_public_ip=false", json!({ "network": { "assign_public_ip": false } })),
            (
                "task",
                "build=context=a,dockerfile=b",
                json!({ "build": { "context": "a", "dockerfile": "b" } }),
            ),
            ("function", "on.bucket=inbox", json!({ "on": { "bucket": "inbox" } })),
            ("thumbnailer", "launcher={}", json!({ "launcher": {} })),
            ("thumbnailer", "task.build.context=a", json!({ "task": { "build": { "context": "a" } } })),
        ] {
            assert_eq!(inputs(word, &[("set", text)]), Ok(expected), "{text}");
        }
        let several = [
            ("set", "command=echo"),
            ("set", "build.context=a"),
            ("set", "command=b"),
            ("set", "build.target=t"),
        ];
        assert_eq!(
            inputs("task", &several),
            Ok(json!({ "command": ["echo", "b"], "build": { "context": "a", "target": "t" } }))
        );
        let both = [("on", "bucket=inbox"), ("set", "on.suffix=.a")];
        assert_eq!(inputs("function", &both), Ok(json!({ "on": { "bucket": "inbox", "suffix": ".a" } })));
    }

    #[test]
    fn faults_have_one_thing_to_do() {
        for (options, expected) in [
            (
                &[("set", "memroy_size=1")][..],
                "`memroy_size` is not an input of `functions`. Did you mean `memory_size`? Use one of: ",
            ),
            (&[("set", "shade=red")], "`shade` is not an input of `functions`. Use one of: "),
            (&[("set", "name=a")], "`name` is not an input of `functions`. Use one of: "),
            (&[("set", "vpc=a")], "Tandem does not support a VPC here; the guide"),
            (&[("set", "code.zipp=a")], "`zipp` is not an input of `code`. Did you mean `zip`?"),
            (&[("on", "bukcet=a")], "`bukcet` is not an input of `on`. Did you mean `bucket`?"),
            (
                &[("on", "nonsense")],
                "\"nonsense\" is not a block of `on`. Pass names and values, e.g. `bucket=VALUE`",
            ),
            (
                &[("on", "bucket=a,bucket=b")],
                "`bucket` is set twice in one block of `on`. Pass the option once for each block",
            ),
            (&[("set", "timeout=1"), ("set", "timeout=2")], "`timeout` is set twice. Pass it once"),
            (
                &[("set", "environment.A=1"), ("set", "environment.A=2")],
                "`environment.A` is set twice. Pass it once",
            ),
            (
                &[("set", "timeout")],
                "`timeout` has no value. Pass a name and a value, e.g. `--set timeout=VALUE`",
            ),
            (&[("set", "timeout.a=1")], "`timeout` is not a block. Remove `.a`"),
            (&[("set", "launches.a=1")], "`launches` is not a block. Remove `.a`"),
            (&[("set", "environment=1")], "Set one entry of it, e.g. `environment.KEY=VALUE`"),
            (&[("set", "environment={ a")], "`environment` has the value `{ a`: "),
            (
                &[("on", "bucket=a"), ("on", "bucket=b"), ("set", "on.suffix=c")],
                "`on` has 2 blocks. Set `suffix` together",
            ),
        ] {
            let found = inputs("function", options).expect_err("a fault");
            assert!(found.contains(expected), "{options:?}: {found}");
        }
    }
}
