//! The edge from a function or workflow to a task that it starts: a handle in JSON, and the grants.

use serde_json::Value as Json;

use crate::capacity;
use crate::edge::{End, ResourceType};
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::policy::Grant;
use crate::scalar::Scalar;

/// A task that may be started.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The handle: a string of JSON with everything that a call of RunTask needs.
    pub(super) handle: Expr,
    /// The task, as the end of an edge.
    pub(super) end: End,
    target: Option<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    task_definition: Expr,
    cluster: Expr,
    /// A list of ARNs.
    roles: Expr,
}

/// The members of a handle.
pub(super) struct Members {
    pub(super) task_definition: Expr,
    pub(super) cluster: Expr,
    pub(super) container: Expr,
    /// Ids, separated by commas.
    pub(super) subnets: Expr,
    /// Ids, separated by commas.
    pub(super) security_groups: Expr,
    pub(super) assign_public_ip: Expr,
    /// A word, see [`capacity`]: a literal if it is known before the apply.
    pub(super) capacity: Expr,
}

impl Launch {
    /// A task: its handle, the ARNs of its task definition (without a revision), cluster and roles, and its
    /// end of an edge.
    pub(super) fn new(
        handle: Expr,
        task_definition: Expr,
        cluster: Expr,
        roles: Vec<Expr>,
        end: End,
    ) -> Self {
        Self { handle, end, target: Some(Target { task_definition, cluster, roles: Expr::List(roles) }) }
    }

    /// The grants of a role that starts the task.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let Some(target) = &self.target else { return Vec::new() };
        vec![
            Grant::RunTask(target.task_definition.clone(), target.cluster.clone()),
            Grant::PassTaskRoles(target.roles.clone()),
        ]
    }

    /// The grants of a role that starts the task and waits until it ends.
    pub(super) fn grants_to_wait(&self) -> Vec<Grant> {
        let mut grants = self.grants();
        if let Some(target) = &self.target {
            grants.extend([Grant::WatchTasks(target.cluster.clone()), Grant::TaskEvents]);
        }
        grants
    }

    /// The members of the handle, as expressions.
    pub(super) fn members(&self) -> Members {
        let member = |name| Expr::Member(Box::new(self.handle.clone()), name);
        Members {
            task_definition: member("task_definition"),
            cluster: member("cluster"),
            container: member("container"),
            subnets: member("subnets"),
            security_groups: member("security_groups"),
            assign_public_ip: member("assign_public_ip"),
            capacity: self.capacity().map_or_else(|| member("capacity"), Expr::from),
        }
    }

    /// The capacity, if it is known before the apply.
    fn capacity(&self) -> Option<String> {
        match self.handle.as_text() {
            Some(text) => {
                let handle: Json = serde_json::from_str(text).ok()?;
                handle.get("capacity")?.as_str().map(ToOwned::to_owned)
            }
            None => self.handle.member("capacity")?.as_text().map(ToOwned::to_owned),
        }
    }

    /// True if the ARNs are known from which the grants follow.
    pub(super) fn is_known(&self) -> bool {
        self.target.is_some()
    }

    /// A task of another module: expressions read the members of its handle at apply.
    fn of_member(handle: Expr) -> Self {
        let member = |name| Expr::Member(Box::new(handle.clone()), name);
        // `roles` is one expression that gives the whole list.
        let (task_definition, cluster, roles) =
            (member("task_definition"), member("cluster"), member("roles"));
        let end = End::Resource(ResourceType::Task, task_definition.clone());
        Self { handle, end, target: Some(Target { task_definition, cluster, roles }) }
    }

    fn parse(text: &str) -> Option<Self> {
        let handle: Json = serde_json::from_str(text).ok()?;
        let arn = |name: &str| {
            let arn = handle.get(name)?.as_str().filter(|text| text.starts_with("arn:"))?;
            Some(Expr::from(arn))
        };
        capacity::of(handle.get("capacity")?.as_str()?)?;
        let roles = handle.get("roles")?.as_array()?.iter();
        let roles = roles.map(|role| role.as_str().map(Expr::from)).collect::<Option<Vec<_>>>()?;
        let task_definition = arn("task_definition")?;
        let end = End::Resource(ResourceType::Task, task_definition.clone());
        Some(Self::new(text.into(), task_definition, arn("cluster")?, roles, end))
    }
}

/// Reads the handles of an input `launches`.
pub(super) fn read(handles: &[Scalar<String>], findings: &mut Findings) -> Vec<Launch> {
    let handles = handles.iter().enumerate();
    let at = |index| Path::field("launches").join(Step::Index(index));
    handles.map(|(index, handle)| read_one(handle, at(index), findings)).collect()
}

/// Reads a handle. A value that is not a handle is a finding at this path.
pub(super) fn read_one(handle: &Scalar<String>, at: Path, findings: &mut Findings) -> Launch {
    let end = End::Resource(ResourceType::Task, Expr::Unknown);
    let unknown = Launch { handle: handle.into(), end, target: None };
    let text = match handle {
        Scalar::Known(text) => text,
        Scalar::Reference(_) => return Launch::of_member(handle.into()),
        Scalar::Unknown => return unknown,
    };
    Launch::parse(text).unwrap_or_else(|| {
        let help = "Set it to the output `launch` of a `container_task`.";
        findings.error(
            Code::WrongType,
            at,
            "the value is not the `launch` output of a `container_task`",
            help,
        );
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
