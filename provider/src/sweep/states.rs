//! Reads Terraform state files and collects the objects that their resources own.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;
use tandem_engine::sweep::Owned;

/// The version of the state format that Terraform writes since 0.12.
const VERSION: u64 = 4;

/// The contents of a state file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The path of the file.
    pub(super) file: String,
    /// The objects that each `tandem_*` resource owns.
    pub(super) owned: Vec<Owned>,
    /// The ids of these resources, e.g. `shop/eu-central-1/bucket/x`: the values of the owner tag.
    pub(super) owners: BTreeSet<String>,
}

/// Reads a state file. The error contains the path of the file.
pub(super) fn read(path: &Path) -> Result<State, String> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        format!("the state `{file}` cannot be read: {error}. Pass a file that `terraform state pull` wrote.")
    })?;
    parse(&file, &bytes).map_err(|error| format!("the state `{file}` {error}"))
}

fn parse(file: &str, bytes: &[u8]) -> Result<State, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(
            "is empty: the configuration has no state, or `terraform state pull` failed. Check its error \
                    output."
                .to_owned(),
        );
    }
    let state: Json = serde_json::from_slice(bytes).map_err(|error| {
        format!("is not JSON: {error}. Pass a terraform.tfstate, or the output of `terraform state pull`.")
    })?;
    if state.get("format_version").is_some() {
        return Err(
            "is the output of `terraform show -json`. Pass the output of `terraform state pull`.".to_owned()
        );
    }
    if state.get("encrypted_data").is_some() {
        return Err("is encrypted. Pass the output of `tofu state pull`.".to_owned());
    }
    match (state["version"].as_u64(), state["resources"].as_array()) {
        (Some(VERSION), Some(resources)) => {
            let mut read = State { file: file.to_owned(), owned: Vec::new(), owners: BTreeSet::new() };
            resources.iter().try_for_each(|resource| read.add(resource))?;
            Ok(read)
        }
        (Some(VERSION), None) | (None, _) => {
            Err("is JSON, but no state. Pass a terraform.tfstate, or the output of `terraform state pull`."
                .to_owned())
        }
        (Some(other), _) => Err(format!(
            "has format version {other}, but `sweep` supports only version {VERSION}. Pass the output of \
             `terraform state pull` of Terraform 1.11 or later."
        )),
    }
}

impl State {
    fn add(&mut self, resource: &Json) -> Result<(), String> {
        let kind = resource["type"].as_str().unwrap_or_default();
        if resource["mode"] != "managed" || !kind.starts_with("tandem_") {
            return Ok(());
        }
        let name = resource["name"].as_str().unwrap_or_default();
        let module = resource["module"].as_str().map(|module| format!("{module}.")).unwrap_or_default();
        // `instances` includes deposed ones, which a replacement has not deleted yet.
        for instance in resource["instances"].as_array().into_iter().flatten() {
            let index = &instance["index_key"];
            let index = if index.is_null() { String::new() } else { format!("[{index}]") };
            let address = format!("{module}{kind}.{name}{index}");
            let attributes = &instance["attributes"];
            let owned = owned(attributes).ok_or_else(|| {
                format!(
                    "contains {address}, whose `instance` or `record` this version cannot read. Use the \
                     version of the provider that wrote it, or a newer one."
                )
            })?;
            let resource = format!("{address} in {}", self.file);
            self.owned.extend(owned.map(|owned| Owned { resource, ..owned }));
            self.owners.extend(attributes["id"].as_str().map(ToOwned::to_owned));
        }
        Ok(())
    }

    /// True if this state contains a resource of the project and region.
    pub(super) fn speaks_of(&self, project: &str, region: &str) -> bool {
        let start = format!("{project}/{region}/");
        self.owners.iter().any(|owner| owner.starts_with(&start))
    }
}

