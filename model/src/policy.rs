//! Least-privilege policies, derived from edges. This is the only place with the IAM actions of an edge.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::edge::KeyPattern;
use crate::expr::{Ambient, Expr};

/// An edge from a role to a resource that it uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Grant {
    /// Writes to a log group (its ARN). It cannot create the group: a late write would create it again.
    WriteLogs(Expr),
    /// Sends to a queue (its ARN).
    SendMessages(Expr),
    /// Reads a queue (its ARN) through an event source mapping.
    ConsumeQueue(Expr),
    /// Reads a Kinesis stream (its ARN) through an event source mapping.
    ConsumeStream(Expr),
    /// Reads the stream of a table (the stream's ARN) through an event source mapping.
    ConsumeTableStream(Expr),
    /// Publishes to a topic (its ARN).
    Publish(Expr),
    /// Sends events to an event bus (its ARN).
    PutEvents(Expr),
    /// Puts records into a stream (its ARN).
    PutRecords(Expr),
    /// Reads items of a table (its ARN).
    ReadItems(Expr),
    /// Writes items of a table (its ARN).
    WriteItems(Expr),
    /// Starts executions of a state machine (its ARN).
    StartExecution(Expr),
    /// Watches and stops executions (the ARN of the executions of a state machine, without their names).
    WatchExecutions(Expr),
    /// Watches and stops tasks of a cluster (its ARN).
    WatchTasks(Expr),
    /// Receives an event when a task ends, through the EventBridge rule of Step Functions.
    TaskEvents,
    /// Delivers its logs. These actions have no resource-level permissions.
    DeliverLogs,
    /// Traces with X-Ray. These actions have no resource-level permissions.
    Trace,
    /// Invokes a function (its ARN).
    InvokeFunction(Expr),
    /// Encrypts and decrypts with a KMS key (its ARN).
    UseKey(Expr),
    /// Reads objects (the ARN of a bucket, and their keys).
    ReadObjects(Expr, KeyPattern),
    /// Writes objects (the ARN of a bucket, and their keys).
    WriteObjects(Expr, KeyPattern),
    /// Writes, tags and deletes objects (the ARN of a bucket, and their keys).
    ChangeObjects(Expr, KeyPattern),
    /// Calls an action that has no resource-level permissions.
    Call(&'static str),
    /// Pulls images of a repository (its ARN).
    PullImages(Expr),
    /// Logs in to ECR. The token is for the whole account, so there is no resource.
    LogInToRegistry,
    /// Reads secrets of Secrets Manager (their ARNs).
    ReadSecrets(Vec<Expr>),
    /// Reads parameters of Systems Manager (their ARNs).
    ReadParameters(Vec<Expr>),
    /// Starts tasks of a family (the ARN of its task definition without revision) on a cluster (its ARN).
    RunTask(Expr, Expr),
    /// Passes these roles (a list of their ARNs) to the tasks that it starts.
    PassTaskRoles(Expr),
}

/// Actions without resource-level permissions, so that `*` is the right resource.
pub const WITHOUT_RESOURCE: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "logs:CreateLogDelivery",
    "rekognition:DetectFaces",
    "rekognition:DetectLabels",
    "rekognition:DetectModerationLabels",
    "rekognition:DetectText",
    "xray:PutTraceSegments",
];

/// The actions of these that a function can use.
pub const CALLS: &[&str] = &[
    "rekognition:DetectFaces",
    "rekognition:DetectLabels",
    "rekognition:DetectModerationLabels",
    "rekognition:DetectText",
];

impl Grant {
    fn statements(&self) -> Vec<Expr> {
        let mut statements = vec![self.statement()];
        // Lambda demands this action for an event source mapping. It applies to no resource.
        if matches!(self, Self::ConsumeTableStream(_)) {
            statements.push(Expr::map([
                ("Sid", Expr::from("ListTableStreams")),
                ("Effect", "Allow".into()),
                ("Action", Expr::list(["dynamodb:ListStreams"])),
                ("Resource", "*".into()),
            ]));
        }
        statements
    }

