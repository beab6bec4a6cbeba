//! The calls to AWS that the demo and tests make themselves, as plain HTTP. An emulator reads the account
//! from the access key, and checks no signature.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

/// An account on an emulator.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address of the emulator.
    pub endpoint: String,
    /// The id of the account: 12 digits.
    pub id: String,
    /// The region.
    pub region: String,
    /// The address of the emulator with the alarms.
    pub alarms: String,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

impl Account {
    fn authorization(&self, service: &str) -> String {
        let scope = format!("{}/20200101/{}/{service}/aws4_request", self.id, self.region);
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    }

    /// The variables with which a container reaches this account: on AWS its role gives it credentials.
    pub fn for_containers(&self, endpoint: &str) -> Json {
        json!({
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.id,
            "AWS_SECRET_ACCESS_KEY": "emulator",
        })
    }

    /// Puts an object into a bucket.
    pub fn put_object(&self, bucket: &str, key: &str, content: &[u8]) -> Result<()> {
        ureq::put(format!("{}/{bucket}/{}", self.endpoint, encode(key)))
            .header("authorization", self.authorization("s3"))
            .send(content)?;
        Ok(())
    }

    /// The content of an object; `None` when there is none.
    pub fn get_object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let request = ureq::get(format!("{}/{bucket}/{}", self.endpoint, encode(key)));
        match request.header("authorization", self.authorization("s3")).call() {
            Ok(mut answer) => Ok(Some(answer.body_mut().with_config().limit(1 << 30).read_to_vec()?)),
            Err(ureq::Error::StatusCode(404)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The bodies of messages that wait in a queue, without taking them out.
    pub fn messages(&self, queue_url: &str) -> Result<Vec<String>> {
        let body = json!({ "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
        let found = self.json("sqs", "AmazonSQS.ReceiveMessage", &body)?;
        let messages = found["Messages"].as_array().cloned().unwrap_or_default();
        Ok(messages.iter().filter_map(|message| message["Body"].as_str().map(ToOwned::to_owned)).collect())
    }

    /// Puts a message into a queue.
    pub fn send_message(&self, queue_url: &str, text: &str) -> Result<()> {
        let body = json!({ "QueueUrl": queue_url, "MessageBody": text });
        self.json("sqs", "AmazonSQS.SendMessage", &body).map(|_| ())
    }

    /// A call of Step Functions.
    pub fn states(&self, call: &str, body: &Json) -> Result<Json> {
        self.json("states", &format!("AWSStepFunctions.{call}"), body)
    }

    /// A call of a service with the query protocol.
    pub fn query(&self, service: &str, body: &str) -> Result<String> {
        let endpoint = if service == "monitoring" { &self.alarms } else { &self.endpoint };
        let mut answer = ureq::post(endpoint)
            .header("authorization", self.authorization(service))
            .header("content-type", "application/x-www-form-urlencoded")
            .send(body)?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// A call of a service with a JSON protocol.
    pub fn json(&self, service: &str, target: &str, body: &Json) -> Result<Json> {
        let mut answer = ureq::post(&self.endpoint)
            .header("authorization", self.authorization(service))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .send(body.to_string())?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }

    /// The response of an HTTP API to a GET. The emulator serves APIs under a path, since no resolver has
    /// their host names.
    pub fn http_api(&self, url: &str, path: &str) -> Result<String> {
        let host = url.split_once("://").map_or(url, |(_, host)| host);
        let id = host.split('.').next().unwrap_or_default();
        let address = format!("{}/_aws/execute-api/{id}{path}", self.endpoint);
        let request = ureq::get(address).header("authorization", self.authorization("execute-api"));
        Ok(request.call()?.body_mut().read_to_string()?)
    }

    /// The messages of a log group.
    pub fn log_messages(&self, group: &str) -> Result<Vec<String>> {
        let found = self.json("logs", "Logs_20140328.FilterLogEvents", &json!({ "logGroupName": group }))?;
        let events = found["events"].as_array().cloned().unwrap_or_default();
        Ok(events.iter().filter_map(|event| event["message"].as_str().map(ToOwned::to_owned)).collect())
    }

    fn get(&self, service: &str, path: &str) -> Result<String> {
        let request = ureq::get(format!("{}{path}", self.endpoint));
        let mut answer = request.header("authorization", self.authorization(service)).call()?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// The response of a service with a REST protocol to a GET.
    pub fn get_json(&self, service: &str, path: &str) -> Result<Json> {
        Ok(serde_json::from_str(&self.get(service, path)?)?)
    }

    /// Every object in the account, of the independent kinds that Tandem creates.
    pub fn everything(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut add = |kind: &str, names: Vec<String>| {
            found.extend(names.into_iter().map(|name| format!("{kind} {name}")));
        };
        let buckets = between(&self.get("s3", "/")?, "<Name>", "</Name>");
        for bucket in &buckets {
            let notifications = self.get("s3", &format!("/{bucket}?notification"))?;
            let ids = between(&notifications, "<Id>", "</Id>");
            add("notification", ids.into_iter().map(|id| format!("{bucket} {id}")).collect());
            if notifications.contains("<EventBridgeConfiguration") {
                add("notification", vec![format!("{bucket} EventBridge")]);
            }
        }
        add("bucket", buckets);
        let functions: Json = self.get_json("lambda", "/2015-03-31/functions/")?;
        add("function", names(&functions["Functions"], "FunctionName"));
        let mappings: Json =
            serde_json::from_str(&self.get("lambda", "/2015-03-31/event-source-mappings/")?)?;
        add("event source mapping", names(&mappings["EventSourceMappings"], "UUID"));
        let roles = self.query("iam", "Action=ListRoles&Version=2010-05-08")?;
        add("role", between(&roles, "<RoleName>", "</RoleName>"));
        let queues = self.query("sqs", "Action=ListQueues&Version=2012-11-05")?;
        add("queue", between(&queues, "<QueueUrl>", "</QueueUrl>"));
        let groups = self.json("logs", "Logs_20140328.DescribeLogGroups", &json!({}))?;
        add("log group", names(&groups["logGroups"], "logGroupName"));
        let clusters = self.json("ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", &json!({}))?;
        let described = self.json(
            "ecs",
            "AmazonEC2ContainerServiceV20141113.DescribeClusters",
            &json!({ "clusters": clusters["clusterArns"] }),
        )?;
        let mut clusters = described["clusters"].clone();
        // A deleted cluster stays visible for a while.
        if let Some(clusters) = clusters.as_array_mut() {
            clusters.retain(|cluster| cluster["status"] != "INACTIVE");
        }
        add("cluster", names(&clusters, "clusterName"));
        let definitions =
            self.json("ecs", "AmazonEC2ContainerServiceV20141113.ListTaskDefinitions", &json!({}))?;
        add("task definition", texts(&definitions["taskDefinitionArns"]));
        let repositories =
            self.json("ecr", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", &json!({}))?;
        add("repository", names(&repositories["repositories"], "repositoryName"));
        let buses = self.json("events", "AWSEvents.ListEventBuses", &json!({}))?;
        let buses = names(&buses["EventBuses"], "Name");
        for bus in &buses {
            let rules = self.json("events", "AWSEvents.ListRules", &json!({ "EventBusName": bus }))?;
            add("rule", names(&rules["Rules"], "Name"));
        }
        add("event bus", buses);
        let groups = self.query("ec2", "Action=DescribeSecurityGroups&Version=2016-11-15")?;
        add("security group", between(&groups, "<groupName>", "</groupName>"));
        let alarms = self.query("monitoring", "Action=DescribeAlarms&Version=2010-08-01")?;
        add("alarm", between(&alarms, "<AlarmName>", "</AlarmName>"));
        let groups: Json = serde_json::from_str(&self.get("scheduler", "/schedule-groups")?)?;
        add("schedule group", names(&groups["ScheduleGroups"], "Name"));
        let schedules: Json = serde_json::from_str(&self.get("scheduler", "/schedules")?)?;
        add("schedule", names(&schedules["Schedules"], "Name"));
        let tables = self.json("dynamodb", "DynamoDB_20120810.ListTables", &json!({}))?;
        add("table", texts(&tables["TableNames"]));
        // Without a limit, moto lists ten streams.
        let streams = self.json("kinesis", "Kinesis_20131202.ListStreams", &json!({ "Limit": 1000 }))?;
        add("stream", texts(&streams["StreamNames"]));
        let topics = self.query("sns", "Action=ListTopics&Version=2010-03-31")?;
        add("topic", between(&topics, "<TopicArn>", "</TopicArn>"));
        let subscriptions = self.query("sns", "Action=ListSubscriptions&Version=2010-03-31")?;
        add("subscription", between(&subscriptions, "<SubscriptionArn>", "</SubscriptionArn>"));
        let machines = self.states("ListStateMachines", &json!({}))?;
        add("state machine", names(&machines["stateMachines"], "name"));
        let apis: Json = serde_json::from_str(&self.get("apigateway", "/v2/apis")?)?;
        add("HTTP API", names(&apis["items"], "name"));
        Ok(found)
    }
}

/// A key as a path of a URL.
fn encode(key: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    key.bytes().map(encode).collect()
}

fn names(list: &Json, field: &str) -> Vec<String> {
    let items = list.as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item[field].as_str().map(ToOwned::to_owned)).collect()
}

fn texts(list: &Json) -> Vec<String> {
    let items = list.as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

fn between(text: &str, start: &str, end: &str) -> Vec<String> {
    let parts = text.split(start).skip(1);
    parts.filter_map(|part| Some(part.split_once(end)?.0.to_owned())).collect()
}
