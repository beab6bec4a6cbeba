//! Endless loops: a trigger whose effects cause the same trigger again, through any number of edges.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::edge::{Edge, End, Verb};
use crate::finding::{Code, Findings};
use crate::graph::Graph;

/// An edge between two nodes of any type. Equal nodes are the same object or resource.
#[derive(Clone, Debug)]
pub struct Link<'a, N> {
    /// The node where the edge begins.
    pub from: N,
    /// The node where the edge ends.
    pub to: N,
    /// The edge.
    pub edge: &'a Edge,
}

/// Finds endless loops, each as the indexes of its links, in order. The first link of a loop is a trigger, if
/// the loop has one. A loop through an edge with `allow_loop` does not count, and of the loops through one
/// trigger only the shortest is found.
pub fn find<N: Ord>(links: &[Link<'_, N>]) -> Vec<Vec<usize>> {
    find_through(links, |_| true)
}

/// As [`find`], but only loops through links for which `own` is true.
pub fn find_through<N: Ord>(links: &[Link<'_, N>], own: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let mut leaving: BTreeMap<&N, Vec<usize>> = BTreeMap::new();
    for (index, link) in links.iter().enumerate() {
        if link.edge.allow_loop != Some(true) && link.edge.verb.passes_on() {
            leaving.entry(&link.from).or_default().push(index);
        }
    }
    let next = |index: usize| {
        let link = &links[index];
        let all = leaving.get(&link.to).map_or(&[][..], Vec::as_slice).iter().copied();
        all.filter(move |next| link.edge.leads_to(links[*next].edge))
    };
    let all: BTreeSet<usize> = leaving.values().flatten().copied().collect();
    // Triggers first: a loop is reported at its trigger.
    let (triggers, others): (Vec<usize>, Vec<usize>) =
        all.into_iter().filter(|index| own(*index)).partition(|index| is_trigger(links, *index));
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut reported: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
    for start in triggers.into_iter().chain(others) {
        let Some(path) = shortest(start, &next) else { continue };
        // The search from the trigger finds such a loop.
        let has_trigger = path.iter().any(|index| own(*index) && is_trigger(links, *index));
        if has_trigger && !is_trigger(links, start) {
            continue;
        }
        if reported.insert(path.iter().copied().collect()) {
            found.push(path);
        }
    }
    found
}

fn is_trigger<N>(links: &[Link<'_, N>], index: usize) -> bool {
    links[index].edge.verb == Verb::Triggers
}

/// The shortest path from a link back to itself.
fn shortest<I: Iterator<Item = usize>>(start: usize, next: &impl Fn(usize) -> I) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(index) = queue.pop_front() {
        for follower in next(index) {
            if follower == start {
                let mut path = vec![index];
                while let Some(earlier) = path.last().filter(|last| **last != start).map(|last| before[last])
                {
                    path.push(earlier);
                }
                path.reverse();
                return Some(path);
            }
            if let Entry::Vacant(vacant) = before.entry(follower) {
                vacant.insert(index);
                queue.push_back(follower);
            }
        }
    }
    None
}

/// Message and help for a loop. `name` gives the name of a node.
pub fn describe<N>(links: &[Link<'_, N>], path: &[usize], name: impl Fn(&N) -> String) -> (String, String) {
    let sentences = path.iter().map(|index| {
        let Link { from, to, edge } = &links[*index];
        let (from, to) = (name(from), name(to));
        let keys = edge.objects.as_ref().map(|objects| &objects.keys);
        let keys = keys.filter(|keys| !keys.prefix.is_empty() || !keys.suffix.is_empty());
        let keys = keys.map(|keys| format!(" (keys {:?})", format!("{}*{}", keys.prefix, keys.suffix)));
        let keys = keys.unwrap_or_default();
        match edge.verb {
            Verb::Triggers => format!("{from} triggers {to}{keys}"),
            Verb::Reads => format!("{from} reads {to}{keys}"),
            Verb::Writes => format!("{from} writes to {to}{keys}"),
            Verb::Sends => format!("{from} sends to {to}"),
            Verb::Invokes => format!("{from} invokes {to}"),
            Verb::Starts => format!("{from} starts {to}"),
            Verb::FailsTo => format!("failed events of {from} go to {to}"),
        }
    });
    let sentences: Vec<String> = sentences.collect();
    let message = format!("an endless loop: {}", sentences.join(", "));
    let through_bucket = path.iter().any(|index| links[*index].edge.objects.is_some());
    let fix = if through_bucket {
        "Set prefixes or suffixes so that no written object matches the trigger"
    } else {
        "Remove one of these connections"
    };
    let can_be_accepted = path.iter().any(|index| links[*index].edge.allow_loop.is_some());
    let accept = " If the loop is intended and ends, set `allow_loop` to `true` on the trigger.";
    (message, format!("{fix}.{}", if can_be_accepted { accept } else { "" }))
}

/// Reports the loops within a graph, each at the input of its trigger. Ends are compared as expressions: an
/// unknown value is no resource.
pub fn check(graph: &Graph, findings: &mut Findings) {
    let node = |end: &End| match end {
        End::Object(key) => Some(key.to_string()),
        End::Resource(_, expr) => expr.as_text().map(|text| base(text).to_owned()),
    };
    let edges = graph.edges().iter();
    let links: Vec<Link<'_, String>> =
        edges.filter_map(|edge| Some(Link { from: node(&edge.from)?, to: node(&edge.to)?, edge })).collect();
    for path in find(&links) {
        let (message, help) = describe(&links, &path, |name| format!("`{name}`"));
        findings.error(Code::Loop, links[path[0]].edge.path.clone(), message, help);
    }
}

/// The ARN of a table from that of its stream; any other text as is.
pub fn base(arn: &str) -> &str {
    arn.split_once("/stream/").filter(|_| arn.contains(":table/")).map_or(arn, |(table, _)| table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::{Event, KeyPattern, ObjectFilter};

    const FUNCTION: &str = "lambda_function.f";

    fn object(key: &str) -> End {
        End::Object(key.into())
    }

    fn keys(prefix: &str, suffix: &str) -> ObjectFilter {
        ObjectFilter::created(KeyPattern::new(prefix, suffix))
    }

    /// The loops of these edges, as keys of nodes.
    fn loops(edges: &[Edge]) -> Vec<String> {
        let name = |end: &End| match end {
            End::Object(key) => key.to_string(),
            End::Resource(..) => panic!("an object"),
        };
        let links: Vec<Link<'_, String>> =
            edges.iter().map(|edge| Link { from: name(&edge.from), to: name(&edge.to), edge }).collect();
        let names =
            |path: &Vec<usize>| path.iter().map(|index| links[*index].from.clone()).collect::<Vec<_>>();
        find(&links).iter().map(|path| names(path).join(" ")).collect()
    }

    #[test]
    fn keys_that_cannot_match_end_a_loop() {
        for (trigger, write, expected) in [
            (keys("", ""), keys("", ""), true),
            (keys("in/", ""), keys("in/made/", ""), true),
            (keys("in/", ""), keys("out/", ""), false),
            (keys("", ".mp4"), keys("", ".jpg"), false),
            (keys("", ".mp4"), keys("", ""), true),
            (ObjectFilter { created: false, ..keys("", "").or_removed() }, keys("", ""), false),
            (ObjectFilter { created: false, ..keys("", "").or_removed() }, keys("", "").or_removed(), true),
        ] {
            let edges = [
                Edge::new(object("s3_bucket.b"), Verb::Triggers, object(FUNCTION))
                    .event(Event::Object)
                    .objects(trigger.clone()),
                Edge::new(object(FUNCTION), Verb::Writes, object("s3_bucket.b")).objects(write.clone()),
            ];
            assert_eq!(!loops(&edges).is_empty(), expected, "{trigger:?} {write:?}");
        }
    }

    #[test]
    fn every_verb_but_reading_passes_an_event_on() {
        for verb in [
            Verb::Reads,
            Verb::Writes,
            Verb::Sends,
            Verb::Invokes,
            Verb::Starts,
            Verb::FailsTo,
            Verb::Triggers,
        ] {
            let edges = [
                Edge::new(object("a.a"), Verb::Triggers, object(FUNCTION)),
                Edge::new(object(FUNCTION), verb, object("b.b")),
                Edge::new(object("b.b"), Verb::Starts, object("a.a")),
            ];
            let expected: &[&str] = if verb == Verb::Reads { &[] } else { &["a.a lambda_function.f b.b"] };
            assert_eq!(loops(&edges), expected, "{verb:?}");
        }
    }

    #[test]
    fn an_accepted_trigger_ends_every_loop_through_it() {
        let edges = |accepted| {
            [
                Edge::new(object("sqs_queue.q"), Verb::Triggers, object(FUNCTION)).allow_loop(Some(accepted)),
                Edge::new(object(FUNCTION), Verb::Sends, object("sqs_queue.q")),
                Edge::new(object(FUNCTION), Verb::FailsTo, object("sqs_queue.q")),
            ]
        };
        assert_eq!(loops(&edges(false)), ["sqs_queue.q lambda_function.f"]);
        assert_eq!(loops(&edges(true)), <[&str; 0]>::default());
    }

    #[test]
    fn a_loop_without_a_trigger_is_found_once() {
        let edges = [
            Edge::new(object("lambda_function.a"), Verb::Invokes, object("lambda_function.b")),
            Edge::new(object("lambda_function.b"), Verb::Invokes, object("lambda_function.a")),
        ];
        assert_eq!(loops(&edges), ["lambda_function.a lambda_function.b"]);
    }
}
