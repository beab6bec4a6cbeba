//! The questions, and the calls that answer them.

use serde_json::{Value as Json, json};

use super::Doubt;
use super::account::Account;

type Answer = Result<String, String>;

/// All questions.
pub(crate) const DOUBTS: &[Doubt] = &[
    Doubt {
        name: "queue encryption",
        question: "Does one call change a queue from SSE-KMS to SSE-SQS?",
        today: "Tandem sends one SetQueueAttributes with an empty `KmsMasterKeyId` and `SqsManagedSseEnabled`.",
        ask: queue_encryption,
    },
    Doubt {
        name: "blocked encryption",
        question: "Does PutBucketEncryption without `BlockedEncryptionTypes` allow SSE-C again?",
        today: "Tandem sends PutBucketEncryption without it.",
        ask: blocked_encryption,
    },
    Doubt {
        name: "tags with ABAC",
        question: "Does PutBucketTagging work on a bucket with ABAC?",
        today: "Tandem writes the tags of buckets with PutBucketTagging.",
        ask: tags_with_abac,
    },
    Doubt {
        name: "reused bucket name",
        question: "Can a bucket be made again right after its delete?",
        today: "Tandem does not repeat CreateBucket after `OperationAborted`; the next apply makes the bucket.",
        ask: reused_bucket_name,
    },
    Doubt {
        name: "unused rights",
        question: "Do rights on a resource type that the Service Authorization Reference does not list ever match?",
        today: "Roles have no such rights: `dynamodb:ListStreams` is on `*`, log rights are on `log-group:NAME:*`.",
        ask: unused_rights,
    },
    Doubt {
        name: "shards of a stream",
        question: "Does a policy on the ARN of a stream allow UpdateShardCount? The Reference lists no resource type.",
        today: "`tandem policy` allows UpdateShardCount and UpdateStreamMode on `*`.",
        ask: shards_of_a_stream,
    },
    Doubt {
        name: "mixed capacity",
        question: "Do single tasks alternate between FARGATE and FARGATE_SPOT with the weights 1 and 1?",
        today: "The documentation of `capacity` says that `mixed` starts about half of the tasks on each.",
        ask: mixed_capacity,
    },
    Doubt {
        name: "key of access logs",
        question: "Can an HTTP API write to a log group with a KMS key that only CloudWatch Logs may use?",
        today: "The documentation of `kms_key_arn` asks for `delivery.logs.amazonaws.com` only for workflows.",
        ask: key_of_access_logs,
    },
    Doubt {
        name: "quotas",
        question: "Does the account allow functions with 10,240 MB, and how much may run at once?",
        today: "Tandem accepts `memory_size` up to 10,240, although new accounts can have less.",
        ask: quotas,
    },
];

/// `accepted`, or the error of AWS.
fn accepted(result: &Result<Json, String>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("refused ({error})"),
    }
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn queue_encryption(account: &mut Account) -> Answer {
    let name = account.prefix.clone();
    let create =
        ["sqs", "create-queue", "--queue-name", &name, "--attributes", "KmsMasterKeyId=alias/aws/sqs"];
    let made = account.call(&create)?;
    let url = text(&made["QueueUrl"]);
    account.later(&["sqs", "delete-queue", "--queue-url", &url]);
    let both = json!({ "KmsMasterKeyId": "", "SqsManagedSseEnabled": "true" }).to_string();
    let set = account.call(&["sqs", "set-queue-attributes", "--queue-url", &url, "--attributes", &both]);
    let names = ["KmsMasterKeyId", "SqsManagedSseEnabled"];
    let read = account.call(&[
        "sqs",
        "get-queue-attributes",
        "--queue-url",
        &url,
        "--attribute-names",
        names[0],
        names[1],
    ])?;
    Ok(format!("{}; the queue has {}", accepted(&set), read["Attributes"]))
}

/// Makes a bucket. Its name is that of this run and a word.
fn bucket(account: &mut Account, word: &str) -> Result<String, String> {
    let name = format!("{}-{word}", account.prefix);
    let region = account.region.clone();
    let place = format!("LocationConstraint={region}");
    let mut create = vec!["s3api", "create-bucket", "--bucket", &name];
    if region != "us-east-1" {
        create.extend(["--create-bucket-configuration", &place]);
    }
    account.make(&create, &["s3api", "delete-bucket", "--bucket", &name])?;
    Ok(name)
}

