//! What documents in graphs hold: the statements of a policy, and the entries of a map in JSON text.

use tandem_model::expr::Expr;

/// What a statement of a policy says of one thing.
pub(crate) struct Statement<'a> {
    actions: &'a [Expr],
    /// The thing.
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

    /// Whether it names an action.
    pub(crate) fn names(&self, action: &str) -> bool {
        self.actions.contains(&Expr::from(action))
    }

    /// The ARN of the bucket and what the keys begin with, where it is about objects.
    pub(crate) fn objects(&self) -> Option<(&'a Expr, &'a str)> {
        let Expr::Concat(parts) = self.resource else { return None };
        let [bucket, Expr::Literal(keys)] = &parts[..] else { return None };
        Some((bucket, keys.as_str()?.strip_prefix('/')?.strip_suffix('*')?))
    }
}

/// What the statements of a policy say that list their actions, as those of roles do.
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

/// An entry of a map that stands there as JSON text.
pub(crate) fn entry<'a>(text: &'a Expr, name: &str) -> Option<&'a Expr> {
    let Expr::Json(map) = text else { return None };
    let Expr::Map(entries) = &**map else { return None };
    entries.get(name)
}