/// The objects that a resource owns. `None`: its attributes are damaged. `Some(None)`: it owns nothing.
#[allow(clippy::option_option, reason = "the outer `None` is damage, the inner one an empty record")]
fn owned(attributes: &Json) -> Option<Option<Owned>> {
    let (instance, record) = (attributes.get("instance")?, attributes.get("record")?);
    let objects = match record {
        Json::Null => BTreeSet::new(),
        record => {
            let object = |entry: &Json| Some((entry["kind"].as_str()?.into(), entry["id"].as_str()?.into()));
            record.as_object()?.values().map(object).collect::<Option<_>>()?
        }
    };
    match instance {
        Json::Null if objects.is_empty() => Some(None),
        instance => {
            let instance = instance.as_str()?.to_owned();
            Some(Some(Owned { resource: String::new(), instance, objects }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(kind: &str, instances: Json) -> Json {
        let provider = "provider[\"registry.terraform.io/tandem/tandem\"]";
        json!({ "mode": "managed", "type": kind, "name": "x", "provider": provider, "instances": instances })
    }

    fn attributes(instance: &str) -> Json {
        json!({
            "id": "shop/eu-central-1/bucket/x",
            "instance": instance,
            "record": { "s3_bucket.main": { "kind": "s3_bucket", "id": "shop-x-1", "anchor": true } },
        })
    }

    fn state(resources: &[Json]) -> Result<State, String> {
        let state = json!({ "version": 4, "serial": 3, "lineage": "l", "resources": resources });
        parse("a.tfstate", state.to_string().as_bytes())
    }

    #[test]
    fn every_instance_of_our_resources_is_read() {
        let mut several = resource(
            "tandem_bucket",
            json!([
                { "index_key": "a", "attributes": attributes("1") },
                { "index_key": 0, "status": "tainted", "attributes": attributes("2") },
                { "index_key": "a", "deposed": "00000001", "attributes": attributes("3") },
            ]),
        );
        several["module"] = json!("module.m[0]");
        let other = resource("aws_s3_bucket", json!([{ "attributes": { "id": "b" } }]));
        let mut data = resource("tandem_bucket", json!([{ "attributes": {} }]));
        data["mode"] = json!("data");
        let none = resource("tandem_bucket", json!([{ "attributes": { "instance": null, "record": null } }]));
        let read = state(&[several, other, data, none]).expect("a state");
        let instances: Vec<&str> = read.owned.iter().map(|owned| &*owned.instance).collect();
        assert_eq!(instances, ["1", "2", "3"]);
        assert_eq!(read.owned[0].resource, "module.m[0].tandem_bucket.x[\"a\"] in a.tfstate");
        assert_eq!(read.owned[0].objects, BTreeSet::from([("s3_bucket".to_owned(), "shop-x-1".to_owned())]));
        assert!(read.speaks_of("shop", "eu-central-1"));
        assert!(!read.speaks_of("sho", "eu-central-1") && !read.speaks_of("shop", "eu-central-2"));
    }

    #[test]
    fn what_is_no_state_is_refused_with_a_way_out() {
        for (text, part) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("{", "is not JSON"),
            ("PK\u{3}\u{4}", "is not JSON"),
            ("{}", "no state"),
            ("[]", "no state"),
            ("{\"version\":4}", "no state"),
            ("{\"version\":3,\"modules\":[]}", "version 3"),
            ("{\"version\":5,\"resources\":[]}", "version 5"),
            ("{\"format_version\":\"1.0\",\"values\":{}}", "terraform show -json"),
            ("{\"serial\":1,\"encrypted_data\":\"x\"}", "encrypted"),
        ] {
            let error = parse("f", text.as_bytes()).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = read(Path::new("/nowhere/f")).expect_err("no file");
        assert!(error.contains("/nowhere/f"), "{error}");
    }

    #[test]
    fn a_resource_of_ours_that_cannot_be_read_is_an_error() {
        for damaged in [
            json!({}),
            json!({ "instance": "1" }),
            json!({ "instance": 1, "record": {} }),
            json!({ "instance": "1", "record": [] }),
            json!({ "instance": "1", "record": { "k": { "kind": "s3_bucket" } } }),
            json!({ "instance": null, "record": { "k": { "kind": "s3_bucket", "id": "b" } } }),
        ] {
            let error = state(&[resource("tandem_bucket", json!([{ "attributes": damaged }]))]);
            assert!(error.is_err_and(|error| error.contains("tandem_bucket.x")), "{damaged}");
        }
    }
}