fn blocked_encryption(account: &mut Account) -> Answer {
    let name = bucket(account, "sse")?;
    let blocked = |account: &mut Account| -> Answer {
        let read = account.call(&["s3api", "get-bucket-encryption", "--bucket", &name])?;
        let rule = &read["ServerSideEncryptionConfiguration"]["Rules"][0];
        Ok(rule["BlockedEncryptionTypes"]["EncryptionType"].to_string())
    };
    let before = blocked(account)?;
    let rule = json!({ "Rules": [{ "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } }] });
    let put = ["s3api", "put-bucket-encryption", "--bucket", &name, "--server-side-encryption-configuration"];
    let rule = rule.to_string();
    account.call(&[&put[..], &[rule.as_str()]].concat())?;
    Ok(format!("blocked before the call: {before}; after it: {}", blocked(account)?))
}

fn tags_with_abac(account: &mut Account) -> Answer {
    let name = bucket(account, "abac")?;
    let status = ["--abac-status", "Status=Enabled"];
    account.call(&[&["s3api", "put-bucket-abac", "--bucket", &name][..], &status].concat())?;
    let tags = ["--tagging", "TagSet=[{Key=a,Value=b}]"];
    let put = account.call(&[&["s3api", "put-bucket-tagging", "--bucket", &name][..], &tags].concat());
    Ok(accepted(&put))
}

fn reused_bucket_name(account: &mut Account) -> Answer {
    let name = bucket(account, "again")?;
    account.call(&["s3api", "delete-bucket", "--bucket", &name])?;
    account.is_removed();
    let again = bucket(account, "again").map(Json::from);
    Ok(accepted(&again))
}

fn unused_rights(account: &mut Account) -> Answer {
    let arn =
        |service: &str, rest: &str| format!("arn:aws:{service}:{}:{}:{rest}", account.region, account.id);
    let rights = [
        ("dynamodb:ListStreams", arn("dynamodb", "table/t/stream/2026-01-01T00:00:00.000")),
        ("kinesis:SubscribeToShard", arn("kinesis", "stream/s")),
        ("logs:CreateLogStream", arn("logs", "log-group:g")),
        ("logs:PutLogEvents", arn("logs", "log-group:g")),
    ];
    let mut answers = Vec::new();
    for (action, resource) in rights {
        let statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let simulated = account.call(&[
            "iam",
            "simulate-custom-policy",
            "--policy-input-list",
            &policy,
            "--action-names",
            action,
            "--resource-arns",
            &resource,
        ])?;
        answers.push(format!("{action}: {}", text(&simulated["EvaluationResults"][0]["EvalDecision"])));
    }
    Ok(format!("the simulator of IAM says {}", answers.join(", ")))
}

fn shards_of_a_stream(account: &mut Account) -> Answer {
    let name = account.prefix.clone();
    let arn = account.arn("kinesis", &format!("stream/{name}"));
    account.make(
        &["kinesis", "create-stream", "--stream-name", &name, "--shard-count", "1"],
        &["kinesis", "delete-stream", "--stream-name", &name],
    )?;
    let principal = json!({ "AWS": format!("arn:{}:iam::{}:root", account.partition, account.id) });
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal },
    ] });
    let role = account.make(
        &["iam", "create-role", "--role-name", &name, "--assume-role-policy-document", &trust.to_string()],
        &["iam", "delete-role", "--role-name", &name],
    )?;
    let actions = ["kinesis:DescribeStreamSummary", "kinesis:UpdateShardCount"];
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": arn }] });
    account.make(
        &[
            "iam",
            "put-role-policy",
            "--role-name",
            &name,
            "--policy-name",
            "doubts",
            "--policy-document",
            &policy.to_string(),
        ],
        &["iam", "delete-role-policy", "--role-name", &name, "--policy-name", "doubts"],
    )?;
    let credentials = account.assume(&text(&role["Role"]["Arn"]))?;
    // The other action of the same statement shows that the policy is in effect, and the stream is ready.
    account.patiently(|account| {
        let read = account
            .call_as(Some(&credentials), &["kinesis", "describe-stream-summary", "--stream-name", &name])?;
        let status = text(&read["StreamDescriptionSummary"]["StreamStatus"]);
        if status == "ACTIVE" { Ok(()) } else { Err(status) }
    })?;
    let update = ["kinesis", "update-shard-count", "--stream-name", &name, "--target-shard-count", "2"];
    let update =
        account.call_as(Some(&credentials), &[&update[..], &["--scaling-type", "UNIFORM_SCALING"]].concat());
    Ok(accepted(&update))
}

