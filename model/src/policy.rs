//! Least-privilege policies, derived from edges: what an object does to another says which actions
//! it needs, here and nowhere else.

use serde_json::json;

use crate::expr::{Expr, Place};

/// An edge from a role to something that it uses.
#[derive(Clone, Debug)]
pub enum Grant {
    /// Writes to a log group (its ARN). Never creates it: a late write would bring it back.
    WriteLogs(Expr),
    /// Sends to a queue (its ARN).
    SendMessages(Expr),
    /// Reads a queue (its ARN) through an event source mapping.
    ConsumeQueue(Expr),
    /// Invokes a function (its ARN).
    InvokeFunction(Expr),
    /// Reads what a key (its ARN) encrypted, and encrypts with it.
    UseKey(Expr),
    /// Reads objects (the ARN of a bucket, and a prefix of keys).
    ReadObjects(Expr, String),
    /// Writes objects (the ARN of a bucket, and a prefix of keys).
    WriteObjects(Expr, String),
    /// Pulls images of a repository (its ARN).
    PullImages(Expr),
    /// Logs in to ECR: the token is the account's, so there is no resource to name.
    LogInToRegistry,
    /// Reads secrets of Secrets Manager (their ARNs).
    ReadSecrets(Vec<Expr>),
    /// Reads parameters of Systems Manager (their ARNs).
    ReadParameters(Vec<Expr>),
    /// Starts tasks of a family (the ARN of its task definition without revision) on a cluster (its ARN).
    RunTask(Expr, Expr),
    /// Gives these roles (a list of their ARNs) to the tasks that it starts.
    PassTaskRoles(Expr),
}

/// Actions for which IAM has no resource-level permission, so that `*` is right.
pub const WITHOUT_RESOURCE: &[&str] = &["ecr:GetAuthorizationToken"];

impl Grant {
    fn statement(&self) -> Expr {
        let (sid, actions, resource): (_, &[&str], Expr) = match self {
            Self::WriteLogs(group) => (
                "WriteLogs",
                &["logs:CreateLogStream", "logs:PutLogEvents"],
                // The stream is made in the group, and the events are put into the stream.
                Expr::list([group.clone(), Expr::concat([group.clone(), ":*".into()])]),
            ),
            Self::SendMessages(queue) => ("SendMessages", &["sqs:SendMessage"], queue.clone()),
            Self::ConsumeQueue(queue) => (
                "ConsumeQueue",
                &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                queue.clone(),
            ),
            Self::InvokeFunction(function) => {
                ("InvokeFunction", &["lambda:InvokeFunction"], function.clone())
            }
            Self::UseKey(key) => ("UseKey", &["kms:Decrypt", "kms:GenerateDataKey"], key.clone()),
            Self::ReadObjects(bucket, prefix) => ("ReadObjects", &["s3:GetObject"], objects(bucket, prefix)),
            Self::WriteObjects(bucket, prefix) => {
                ("WriteObjects", &["s3:PutObject"], objects(bucket, prefix))
            }
            Self::PullImages(repository) => {
                let pull: &[&str] = &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
                ("PullImages", pull, repository.clone())
            }
            Self::LogInToRegistry => ("LogInToRegistry", &["ecr:GetAuthorizationToken"], "*".into()),
            Self::ReadSecrets(secrets) => {
                ("ReadSecrets", &["secretsmanager:GetSecretValue"], Expr::List(secrets.clone()))
            }
            Self::ReadParameters(parameters) => {
                ("ReadParameters", &["ssm:GetParameters"], Expr::List(parameters.clone()))
            }
            Self::RunTask(family, _) => {
                ("RunTask", &["ecs:RunTask"], Expr::concat([family.clone(), ":*".into()]))
            }
            Self::PassTaskRoles(roles) => ("PassTaskRoles", &["iam:PassRole"], roles.clone()),
        };
        let mut statement = vec![
            ("Sid", Expr::from(sid)),
            ("Effect", "Allow".into()),
            ("Action", Expr::list(actions.iter().copied())),
            ("Resource", resource),
        ];
        let condition = match self {
            Self::RunTask(_, cluster) => Some(("ArnEquals", "ecs:cluster", cluster.clone())),
            Self::PassTaskRoles(_) => {
                Some(("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com".into()))
            }
            _ => None,
        };
        if let Some((operator, key, value)) = condition {
            statement.push(("Condition", Expr::map([(operator, Expr::map([(key, value)]))])));
        }
        Expr::map(statement)
    }
}

fn objects(bucket: &Expr, prefix: &str) -> Expr {
    Expr::concat([bucket.clone(), format!("/{prefix}*").into()])
}

/// The policy of a role with these edges; grants of one kind get numbered statements.
pub fn identity(grants: &[Grant]) -> Expr {
    let mut statements: Vec<Expr> = Vec::new();
    let mut sids: Vec<String> = Vec::new();
    for grant in grants {
        let Expr::Map(mut statement) = grant.statement() else { unreachable!("a statement is a map") };
        let Some(Expr::Literal(sid)) = statement.get("Sid") else { unreachable!("a statement has a Sid") };
        let sid = sid.as_str().unwrap_or_default().to_owned();
        let count = sids.iter().filter(|known| **known == sid).count();
        if count > 0 {
            statement.insert("Sid".to_owned(), format!("{sid}{}", count + 1).into());
        }
        sids.push(sid);
        statements.push(Expr::Map(statement));
    }
    document(statements)
}

/// The policy that lets a service take a role, for work of this account only where the service
/// says for whom it works.
pub fn trust(service: &str, source_account: bool) -> Expr {
    let mut statement = vec![
        ("Effect", Expr::from("Allow")),
        ("Principal", Expr::map([("Service", service)])),
        ("Action", "sts:AssumeRole".into()),
    ];
    if source_account {
        let condition = Expr::map([("aws:SourceAccount", Expr::Place(Place::Account))]);
        statement.push(("Condition", Expr::map([("StringEquals", condition)])));
    }
    document(vec![Expr::map(statement)])
}

/// The policy that refuses everything not sent over TLS.
pub fn tls_only(service: &str, resources: Vec<Expr>) -> Expr {
    document(vec![deny_insecure_transport(service, resources)])
}

/// The policy of a queue that a rule (its ARN) sends to, and that refuses what is not sent over TLS.
pub fn queue_of_rule(queue: &Expr, rule: Expr) -> Expr {
    let send = Expr::map([
        ("Sid", Expr::from("SendFromRule")),
        ("Effect", "Allow".into()),
        ("Principal", Expr::map([("Service", "events.amazonaws.com")])),
        ("Action", "sqs:SendMessage".into()),
        ("Resource", queue.clone()),
        ("Condition", Expr::map([("ArnEquals", Expr::map([("aws:SourceArn", rule)]))])),
    ]);
    document(vec![send, deny_insecure_transport("sqs", vec![queue.clone()])])
}

fn deny_insecure_transport(service: &str, resources: Vec<Expr>) -> Expr {
    let condition = Expr::map([("Bool", Expr::map([("aws:SecureTransport", "false")]))]);
    Expr::map([
        ("Sid", Expr::from("DenyInsecureTransport")),
        ("Effect", "Deny".into()),
        ("Principal", Expr::Literal(json!({ "AWS": "*" }))),
        ("Action", format!("{service}:*").into()),
        ("Resource", if resources.len() == 1 { resources[0].clone() } else { Expr::List(resources) }),
        ("Condition", condition),
    ])
}

fn document(statements: Vec<Expr>) -> Expr {
    Expr::map([("Version", Expr::from("2012-10-17")), ("Statement", Expr::List(statements))])
}
