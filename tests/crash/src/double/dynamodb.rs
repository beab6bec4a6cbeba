//! DynamoDB: tables, and the number of their items.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, refuse, tag_pairs, text, unknown};

const TAGS: TagForm = TagForm::pairs("Tags", "TagKeys", "Key", "Value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    tables: BTreeMap<String, Table>,
    /// The number of streams that tables of a name have had, including deleted tables.
    streams: BTreeMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Table {
    key_schema: Json,
    attribute_definitions: Json,
    billing_mode: String,
    throughput: Json,
    /// The view type of the stream; `None` if it is disabled.
    view: Option<String>,
    /// The label of the last stream.
    label: Option<String>,
    key: Option<String>,
    protected: bool,
    recovery: bool,
    ttl: Option<Ttl>,
    tags: Tags,
    items: usize,
    created: Duration,
    /// The start of the last change.
    changed: Option<Duration>,
    /// The time of its delete call. It disappears after `LINGERS`.
    deleted: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Ttl {
    attribute: String,
    on: bool,
    changed: Duration,
}

/// The duration of a create, a change or a delete of a table.
const LINGERS: Duration = Duration::from_secs(3);
/// The time after the create in which a new table has no backups.
const WITHOUT_BACKUPS: Duration = Duration::from_secs(2);
/// The duration of a change of the time to live. Other changes of it are refused meanwhile.
const TTL_CHANGE: Duration = Duration::from_secs(60 * 60);

const TYPES: [&str; 3] = ["S", "N", "B"];
const VIEWS: [&str; 4] = ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"];
/// The changes of UpdateTable, each with the members that belong together.
const CHANGES: [&[&str]; 4] = [
    &["BillingMode", "ProvisionedThroughput"],
    &["StreamSpecification"],
    &["SSESpecification"],
    &["DeletionProtectionEnabled"],
];

fn arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

impl State {
    /// The tables, except those that are being deleted.
    pub(super) fn items(&self) -> Vec<Item> {
        let tables = self.tables.iter().filter(|(_, table)| table.deleted.is_none());
        tables
            .map(|(name, table)| Item {
                kind: "table",
                name: name.clone(),
                tags: Some(table.tags.clone()),
                settings: table.settings(),
            })
            .collect()
    }

    /// The tables at this time, after finished deletes.
    fn at(&mut self, now: Duration) -> &mut BTreeMap<String, Table> {
        self.tables.retain(|_, table| table.deleted.is_none_or(|at| now < at + LINGERS));
        &mut self.tables
    }

    /// The label of a new stream. AWS uses the time; a number makes it the same in every run.
    fn label(&mut self, name: &str) -> String {
        let streams = self.streams.entry(name.to_owned()).or_default();
        *streams += 1;
        format!("2026-01-01T00:00:00.{streams:03}")
    }
}

impl Table {
    fn status(&self, now: Duration) -> &'static str {
        let recent = |since: Duration| now < since + LINGERS;
        if self.deleted.is_some() {
            "DELETING"
        } else if recent(self.created) {
            "CREATING"
        } else if self.changed.is_some_and(recent) {
            "UPDATING"
        } else {
            "ACTIVE"
        }
    }

    /// The settings that the client chose.
    fn settings(&self) -> Json {
        json!({
            "KeySchema": self.key_schema,
            "AttributeDefinitions": self.attribute_definitions,
            "BillingMode": self.billing_mode,
            "ProvisionedThroughput": self.throughput,
            "StreamViewType": self.view,
            "KMSMasterKeyId": self.key,
            "DeletionProtectionEnabled": self.protected,
            "PointInTimeRecoveryEnabled": self.recovery,
            "TimeToLive": self.ttl.as_ref().filter(|ttl| ttl.on).map(|ttl| &ttl.attribute),
        })
    }

    fn described(&self, name: &str, now: Duration) -> Json {
        // AWS omits the summary of a table that was always provisioned.
        let by_request = self.billing_mode == "PAY_PER_REQUEST";
        let summary = by_request.then(|| json!({ "BillingMode": self.billing_mode }));
        let throughput = json!({ "ReadCapacityUnits": 0, "WriteCapacityUnits": 0 });
        let stream = self.view.as_ref().map(|view| json!({ "StreamEnabled": true, "StreamViewType": view }));
        let encryption = self
            .key
            .as_ref()
            .map(|key| json!({ "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key }));
        json!({
            "TableName": name,
            "TableArn": arn(name),
            "TableStatus": self.status(now),
            "KeySchema": self.key_schema,
            "AttributeDefinitions": self.attribute_definitions,
            "BillingModeSummary": summary,
            "ProvisionedThroughput": if by_request { &throughput } else { &self.throughput },
            "StreamSpecification": stream,
            "LatestStreamLabel": self.label,
            "LatestStreamArn": self.label.as_ref().map(|label| format!("{}/stream/{label}", arn(name))),
            "SSEDescription": encryption,
            "DeletionProtectionEnabled": self.protected,
        })
    }
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse("ValidationException", message)
}

/// Refuses a member that is missing or invalid.
fn constraint<T>(member: &str, value: &str) -> Result<T, Refusal> {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint"
    ))
}

/// Refuses values that do not fit together.
fn mismatch<T>(what: &str) -> Result<T, Refusal> {
    invalid(format!("One or more parameter values were invalid: {what}"))
}

fn in_use<T>(name: &str, doing: &str) -> Result<T, Refusal> {
    refuse(
        "ResourceInUseException",
        format!("Attempt to change a resource which is still in use: Table is being {doing}: {name}"),
    )
}

/// The name of the table of a call.
fn name(input: &Json) -> Result<&str, Refusal> {
    let name = text(input, "TableName");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (3..=255).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    constraint("tableName", name)
}

fn table<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Table, Refusal> {
    let (name, now) = (name(input)?, cloud.now);
    match cloud.dynamodb.at(now).get_mut(name) {
        Some(table) => Ok(table),
        None => refuse(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {name} not found"),
        ),
    }
}

/// A table without a change in progress.
fn at_rest<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Table, Refusal> {
    let (name, now) = (name(input)?, cloud.now);
    let table = table(cloud, input)?;
    match table.status(now) {
        "CREATING" => in_use(name, "created"),
        "UPDATING" => in_use(name, "updated"),
        "DELETING" => in_use(name, "deleted"),
        _ => Ok(table),
    }
}

/// A table whose items can be read and written.
fn usable<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Table, Refusal> {
    let now = cloud.now;
    let table = table(cloud, input)?;
    if matches!(table.status(now), "CREATING" | "DELETING") {
        return refuse("ResourceNotFoundException", "Requested resource not found");
    }
    Ok(table)
}

/// The table of a call on backups.
fn backed_up<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Table, Refusal> {
    let name = name(input)?;
    match table(cloud, input) {
        Ok(table) if table.deleted.is_none() => Ok(table),
        _ => refuse("TableNotFoundException", format!("Table not found: {name}")),
    }
}

/// The input that names the table of a call on tags.
fn tagged(input: &Json) -> Result<Json, Refusal> {
    let resource = text(input, "ResourceArn");
    match resource.strip_prefix(&arn("")) {
        Some(name) => Ok(json!({ "TableName": name })),
        None => constraint("resourceArn", resource),
    }
}

/// Checks the keys of a new table. Every key needs a definition, and other definitions are refused.
fn check_keys(input: &Json) -> Result<(), Refusal> {
    let schema = input["KeySchema"].as_array().map(Vec::as_slice).unwrap_or_default();
    let roles: Vec<&str> = schema.iter().map(|key| text(key, "KeyType")).collect();
    match roles[..] {
        ["HASH"] | ["HASH", "RANGE"] => {}
        [] => return constraint("keySchema", "null"),
        _ => return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    }
    let mut keys: Vec<&str> = schema.iter().map(|key| text(key, "AttributeName")).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() < schema.len() {
        return mismatch("Both the Hash Key and the Range Key element in the KeySchema have the same name");
    }
    let types = tag_pairs(&input["AttributeDefinitions"], "AttributeName", "AttributeType");
    if let Some(other) = types.values().find(|of_type| !TYPES.contains(&of_type.as_str())) {
        return constraint("attributeDefinitions.member.attributeType", other);
    }
    if let Some(key) = keys.iter().find(|key| !types.contains_key(**key)) {
        return mismatch(&format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{key}]"
        ));
    }
    if types.len() > keys.len() {
        return mismatch(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        );
    }
    Ok(())
}

