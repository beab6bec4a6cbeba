//! Compares a graph with the settings of existing objects.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::ambient::Ambient;
use crate::composite::Settings;
use crate::context::Context;
use crate::expr::{Expr, Scope};
use crate::graph::{Graph, Object};
use crate::key::Key;
use crate::kind::{Form, Kind};
use crate::kinds;

/// Points for an object that the graph and AWS have, and for one that only one of them has.
const OBJECT: i64 = 10;
/// Points for a field with another value than in AWS.
const OTHER_VALUE: i64 = 3;

/// The name of a variable that stands for any number of items of a list.
pub(super) fn name_of_list(name: &str) -> String {
    format!("{name}[]")
}

/// The objects in AWS.
pub(super) struct Observed<'a> {
    objects: &'a BTreeMap<String, Settings>,
    context: &'a Context,
}

/// How an expression compares with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Equal,
    Different,
    /// The expression has a part that is not known.
    Open,
}

impl<'a> Observed<'a> {
    pub(super) fn new(objects: &'a BTreeMap<String, Settings>, context: &'a Context) -> Self {
        Self { objects, context }
    }

    /// How similar a graph is to the objects.
    pub(super) fn score(&self, graph: &Graph) -> i64 {
        let of_object = |object: &Object| {
            let Some(settings) = self.objects.get(object.key.as_str()) else { return -OBJECT };
            let points = compared(object).map(|(field, expr)| match settings.get(field) {
                // AWS does not report the setting.
                None => {
                    if matches!(expr, Expr::Literal(value) if !super::is_empty(&value.into())) {
                        -1
                    } else {
                        0
                    }
                }
                Some(value) => match self.compare(expr, value, None) {
                    Likeness::Equal => 1,
                    Likeness::Different => -OTHER_VALUE,
                    Likeness::Open => 0,
                },
            });
            OBJECT + points.sum::<i64>()
        };
        graph.objects().iter().map(of_object).sum()
    }

    /// The value of a variable: the key of the object and the field that show it, and the value.
    pub(super) fn binding(&self, graph: &Graph, variable: &str) -> Option<(String, &'static str, Json)> {
        for object in graph.objects() {
            let Some(settings) = self.objects.get(object.key.as_str()) else { continue };
            for (field, expr) in compared(object) {
                let Some(value) = settings.get(field) else { continue };
                let mut search = Search { variable, found: None };
                self.compare(expr, value, Some(&mut search));
                if let Some(found) = search.found.filter(|found| !found.is_null()) {
                    return Some((object.key.as_str().to_owned(), field, found));
                }
            }
        }
        None
    }

    /// Compares an expression with a value, and binds the variable of the search.
    fn compare(&self, expr: &Expr, value: &Json, mut search: Option<&mut Search<'_>>) -> Likeness {
        if let Some(search) = &mut search
            && search.bind(expr, value)
        {
            return Likeness::Open;
        }
        match (expr, value) {
            (Expr::Json(inner), Json::String(text)) => match serde_json::from_str::<Json>(text) {
                Ok(value) => self.compare(inner, &value, search),
                Err(_) => Likeness::Different,
            },
            (Expr::Map(entries), Json::Object(values)) => {
                let mut all = Likeness::Equal;
                for (name, expr) in entries {
                    let like = values.get(name).map_or(Likeness::Different, |value| {
                        self.compare(expr, value, search.as_deref_mut())
                    });
                    all = all.and(like);
                }
                all
            }
            (Expr::Member(inner, name), _) if inner.member(name).is_some() => {
                inner.member(name).map_or(Likeness::Open, |member| self.compare(member, value, search))
            }
            (Expr::List(items), Json::Array(values)) => self.compare_lists(items, values, search),
            (Expr::Merge(parts), Json::Object(values)) => self.compare_merged(parts, values, search),
            (Expr::Concat(parts), Json::String(text)) => self.compare_text(parts, text, search),
            (Expr::Lookup(map, key), _) => {
                if let (Expr::Map(entries), Some(search)) = (&**map, search) {
                    let equal = |expr: &Expr| self.compare(expr, value, None) == Likeness::Equal;
                    let mut same = entries.iter().filter(|(_, expr)| equal(expr));
                    if let (Some((name, _)), None) = (same.next(), same.next()) {
                        self.compare(key, &Json::String(name.clone()), Some(search));
                    }
                }
                Likeness::Open
            }
            _ => match expr.evaluate(self) {
                Some(known) if known == *value => Likeness::Equal,
                Some(_) => Likeness::Different,
                None => Likeness::Open,
            },
        }
    }

