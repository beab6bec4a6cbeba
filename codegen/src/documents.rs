//! Reads documents in graphs: the statements of a policy, and the entries of a map in JSON text.

use tandem_model::expr::Expr;

/// A statement of a policy, limited to one of its resources.
pub(crate) struct Statement<'a> {
    actions: &'a [Expr],
    /// The resource, e.g. an ARN.
    pub(crate) resource: &'a Expr,
}

impl<'a> Statement<'a> {
    fn of(statement: &'a Expr) -> Vec<Self> {
        let Expr::Map(statement) = statement else { return Vec::new() };
        let Some(Expr::List(actions)) = statement.get("Action") else { return Vec::new() };
        match statement.get("Resource") {
            Some(Expr::List(all)) => all.iter().map(|resource| Self { actions, resource }).collect(),
            one => one.into_iter().map(|resource| Self { actions, resource }).collect(),
        }
    }

    /// True if the statement contains an action.
    pub(crate) fn names(&self, action: &str) -> bool {
        self.actions.contains(&Expr::from(action))
    }

    /// The ARN of the bucket and the key prefix, if the resource is the objects of a bucket.
    pub(crate) fn objects(&self) -> Option<(&'a Expr, &'a str)> {
        let Expr::Concat(parts) = self.resource else { return None };
        let [bucket, Expr::Literal(keys)] = &parts[..] else { return None };
        Some((bucket, keys.as_str()?.strip_prefix('/')?.strip_suffix('*')?))
    }
}

/// The statements of a policy, one for each resource. Statements without a list of actions are skipped.
pub(crate) fn statements(policy: &Expr) -> impl Iterator<Item = Statement<'_>> {
    let all = match policy {
        Expr::Map(policy) => policy.get("Statement"),
        _ => None,
    };
    let all: &[Expr] = match all {
        Some(Expr::List(statements)) => statements,
        _ => &[],
    };
    all.iter().flat_map(Statement::of)
}

/// The entry of a map that is encoded as JSON text.
pub(crate) fn entry<'a>(text: &'a Expr, name: &str) -> Option<&'a Expr> {
    let Expr::Json(map) = text else { return None };
    let Expr::Map(entries) = &**map else { return None };
    entries.get(name)
}