/// Checks the billing mode of a table. Only a provisioned table has capacity units.
fn check_billing(mode: &str, throughput: &Json) -> Result<(), Refusal> {
    let units = ["ReadCapacityUnits", "WriteCapacityUnits"].map(|member| throughput[member].as_u64());
    match mode {
        "PAY_PER_REQUEST" if throughput.is_null() => Ok(()),
        "PAY_PER_REQUEST" => mismatch(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        "PROVISIONED" if units.iter().all(|units| units.is_some_and(|units| units > 0)) => Ok(()),
        "PROVISIONED" => mismatch(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        other => constraint("billingMode", other),
    }
}

/// The requested view type of a stream; `None` for no stream.
fn view(specification: &Json) -> Result<Option<String>, Refusal> {
    let view = text(specification, "StreamViewType");
    match specification["StreamEnabled"].as_bool() {
        Some(true) if VIEWS.contains(&view) => Ok(Some(view.to_owned())),
        Some(true) => mismatch("StreamViewType must be specified when a stream is enabled"),
        _ if view.is_empty() => Ok(None),
        _ => mismatch("StreamViewType should not be specified when a stream is disabled"),
    }
}

/// The requested KMS key of a table; `None` for the key that DynamoDB owns.
fn key(specification: &Json) -> Result<Option<String>, Refusal> {
    let key = specification["KMSMasterKeyId"].as_str();
    match specification["Enabled"].as_bool() {
        Some(true) => {
            let own = || format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/dynamodb");
            Ok(Some(key.map_or_else(own, ToOwned::to_owned)))
        }
        _ if key.is_none() => Ok(None),
        _ => mismatch("KMSMasterKeyId can not be specified when SSE is disabled"),
    }
}

fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, now) = (name(input)?, cloud.now);
    let mode = input["BillingMode"].as_str().unwrap_or("PROVISIONED");
    check_keys(input)?;
    check_billing(mode, &input["ProvisionedThroughput"])?;
    let (view, key) = (view(&input["StreamSpecification"])?, key(&input["SSESpecification"])?);
    if let Some(existing) = cloud.dynamodb.at(now).get(name) {
        return match existing.status(now) {
            "CREATING" => in_use(name, "created"),
            "DELETING" => in_use(name, "deleted"),
            _ => refuse("ResourceInUseException", format!("Table already exists: {name}")),
        };
    }
    let table = Table {
        key_schema: input["KeySchema"].clone(),
        attribute_definitions: input["AttributeDefinitions"].clone(),
        billing_mode: mode.to_owned(),
        throughput: input["ProvisionedThroughput"].clone(),
        label: view.as_ref().map(|_| cloud.dynamodb.label(name)),
        view,
        key,
        protected: input["DeletionProtectionEnabled"].as_bool().unwrap_or(false),
        recovery: false,
        ttl: None,
        tags: TAGS.given(input),
        items: 0,
        created: now,
        changed: None,
        deleted: None,
    };
    let described = table.described(name, now);
    cloud.dynamodb.tables.insert(name.to_owned(), table);
    Ok(json!({ "TableDescription": described }))
}