fn mixed_capacity(account: &mut Account) -> Answer {
    let name = account.prefix.clone();
    let filter = ["--filters", "Name=default-for-az,Values=true"];
    let subnets = account.call(&[&["ec2", "describe-subnets"][..], &filter].concat())?;
    let subnets = subnets["Subnets"].as_array().ok_or("there is no default subnet")?;
    let subnets: Vec<String> = subnets.iter().map(|subnet| text(&subnet["SubnetId"])).collect();
    account.make(
        &[
            "ecs",
            "create-cluster",
            "--cluster-name",
            &name,
            "--capacity-providers",
            "FARGATE",
            "FARGATE_SPOT",
        ],
        &["ecs", "delete-cluster", "--cluster", &name],
    )?;
    let container = json!([{ "name": "main", "image": "public.ecr.aws/docker/library/busybox:stable", "command": ["true"] }]);
    let container = container.to_string();
    let definition = account.call(&[
        "ecs",
        "register-task-definition",
        "--family",
        &name,
        "--network-mode",
        "awsvpc",
        "--requires-compatibilities",
        "FARGATE",
        "--cpu",
        "256",
        "--memory",
        "512",
        "--container-definitions",
        &container,
    ])?;
    let definition = text(&definition["taskDefinition"]["taskDefinitionArn"]);
    account.later(&["ecs", "delete-task-definitions", "--task-definitions", &definition]);
    account.later(&["ecs", "deregister-task-definition", "--task-definition", &definition]);
    let network =
        json!({ "awsvpcConfiguration": { "subnets": subnets, "assignPublicIp": "ENABLED" } }).to_string();
    let mut providers = Vec::new();
    for _ in 0..4 {
        let started = account.call(&[
            "ecs",
            "run-task",
            "--cluster",
            &name,
            "--task-definition",
            &definition,
            "--count",
            "1",
            "--network-configuration",
            &network,
            "--capacity-provider-strategy",
            "capacityProvider=FARGATE,weight=1",
            "capacityProvider=FARGATE_SPOT,weight=1",
        ])?;
        let task = &started["tasks"][0];
        if let Some(arn) = task["taskArn"].as_str() {
            account.later(&["ecs", "stop-task", "--cluster", &name, "--task", arn]);
        }
        let failure = &started["failures"][0]["reason"];
        providers.push(text(if task.is_null() { failure } else { &task["capacityProviderName"] }));
    }
    Ok(format!("four tasks were started on {}", providers.join(", ")))
}

fn key_of_access_logs(account: &mut Account) -> Answer {
    let Some(key) = account.kms_key_arn.clone() else {
        return Ok("not asked: set `--kms-key-arn`".to_owned());
    };
    let name = account.prefix.clone();
    account.make(
        &["logs", "create-log-group", "--log-group-name", &name, "--kms-key-id", &key],
        &["logs", "delete-log-group", "--log-group-name", &name],
    )?;
    let api = account.call(&["apigatewayv2", "create-api", "--name", &name, "--protocol-type", "HTTP"])?;
    let id = text(&api["ApiId"]);
    account.later(&["apigatewayv2", "delete-api", "--api-id", &id]);
    let group = account.arn("logs", &format!("log-group:{name}"));
    let logs = json!({ "DestinationArn": group, "Format": "$context.requestId" }).to_string();
    let stage = account.call(&[
        "apigatewayv2",
        "create-stage",
        "--api-id",
        &id,
        "--stage-name",
        "$default",
        "--access-log-settings",
        &logs,
    ]);
    Ok(accepted(&stage))
}

fn quotas(account: &mut Account) -> Answer {
    let settings = account.call(&["lambda", "get-account-settings"])?;
    let concurrency = &settings["AccountLimit"]["ConcurrentExecutions"];
    let fargate = account.call(&[
        "service-quotas",
        "get-service-quota",
        "--service-code",
        "fargate",
        "--quota-code",
        "L-3032A538",
    ]);
    let fargate = fargate.map_or_else(|error| error, |quota| quota["Quota"]["Value"].to_string());
    // No function is made: the role does not exist. An emulator may make it.
    let name = account.prefix.clone();
    let zip = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    std::fs::write(zip.path(), EMPTY_ZIP).map_err(|error| error.to_string())?;
    let code = format!("fileb://{}", zip.path().display());
    let role = format!("arn:{}:iam::{}:role/{name}", account.partition, account.id);
    let function = account.call(&[
        "lambda",
        "create-function",
        "--function-name",
        &name,
        "--runtime",
        "provided.al2023",
        "--handler",
        "x",
        "--role",
        &role,
        "--zip-file",
        &code,
        "--memory-size",
        "10240",
    ]);
    if function.is_ok() {
        account.later(&["lambda", "delete-function", "--function-name", &name]);
    }
    let memory = match &function {
        Ok(_) => "10,240 MB are allowed".to_owned(),
        // The next check of Lambda is that of the role.
        Err(error) if error.contains("role") => "10,240 MB are allowed".to_owned(),
        Err(error) => format!("10,240 MB: {error}"),
    };
    Ok(format!("{concurrency} concurrent executions; {memory}; Fargate vCPU: {fargate}"))
}

/// A zip file without entries.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
