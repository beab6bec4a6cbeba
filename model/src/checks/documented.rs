//! Checks the limits that AWS documents and no model of its API states.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::limits::{Help, Known, add_leaves, report};
use crate::composite::Settings;
use crate::finding::{Findings, Path, Severity, Step};
use crate::graph::Object;
use crate::input::Field;
use crate::kind::documented::Fault;
use crate::value::Value;

/// Checks the documented limits of an object. Of a map that is not known as a whole, the known entries count.
pub(super) fn check(
    known: &Known<'_>,
    object: &Object,
    inputs: &Value,
    fields: &[Field],
    findings: &mut Findings,
) {
    if object.kind.documented.is_empty() {
        return;
    }
    let settings: Settings = object
        .fields
        .iter()
        .filter_map(|(name, expr)| Some(((*name).to_owned(), known.at_least(expr)?)))
        .filter(|(_, value)| !value.is_null())
        .collect();
    for limit in object.kind.documented {
        let Some(Fault { fault, help }) = (limit.check)(&settings) else { continue };
        let given = limit.fields.iter().filter_map(|field| Some((*field, settings.get(*field)?)));
        let texts: Vec<(&str, String)> = given
            .map(|(field, value)| (field, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let Some((field, _)) = texts.iter().max_by_key(|(_, text)| text.len()) else { continue };
        let at = largest_part(inputs, fields, &texts);
        report(object, field, (limit.code, Severity::Error), &fault, Help::Sentence(help), at, findings);
    }
}

/// The input with the largest part of these texts: `environment` for several variables, `command[1]` for one long
/// argument.
fn largest_part(inputs: &Value, fields: &[Field], texts: &[(&str, String)]) -> Option<Path> {
    let mut leaves = Vec::new();
    add_leaves(inputs, &Path::default(), fields, &mut leaves);
    leaves.retain(|(_, leaf)| {
        // A document has no white space in the text.
        let compact =
            serde_json::from_str::<Json>(leaf).map_or_else(|_| leaf.clone(), |json| json.to_string());
        !leaf.is_empty()
            && texts.iter().any(|(_, text)| text.contains(leaf.as_str()) || text.contains(&compact))
    });
    let mut groups: BTreeMap<Option<&Step>, Vec<&(Path, String)>> = BTreeMap::new();
    leaves.iter().for_each(|leaf| groups.entry(leaf.0.0.first()).or_default().push(leaf));
    let size = |leaves: &[&(Path, String)]| leaves.iter().map(|(_, leaf)| leaf.len()).sum::<usize>();
    let (_, group) = groups.into_iter().max_by_key(|(_, leaves)| size(leaves))?;
    // Short texts also occur by chance.
    let longest = group.iter().map(|(_, leaf)| leaf.len()).max()?;
    let mut large = group.into_iter().filter(|(_, leaf)| leaf.len() * 8 >= longest);
    let mut common = large.next()?.0.0.clone();
    for (path, _) in large {
        let same = common.iter().zip(&path.0).take_while(|(one, other)| one == other).count();
        common.truncate(same);
    }
    // No single entry of a map is at fault.
    if matches!(common.last(), Some(Step::Key(_))) {
        common.pop();
    }
    Some(Path(common))
}