/// Enables or disables a stream. The view type of an enabled stream cannot change.
fn switch_stream(cloud: &mut Cloud, input: &Json) -> Result<(), Refusal> {
    let (name, view) = (name(input)?, view(&input["StreamSpecification"])?);
    match (at_rest(cloud, input)?.view.is_some(), view.is_some()) {
        (true, true) => return invalid(format!("Table already has an enabled stream: TableName: {name}")),
        (false, false) => return invalid(format!("Table already has a disabled stream: TableName: {name}")),
        _ => {}
    }
    let label = view.as_ref().map(|_| cloud.dynamodb.label(name));
    let table = at_rest(cloud, input)?;
    table.view = view;
    if label.is_some() {
        table.label = label;
    }
    Ok(())
}

fn update(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, now) = (name(input)?, cloud.now);
    let is_given = |member: &&str| !input[*member].is_null();
    match CHANGES.iter().filter(|members| members.iter().any(is_given)).count() {
        0 => {
            return invalid(
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
            );
        }
        1 => {}
        // AWS refuses some combinations. The double refuses all of them.
        _ => return mismatch("Only one kind of change can be made at once"),
    }
    if is_given(&"StreamSpecification") {
        switch_stream(cloud, input)?;
    }
    let table = at_rest(cloud, input)?;
    if is_given(&"BillingMode") || is_given(&"ProvisionedThroughput") {
        let mode = input["BillingMode"].as_str().unwrap_or(&table.billing_mode).to_owned();
        check_billing(&mode, &input["ProvisionedThroughput"])?;
        table.billing_mode = mode;
        table.throughput = input["ProvisionedThroughput"].clone();
    }
    if is_given(&"SSESpecification") {
        let key = key(&input["SSESpecification"])?;
        if table.key == key {
            return invalid("Table is already encrypted by given KMSMasterKeyId");
        }
        table.key = key;
    }
    if let Some(protected) = input["DeletionProtectionEnabled"].as_bool() {
        table.protected = protected;
    }
    table.changed = Some(now);
    Ok(json!({ "TableDescription": table.described(name, now) }))
}

fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, now) = (name(input)?, cloud.now);
    let table = at_rest(cloud, input)?;
    if table.protected {
        return invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        );
    }
    table.deleted = Some(now);
    Ok(json!({ "TableDescription": table.described(name, now) }))
}

fn backups(table: &Table) -> Json {
    let status = if table.recovery { "ENABLED" } else { "DISABLED" };
    let description = json!({
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": status },
    });
    json!({ "ContinuousBackupsDescription": description })
}

fn update_backups(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let table = backed_up(cloud, input)?;
    let wanted = &input["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
    let Some(wanted) = wanted.as_bool() else {
        return constraint("pointInTimeRecoverySpecification.pointInTimeRecoveryEnabled", "null");
    };
    if now < table.created + LINGERS + WITHOUT_BACKUPS {
        return refuse(
            "ContinuousBackupsUnavailableException",
            format!("Backups are being enabled for the table: {}. Please retry later", name(input)?),
        );
    }
    table.recovery = wanted;
    Ok(backups(table))
}

fn ttl(table: &Table, now: Duration) -> Json {
    let description = table.ttl.as_ref().map_or_else(
        || json!({ "TimeToLiveStatus": "DISABLED" }),
        |ttl| match (ttl.on, now < ttl.changed + TTL_CHANGE) {
            (true, true) => json!({ "TimeToLiveStatus": "ENABLING", "AttributeName": ttl.attribute }),
            (true, false) => json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": ttl.attribute }),
            (false, true) => json!({ "TimeToLiveStatus": "DISABLING", "AttributeName": ttl.attribute }),
            (false, false) => json!({ "TimeToLiveStatus": "DISABLED" }),
        },
    );
    json!({ "TimeToLiveDescription": description })
}

fn update_ttl(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let specification = &input["TimeToLiveSpecification"];
    let attribute = text(specification, "AttributeName");
    if !(1..=255).contains(&attribute.len()) {
        return constraint("timeToLiveSpecification.attributeName", attribute);
    }
    let Some(on) = specification["Enabled"].as_bool() else {
        return constraint("timeToLiveSpecification.enabled", "null");
    };
    let table = at_rest(cloud, input)?;
    match table.ttl.as_ref().filter(|ttl| ttl.on) {
        Some(ttl) if ttl.attribute != attribute => {
            return invalid(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {}",
                ttl.attribute
            ));
        }
        Some(_) if on => return invalid("TimeToLive is already enabled"),
        None if !on => return invalid("TimeToLive is already disabled"),
        _ => {}
    }
    if table.ttl.as_ref().is_some_and(|ttl| now < ttl.changed + TTL_CHANGE) {
        return invalid("Time to live has been modified multiple times within a fixed interval");
    }
    table.ttl = Some(Ttl { attribute: attribute.to_owned(), on, changed: now });
    Ok(json!({ "TimeToLiveSpecification": specification }))
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    match operation {
        "CreateTable" => create(cloud, input),
        "DescribeTable" => Ok(json!({ "Table": table(cloud, input)?.described(name(input)?, now) })),
        "UpdateTable" => update(cloud, input),
        "DeleteTable" => delete(cloud, input),
        "ListTables" => Ok(json!({ "TableNames": cloud.dynamodb.at(now).keys().collect::<Vec<_>>() })),
        "DescribeContinuousBackups" => Ok(backups(backed_up(cloud, input)?)),
        "UpdateContinuousBackups" => update_backups(cloud, input),
        "DescribeTimeToLive" => Ok(ttl(table(cloud, input)?, now)),
        "UpdateTimeToLive" => update_ttl(cloud, input),
        "ListTagsOfResource" => Ok(TAGS.list(&table(cloud, &tagged(input)?)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut at_rest(cloud, &tagged(input)?)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut at_rest(cloud, &tagged(input)?)?.tags, input)),
        "PutItem" => {
            usable(cloud, input)?.items += 1;
            Ok(json!({}))
        }
        "Scan" => {
            let limit = input["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
            let count = usable(cloud, input)?.items.min(limit.unwrap_or(usize::MAX));
            Ok(json!({ "Count": count, "ScannedCount": count }))
        }
        other => unknown("dynamodb", other),
    }
}
