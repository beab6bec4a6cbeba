//! The edge from something that starts tasks to the task: a handle in JSON, and what it permits.

use serde_json::Value as Json;

use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::policy::Grant;
use crate::scalar::Scalar;

/// The variable in which a function finds the handles of the tasks that it may start.
pub(super) const LAUNCHES: &str = "TANDEM_LAUNCHES";

/// A task that may be started.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The handle: all that a call of RunTask needs, as JSON text.
    pub(super) handle: Expr,
    target: Option<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    task_definition: Expr,
    cluster: Expr,
    /// A list of ARNs.
    roles: Expr,
}

/// What a handle says.
pub(super) struct Members {
    pub(super) task_definition: Expr,
    pub(super) cluster: Expr,
    pub(super) container: Expr,
    /// Ids with commas in between.
    pub(super) subnets: Expr,
    /// Ids with commas in between.
    pub(super) security_groups: Expr,
    pub(super) assign_public_ip: Expr,
    pub(super) capacity: Expr,
}

impl Launch {
    /// A task of the same graph: its handle, the ARN of its task definition without revision, of its
    /// cluster and of its roles.
    pub(super) fn new(handle: Expr, task_definition: Expr, cluster: Expr, roles: Vec<Expr>) -> Self {
        Self { handle, target: Some(Target { task_definition, cluster, roles: Expr::List(roles) }) }
    }

    /// What whoever starts it must be allowed.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let Some(target) = &self.target else { return Vec::new() };
        vec![
            Grant::RunTask(target.task_definition.clone(), target.cluster.clone()),
            Grant::PassTaskRoles(target.roles.clone()),
        ]
    }

    /// What whoever starts it and waits for its end must be allowed.
    pub(super) fn grants_to_wait(&self) -> Vec<Grant> {
        let mut grants = self.grants();
        if let Some(target) = &self.target {
            grants.extend([Grant::WatchTasks(target.cluster.clone()), Grant::TaskEvents]);
        }
        grants
    }

    /// What its handle says, each as an expression.
    pub(super) fn members(&self) -> Members {
        let member = |name| Expr::Member(Box::new(self.handle.clone()), name);
        Members {
            task_definition: member("task_definition"),
            cluster: member("cluster"),
            container: member("container"),
            subnets: member("subnets"),
            security_groups: member("security_groups"),
            assign_public_ip: member("assign_public_ip"),
            capacity: member("capacity"),
        }
    }

    /// Whether it is known what must be allowed.
    pub(super) fn is_known(&self) -> bool {
        self.target.is_some()
    }

    /// A task of another module: what its handle says once it is known.
    fn of_member(handle: Expr) -> Self {
        let member = |name| Expr::Member(Box::new(handle.clone()), name);
        // The list of roles stands as one expression.
        let (task_definition, cluster, roles) =
            (member("task_definition"), member("cluster"), member("roles"));
        Self { handle, target: Some(Target { task_definition, cluster, roles }) }
    }

    fn parse(text: &str) -> Option<Self> {
        let handle: Json = serde_json::from_str(text).ok()?;
        let arn = |name: &str| {
            let arn = handle.get(name)?.as_str().filter(|text| text.starts_with("arn:"))?;
            Some(Expr::from(arn))
        };
        let roles = handle.get("roles")?.as_array()?.iter();
        let roles = roles.map(|role| role.as_str().map(Expr::from)).collect::<Option<Vec<_>>>()?;
        Some(Self::new(text.into(), arn("task_definition")?, arn("cluster")?, roles))
    }
}

/// Reads the handles of an input `launches`.
pub(super) fn read(handles: &[Scalar<String>], findings: &mut Findings) -> Vec<Launch> {
    let handles = handles.iter().enumerate();
    let at = |index| Path::field("launches").join(Step::Index(index));
    handles.map(|(index, handle)| read_one(handle, at(index), findings)).collect()
}

/// Reads a handle.
pub(super) fn read_one(handle: &Scalar<String>, at: Path, findings: &mut Findings) -> Launch {
    let unknown = Launch { handle: handle.into(), target: None };
    let text = match handle {
        Scalar::Known(text) => text,
        Scalar::Reference(_) => return Launch::of_member(handle.into()),
        Scalar::Unknown => return unknown,
    };
    Launch::parse(text).unwrap_or_else(|| {
        let help = "Give the output `launch` of a `container_task`.";
        findings.error(Code::WrongType, at, "this is not the handle of a task", help);
        unknown
    })
}

/// The handles as one JSON list.
pub(super) fn list(launches: &[Launch]) -> Expr {
    let mut parts = vec![Expr::from("[")];
    for (index, launch) in launches.iter().enumerate() {
        if index > 0 {
            parts.push(",".into());
        }
        parts.push(launch.handle.clone());
    }
    parts.push("]".into());
    Expr::Concat(parts)
}