    /// A variable for a list stands for any number of items.
    fn compare_lists(
        &self,
        items: &[Expr],
        values: &[Json],
        mut search: Option<&mut Search<'_>>,
    ) -> Likeness {
        if let Some(search) = &mut search
            && let Some(place) = items.iter().position(|item| search.is_list(item))
            && let Some(count) = (values.len() + 1).checked_sub(items.len())
        {
            search.found = Some(Json::Array(values[place..place + count].to_vec()));
            return Likeness::Open;
        }
        if items.len() != values.len() {
            return Likeness::Different;
        }
        let compared =
            items.iter().zip(values).map(|(item, value)| self.compare(item, value, search.as_deref_mut()));
        compared.fold(Likeness::Equal, Likeness::and)
    }

    /// A variable or a lookup in merged maps stands for the entries that no other part has.
    fn compare_merged(
        &self,
        parts: &[Expr],
        values: &serde_json::Map<String, Json>,
        search: Option<&mut Search<'_>>,
    ) -> Likeness {
        let Some(search) = search else { return Likeness::Open };
        let mut rest = values.clone();
        for part in parts {
            if let Expr::Map(entries) = part {
                self.compare(part, &Json::Object(values.clone()), Some(&mut *search));
                rest.retain(|name, _| !entries.contains_key(name));
            } else {
                let known = part.evaluate(self);
                let known = known.as_ref().and_then(Json::as_object);
                rest.retain(|name, _| known.is_none_or(|known| !known.contains_key(name)));
            }
        }
        let rest = Json::Object(rest);
        for part in parts {
            if search.is(part) {
                search.bind(part, &rest);
            } else if matches!(part, Expr::Lookup(..)) {
                self.compare(part, &rest, Some(&mut *search));
            }
        }
        Likeness::Open
    }

    /// A variable in a string stands for the text between the known parts.
    fn compare_text(&self, parts: &[Expr], text: &str, search: Option<&mut Search<'_>>) -> Likeness {
        let known = |parts: &[Expr]| Expr::Concat(parts.to_vec()).evaluate(self);
        if let Some(whole) = known(parts) {
            return if whole == text { Likeness::Equal } else { Likeness::Different };
        }
        if let Some(search) = search
            && let Some(place) = parts.iter().position(|part| search.is(part) || search.is_list(part))
            && let (Some(Json::String(before)), Some(Json::String(after))) =
                (known(&parts[..place]), known(&parts[place + 1..]))
            && let Some(value) =
                text.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()))
        {
            if search.is_list(&parts[place]) {
                search.found = Some(value.split(',').collect());
            } else {
                search.bind(&parts[place], &Json::String(value.to_owned()));
            }
        }
        Likeness::Open
    }
}

impl Likeness {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Different, _) | (_, Self::Different) => Self::Different,
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::Equal, Self::Equal) => Self::Equal,
        }
    }
}

/// The search for the value of a variable. A literal string with the name of the variable stands for it, too.
struct Search<'a> {
    variable: &'a str,
    found: Option<Json>,
}

impl Search<'_> {
    fn is(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Input(name) => name == self.variable,
            Expr::Literal(value) => value == self.variable,
            _ => false,
        }
    }

    fn is_list(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Input(name) if *name == name_of_list(self.variable))
    }

    /// Binds the variable, if the expression is the variable or a string that contains it.
    fn bind(&mut self, expr: &Expr, value: &Json) -> bool {
        let found = match (expr, value) {
            _ if self.is(expr) => Some(value.clone()),
            (Expr::Literal(Json::String(pattern)), Json::String(text)) => {
                pattern.split_once(self.variable).and_then(|(before, after)| {
                    let inner = text.strip_prefix(before)?.strip_suffix(after)?;
                    Some(Json::String(inner.to_owned()))
                })
            }
            _ => None,
        };
        let is_bound = found.is_some();
        if is_bound && self.found.is_none() {
            self.found = found;
        }
        is_bound
    }
}

/// The fields of an object that can be compared: no instructions, and no policies, whose form can differ.
fn compared(object: &Object) -> impl Iterator<Item = (&'static str, &Expr)> {
    object.fields.iter().filter_map(|(name, expr)| {
        let form = object.kind.field(name)?.form;
        (form != Form::Recipe && form != Form::Policy).then_some((*name, expr))
    })
}

impl Scope for Observed<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.context.place(place)
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let settings = self.objects.get(key.as_str())?;
        let kind: &Kind = kinds::ALL.iter().find(|kind| key.slot_of(kind).is_some())?;
        kind.predict(attribute, settings, &|place| self.place(place)).map(Json::from)
    }
}