    fn statement(&self) -> Expr {
        let (sid, actions, resource): (_, &[&str], Expr) = match self {
            Self::WriteLogs(group) => (
                "WriteLogs",
                &["logs:CreateLogStream", "logs:PutLogEvents"],
                // Both actions apply to log streams.
                Expr::concat([group.clone(), ":*".into()]),
            ),
            Self::SendMessages(queue) => ("SendMessages", &["sqs:SendMessage"], queue.clone()),
            Self::ConsumeQueue(queue) => (
                "ConsumeQueue",
                &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                queue.clone(),
            ),
            Self::ConsumeStream(stream) => (
                "ConsumeStream",
                &[
                    "kinesis:DescribeStream",
                    "kinesis:DescribeStreamSummary",
                    "kinesis:GetRecords",
                    "kinesis:GetShardIterator",
                    "kinesis:ListShards",
                ],
                stream.clone(),
            ),
            Self::ConsumeTableStream(stream) => (
                "ConsumeTableStream",
                &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                stream.clone(),
            ),
            Self::Publish(topic) => ("Publish", &["sns:Publish"], topic.clone()),
            Self::PutEvents(bus) => ("PutEvents", &["events:PutEvents"], bus.clone()),
            Self::PutRecords(stream) => {
                ("PutRecords", &["kinesis:PutRecord", "kinesis:PutRecords"], stream.clone())
            }
            Self::ReadItems(table) => (
                "ReadItems",
                &["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
                table.clone(),
            ),
            Self::WriteItems(table) => (
                "WriteItems",
                &[
                    "dynamodb:BatchWriteItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                ],
                table.clone(),
            ),
            Self::StartExecution(machine) => ("StartExecution", &["states:StartExecution"], machine.clone()),
            Self::WatchExecutions(executions) => (
                "WatchExecutions",
                &["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"],
                // In the ARN of an execution of a map, the label or the name of the map follows the state
                // machine after a slash.
                Expr::list([":*", "/*"].map(|all| Expr::concat([executions.clone(), all.into()]))),
            ),
            Self::WatchTasks(_) => {
                ("WatchTasks", &["ecs:DescribeTasks", "ecs:StopTask"], Expr::arn("ecs", "task/*"))
            }
            Self::TaskEvents => (
                "TaskEvents",
                &["events:DescribeRule", "events:PutRule", "events:PutTargets"],
                Expr::arn("events", "rule/StepFunctionsGetEventsForECSTaskRule"),
            ),
            Self::DeliverLogs => (
                "DeliverLogs",
                &[
                    "logs:CreateLogDelivery",
                    "logs:DeleteLogDelivery",
                    "logs:DescribeLogGroups",
                    "logs:DescribeResourcePolicies",
                    "logs:GetLogDelivery",
                    "logs:ListLogDeliveries",
                    "logs:PutResourcePolicy",
                    "logs:UpdateLogDelivery",
                ],
                "*".into(),
            ),
            Self::Trace => (
                "Trace",
                &[
                    "xray:GetSamplingRules",
                    "xray:GetSamplingTargets",
                    "xray:PutTelemetryRecords",
                    "xray:PutTraceSegments",
                ],
                "*".into(),
            ),
            Self::InvokeFunction(function) => {
                ("InvokeFunction", &["lambda:InvokeFunction"], function.clone())
            }
            Self::UseKey(key) => ("UseKey", &["kms:Decrypt", "kms:GenerateDataKey"], key.clone()),
            Self::ReadObjects(bucket, keys) => (
                "ReadObjects",
                // A copy needs the tags, too.
                &["s3:GetObject", "s3:GetObjectTagging"],
                objects(bucket, keys),
            ),
            Self::WriteObjects(bucket, keys) => ("WriteObjects", &["s3:PutObject"], objects(bucket, keys)),
            Self::ChangeObjects(bucket, keys) => (
                "ChangeObjects",
                &["s3:DeleteObject", "s3:PutObject", "s3:PutObjectTagging"],
                objects(bucket, keys),
            ),
            Self::Call(action) => ("Call", std::slice::from_ref(action), "*".into()),
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
            Self::RunTask(_, cluster) | Self::WatchTasks(cluster) => {
                Some(("ArnEquals", "ecs:cluster", cluster.clone()))
            }
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

fn objects(bucket: &Expr, keys: &KeyPattern) -> Expr {
    Expr::concat([bucket.clone(), format!("/{}*{}", keys.prefix, keys.suffix).into()])
}

/// The policy of a role with these edges. Grants that differ only in the resource share a statement, since
/// AWS limits the length of policies. Other grants of the same kind get numbered statements.
pub fn identity(grants: &[Grant]) -> Expr {
    let mut statements: Vec<BTreeMap<String, Expr>> = Vec::new();
    let mut sids: Vec<Expr> = Vec::new();
    for statement in grants.iter().flat_map(Grant::statements) {
        let Expr::Map(mut statement) = statement else { unreachable!("a statement is a map") };
        let sid = statement["Sid"].clone();
        let alike = statements.iter_mut().zip(&sids).find(|(other, known)| {
            **known == sid
                && items(&other["Resource"]).is_some()
                && ["Action", "Condition"].iter().all(|part| other.get(*part) == statement.get(*part))
        });
        if let Some((other, _)) = alike
            && let (Some(mut all), Some(more)) = (items(&other["Resource"]), items(&statement["Resource"]))
        {
            let new: Vec<Expr> = more.into_iter().filter(|item| !all.contains(item)).collect();
            all.extend(new);
            other.insert("Resource".to_owned(), one_or_list(all));
            continue;
        }
        let count = sids.iter().filter(|known| **known == sid).count();
        if let (true, Expr::Literal(Json::String(name))) = (count > 0, &sid) {
            statement.insert("Sid".to_owned(), format!("{name}{}", count + 1).into());
        }
        sids.push(sid);
        statements.push(statement);
    }
    document(statements.into_iter().map(Expr::Map).collect())
}

/// The items of a list, or a single value as the only item; `None` for an expression that becomes a list
/// later.
fn items(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::List(items) => Some(items.clone()),
        Expr::Member(..) | Expr::Merge(_) => None,
        one => Some(vec![one.clone()]),
    }
}

/// A single item as is, as AWS writes it; several items as a list.
fn one_or_list(mut items: Vec<Expr>) -> Expr {
    if items.len() == 1 { items.swap_remove(0) } else { Expr::List(items) }
}

/// The trust policy that lets a service assume a role. With `source_account` only for requests of this
/// account, if the service sends `aws:SourceAccount`.
pub fn trust(service: &str, source_account: bool) -> Expr {
    trust_of(&[service], source_account)
}

/// The same for several services.
pub fn trust_of(services: &[&str], source_account: bool) -> Expr {
    let named = match services {
        [service] => Expr::from(*service),
        services => Expr::list(services.iter().copied()),
    };
    let mut statement = vec![
        ("Effect", Expr::from("Allow")),
        ("Principal", Expr::map([("Service", named)])),
        ("Action", "sts:AssumeRole".into()),
    ];
    if source_account {
        let condition = Expr::map([("aws:SourceAccount", Expr::Ambient(Ambient::Account))]);
        statement.push(("Condition", Expr::map([("StringEquals", condition)])));
    }
    document(vec![Expr::map(statement)])
}

/// The policy of a bucket that denies every request without TLS.
pub fn tls_only(resources: Vec<Expr>) -> Expr {
    document(vec![deny_insecure_transport("s3:*", resources)])
}

/// The sources for which a service may send.
#[derive(Clone, Debug)]
pub enum On {
    /// This source (its ARN).
    Source(Expr),
    /// Every source in this account.
    Account,
}

/// The policy of a queue (`sqs`) or a topic (`sns`). It allows the given services to send, and denies every
/// request without TLS.
pub fn receiver(service: &str, receiver: &Expr, senders: &[(&str, On)]) -> Expr {
    let action = if service == "sqs" { "sqs:SendMessage" } else { "sns:Publish" };
    let mut statements: Vec<Expr> = Vec::new();
    // One statement for each service: AWS allows ten conditions in a policy.
    let mut groups: Vec<(&str, Option<Vec<Expr>>)> = Vec::new();
    for (sender, on) in senders {
        match (on, groups.iter_mut().find(|(known, sources)| known == sender && sources.is_some())) {
            (On::Source(source), Some((_, Some(sources)))) => sources.push(source.clone()),
            (On::Source(source), _) => groups.push((sender, Some(vec![source.clone()]))),
            (On::Account, _) => groups.push((sender, None)),
        }
    }
    for (index, (sender, sources)) in groups.into_iter().enumerate() {
        let number = if index == 0 { String::new() } else { (index + 1).to_string() };
        let condition = match sources {
            Some(sources) => Some(("ArnEquals", Expr::map([("aws:SourceArn", one_or_list(sources))]))),
            // EventBridge sends neither account nor rule to a topic: a condition would deny all of its
            // requests.
            None if (service, sender) == ("sns", "events.amazonaws.com") => None,
            None => {
                Some(("StringEquals", Expr::map([("aws:SourceAccount", Expr::Ambient(Ambient::Account))])))
            }
        };
        let mut statement = BTreeMap::from([
            ("Sid".to_owned(), Expr::from(format!("Send{number}"))),
            ("Effect".to_owned(), "Allow".into()),
            ("Principal".to_owned(), Expr::map([("Service", sender)])),
            ("Action".to_owned(), action.into()),
            ("Resource".to_owned(), receiver.clone()),
        ]);
        statement.extend(condition.map(|condition| ("Condition".to_owned(), Expr::map([condition]))));
        statements.push(Expr::Map(statement));
    }
    // SNS rejects a wildcard in actions.
    let refused = if service == "sqs" { "sqs:*" } else { action };
    statements.push(deny_insecure_transport(refused, vec![receiver.clone()]));
    document(statements)
}

/// The services that such a policy allows to send, in its order: the inverse of [`receiver`].
pub fn services(policy: &Json) -> Vec<&str> {
    let statements = policy["Statement"].as_array().into_iter().flatten();
    statements.filter_map(|statement| statement["Principal"]["Service"].as_str()).collect()
}

fn deny_insecure_transport(action: &str, resources: Vec<Expr>) -> Expr {
    let condition = Expr::map([("Bool", Expr::map([("aws:SecureTransport", "false")]))]);
    Expr::map([
        ("Sid", Expr::from("DenyInsecureTransport")),
        ("Effect", "Deny".into()),
        ("Principal", Expr::Literal(json!({ "AWS": "*" }))),
        ("Action", action.into()),
        ("Resource", one_or_list(resources)),
        ("Condition", condition),
    ])
}

fn document(statements: Vec<Expr>) -> Expr {
    Expr::map([("Version", Expr::from("2012-10-17")), ("Statement", Expr::List(statements))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(document: Expr) -> Vec<BTreeMap<String, Expr>> {
        let Expr::Map(mut document) = document else { panic!("a map") };
        let Some(Expr::List(statements)) = document.remove("Statement") else { panic!("a list") };
        let map = |statement| if let Expr::Map(members) = statement { members } else { panic!("a map") };
        statements.into_iter().map(map).collect()
    }

    #[test]
    fn what_differs_in_the_resource_alone_is_one_statement() {
        let roles = Expr::Member(Box::new("{}".into()), "roles");
        let grants = [
            Grant::SendMessages("a".into()),
            Grant::SendMessages("b".into()),
            Grant::SendMessages("a".into()),
            Grant::WatchTasks("c".into()),
            Grant::WatchTasks("d".into()),
            Grant::PassTaskRoles(roles.clone()),
            Grant::PassTaskRoles(Expr::list(["r"])),
            Grant::PassTaskRoles(Expr::list(["s"])),
            Grant::Call("x:Y"),
            Grant::Call("x:Z"),
        ];
        let found = statements(identity(&grants));
        let found: Vec<(&Expr, &Expr)> = found.iter().map(|it| (&it["Sid"], &it["Resource"])).collect();
        let tasks = Expr::arn("ecs", "task/*");
        let wanted: Vec<(Expr, Expr)> = vec![
            ("SendMessages".into(), Expr::list(["a", "b"])),
            ("WatchTasks".into(), tasks.clone()),
            ("WatchTasks2".into(), tasks),
            ("PassTaskRoles".into(), roles),
            ("PassTaskRoles2".into(), Expr::list(["r", "s"])),
            ("Call".into(), "*".into()),
            ("Call2".into(), "*".into()),
        ];
        assert_eq!(found, wanted.iter().map(|(sid, resource)| (sid, resource)).collect::<Vec<_>>());
    }

    #[test]
    fn a_receiver_has_a_statement_for_each_service() {
        let senders = [
            ("events.amazonaws.com", On::Source("a".into())),
            ("sns.amazonaws.com", On::Source("b".into())),
            ("events.amazonaws.com", On::Source("c".into())),
            ("cloudwatch.amazonaws.com", On::Account),
        ];
        let found = statements(receiver("sqs", &"q".into(), &senders));
        let sources = |statement: &BTreeMap<String, Expr>| match &statement["Condition"] {
            Expr::Map(condition) => condition.get("ArnEquals").cloned(),
            _ => None,
        };
        let arn = |sources: Expr| Some(Expr::map([("aws:SourceArn", sources)]));
        let found: Vec<Option<Expr>> = found.iter().map(sources).collect();
        assert_eq!(found, [arn(Expr::list(["a", "c"])), arn("b".into()), None, None]);
    }
}
