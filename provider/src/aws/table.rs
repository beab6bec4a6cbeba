//! DynamoDB tables.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, BillingModeSummary, KeySchemaElement, KeyType,
    PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, ProvisionedThroughput, ScalarAttributeType,
    Select, SseDescription, SseSpecification, SseStatus, SseType, StreamSpecification, StreamViewType,
    TableDescription, TableStatus, Tag, TimeToLiveSpecification, TimeToLiveStatus,
};
use tandem_engine::driver::{Class, Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::dynamodb::Table;
use tokio::time::Instant;

use super::failure::{call, found, gone, not_yet};
use super::{of_project, pages};

/// Read and write capacity of a new provisioned table, in units: the default of the AWS console.
const CAPACITY: i64 = 5;

/// Longest wait within a create call until the new object accepts the next call. Then the engine retries, and
/// can be stopped in between.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Pause between two attempts within a create call.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Tables(pub(super) Client);

/// Repeats a call on a new object until the object accepts it.
pub(super) async fn patiently<F, Call>(call: F) -> Result<(), Failure>
where
    F: Fn() -> Call,
    Call: Future<Output = Result<(), Failure>>,
{
    let start = Instant::now();
    loop {
        match call().await {
            Err(Failure { class: Class::Passing(budget), .. }) if start.elapsed() < budget.min(PATIENCE) => {
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// The outcome of a change. AWS rejects a repeated change if the first response was lost: a failure counts as
/// success if the object has the wanted settings.
pub(super) async fn outcome(
    driver: &dyn Driver,
    id: &str,
    fields: &[&str],
    settings: &Settings,
    changed: Result<(), Failure>,
) -> Result<(), Failure> {
    if changed.is_err()
        && let Ok(Some(now)) = driver.observe(id).await
    {
        let given = |settings: &Settings, field: &str| settings.get(field).cloned().unwrap_or_default();
        if fields.iter().all(|field| given(&now.settings, field) == given(settings, field)) {
            return Ok(());
        }
    }
    changed
}

fn tag_list(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.map(|tag| tag.expect("key and value are set")).collect()
}

/// The key schema, and the types of the key attributes.
fn keys(table: &View<'_, Table>) -> (Vec<KeySchemaElement>, Vec<AttributeDefinition>) {
    let hash = (table.hash_key(), table.hash_key_type(), KeyType::Hash);
    let range_type = table.range_key_type().unwrap_or_default();
    let range = table.range_key().map(|name| (name, range_type, KeyType::Range));
    let given = std::iter::once(hash).chain(range).map(|(name, of_type, role)| {
        let of_type = ScalarAttributeType::from(of_type);
        let key = KeySchemaElement::builder().attribute_name(name).key_type(role).build();
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(of_type).build();
        (key.expect("name and role are set"), attribute.expect("name and type are set"))
    });
    given.unzip()
}

/// Fields that are set and that CreateTable does not take.
fn later(table: &View<'_, Table>) -> Vec<&'static str> {
    let mut later = Vec::new();
    if table.point_in_time_recovery() == Some(true) {
        later.push("point_in_time_recovery");
    }
    if table.ttl_attribute().is_some() {
        later.push("ttl_attribute");
    }
    later
}

/// The capacity of a provisioned table; `None` for on-demand billing.
fn capacity(mode: &BillingMode) -> Option<ProvisionedThroughput> {
    let units =
        ProvisionedThroughput::builder().read_capacity_units(CAPACITY).write_capacity_units(CAPACITY).build();
    (*mode == BillingMode::Provisioned).then(|| units.expect("both are set"))
}

fn billing(table: &View<'_, Table>) -> BillingMode {
    BillingMode::from(table.billing_mode())
}

/// A stream with this view type; `None` turns the stream off.
fn stream(view: Option<&str>) -> StreamSpecification {
    let stream = StreamSpecification::builder().stream_enabled(view.is_some());
    let stream = stream.set_stream_view_type(view.map(StreamViewType::from));
    stream.build().expect("it is on or off")
}

/// Encryption with this KMS key; `None` means a key that AWS owns.
fn encryption(key: Option<&str>) -> SseSpecification {
    let encryption = SseSpecification::builder().enabled(key.is_some());
    let of_type = key.map(|_| SseType::Kms);
    encryption.set_sse_type(of_type).set_kms_master_key_id(key.map(ToOwned::to_owned)).build()
}

fn is_deleting(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Deleting)
}

/// The name and the type of a key.
fn key(table: &TableDescription, role: &KeyType) -> Option<(String, String)> {
    let key = table.key_schema().iter().find(|key| key.key_type() == role)?;
    let name = key.attribute_name();
    let attribute = table.attribute_definitions().iter().find(|found| found.attribute_name() == name)?;
    Some((name.to_owned(), attribute.attribute_type().as_str().to_owned()))
}

/// The view type of a table's stream; `None` if the stream is off.
fn view(table: &TableDescription) -> Option<&str> {
    let stream = table.stream_specification().filter(|stream| stream.stream_enabled())?;
    stream.stream_view_type().map(StreamViewType::as_str)
}

/// The KMS key of a table; `None` for a key that AWS owns.
fn kms_key(table: &TableDescription) -> Option<&str> {
    let encryption = table.sse_description()?;
    match encryption.status()? {
        SseStatus::Enabled | SseStatus::Enabling | SseStatus::Updating => encryption.kms_master_key_arn(),
        _ => None,
    }
}

/// The attributes that AWS assigns. DynamoDB returns the ARN of the last stream even if it is off: it counts
/// only while the stream is on.
fn known(table: &TableDescription) -> Settings {
    let stream = table.latest_stream_arn().filter(|_| view(table).is_some());
    let known = [("arn", table.table_arn()), ("stream_arn", stream)].into_iter();
    known.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

impl Tables {
    async fn describe(&self, id: &str) -> Result<Option<TableDescription>, Failure> {
        let described = found(call!("dynamodb:DescribeTable", self.0.describe_table().table_name(id)))?;
        Ok(described.and_then(|described| described.table))
    }

    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let arn = self.describe(id).await?.and_then(|table| table.table_arn);
        arn.ok_or_else(|| Failure::local("dynamodb:DescribeTable", format!("the table `{id}` is gone")))
    }

    async fn tags(&self, arn: &str) -> Result<Tags, Failure> {
        let tags = pages(|token| async {
            let request = self.0.list_tags_of_resource().resource_arn(arn).set_next_token(token);
            let page = call!("dynamodb:ListTagsOfResource", request)?;
            Ok((page.tags.unwrap_or_default(), page.next_token))
        });
        Ok(tags.await?.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// Returns true if point-in-time recovery is enabled.
    async fn has_recovery(&self, id: &str) -> Result<bool, Failure> {
        let request = self.0.describe_continuous_backups().table_name(id);
        let described = found(call!("dynamodb:DescribeContinuousBackups", request))?;
        let backups = described.and_then(|described| described.continuous_backups_description);
        let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
    }

    /// The TTL attribute: the time after which DynamoDB deletes an item.
    async fn ttl(&self, id: &str) -> Result<Option<String>, Failure> {
        let request = self.0.describe_time_to_live().table_name(id);
        let described = found(call!("dynamodb:DescribeTimeToLive", request))?;
        let ttl = described.and_then(|described| described.time_to_live_description);
        Ok(ttl.and_then(|ttl| match ttl.time_to_live_status? {
            TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling => ttl.attribute_name,
            _ => None,
        }))
    }

    async fn switch_ttl(&self, id: &str, attribute: &str, on: bool) -> Result<(), Failure> {
        let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build();
        let request = self.0.update_time_to_live().table_name(id);
        let request = request.time_to_live_specification(ttl.expect("attribute and state are set"));
        call!("dynamodb:UpdateTimeToLive", request).map(|_| ())
    }

    /// DynamoDB accepts another attribute only after the previous one is off, and allows one change per hour.
    /// So the second call fails until then.
    async fn put_ttl(&self, id: &str, attribute: Option<&str>) -> Result<(), Failure> {
        let now = self.ttl(id).await?;
        if now.as_deref() == attribute {
            return Ok(());
        }
        if let Some(now) = now {
            self.switch_ttl(id, &now, false).await?;
        }
        match attribute {
            Some(attribute) => self.switch_ttl(id, attribute, true).await.map_err(|failure| {
                if !failure.message.contains("multiple times") {
                    return failure;
                }
                let message = format!(
                    "{}. DynamoDB allows one change of the TTL attribute per hour; until then expired items \
                     stay. Apply again later",
                    failure.message
                );
                Failure { message, ..failure }
            }),
            None => Ok(()),
        }
    }

    async fn put_recovery(&self, id: &str, on: bool) -> Result<(), Failure> {
        let recovery = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on).build();
        let request = self.0.update_continuous_backups().table_name(id);
        let request = request.point_in_time_recovery_specification(recovery.expect("it is on or off"));
        call!("dynamodb:UpdateContinuousBackups", request).map(|_| ())
    }

    /// DynamoDB cannot change an enabled stream: this turns it off, and the next attempt turns it on again.
    async fn put_stream(&self, id: &str, wanted: Option<&str>) -> Result<(), Failure> {
        let table = self.describe(id).await?;
        let now = table.as_ref().and_then(view);
        if now == wanted {
            return Ok(());
        }
        let next = if now.is_some() { None } else { wanted };
        let request = self.0.update_table().table_name(id).stream_specification(stream(next));
        call!("dynamodb:UpdateTable", request)?;
        if next == wanted {
            return Ok(());
        }
        Err(not_yet(
            "dynamodb:UpdateTable",
            format!("the stream of `{id}` is turned off before its view type changes"),
        ))
    }

    async fn change(&self, id: &str, field: &str, wanted: &View<'_, Table>) -> Result<(), Failure> {
        let request = self.0.update_table().table_name(id);
        let request = match field {
            "point_in_time_recovery" => {
                return self.put_recovery(id, wanted.point_in_time_recovery().unwrap_or_default()).await;
            }
            "ttl_attribute" => return self.put_ttl(id, wanted.ttl_attribute()).await,
            "stream_view_type" => return self.put_stream(id, wanted.stream_view_type()).await,
            "billing_mode" => {
                let mode = billing(wanted);
                request.set_provisioned_throughput(capacity(&mode)).billing_mode(mode)
            }
            "kms_key_arn" => request.sse_specification(encryption(wanted.kms_key_arn())),
            "deletion_protection_enabled" => {
                request.set_deletion_protection_enabled(wanted.deletion_protection_enabled())
            }
            _ => return Ok(()),
        };
        call!("dynamodb:UpdateTable", request).map(|_| ())
    }
}

#[async_trait]
impl Driver for Tables {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(table) = self.describe(id).await?.filter(|table| !is_deleting(table)) else {
            return Ok(None);
        };
        let tags = self.tags(table.table_arn().unwrap_or_default()).await?;
        let (hash_key, hash_key_type) = key(&table, &KeyType::Hash).unzip();
        let (range_key, range_key_type) = key(&table, &KeyType::Range).unzip();
        // A table that was always provisioned has no summary.
        let billing = table.billing_mode_summary().and_then(BillingModeSummary::billing_mode);
        let seen = Seen::<Table>::default()
            .name(table.table_name())
            .hash_key(hash_key)
            .hash_key_type(hash_key_type)
            .range_key(range_key)
            .range_key_type(range_key_type)
            .billing_mode(billing.map_or("PROVISIONED", BillingMode::as_str))
            .point_in_time_recovery(self.has_recovery(id).await?)
            .ttl_attribute(self.ttl(id).await?)
            .stream_view_type(view(&table))
            .kms_key_arn(kms_key(&table))
            .deletion_protection_enabled(table.deletion_protection_enabled().unwrap_or(false));
        let settings = seen.settings();
        Ok(Some(Observed { id: id.to_owned(), settings, attributes: known(&table), tags }))
    }

    /// DynamoDB cannot filter by prefix: this lists every table.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let names = pages(|token| async {
            let request = self.0.list_tables().set_exclusive_start_table_name(token);
            let page = call!("dynamodb:ListTables", request)?;
            Ok((page.table_names.unwrap_or_default(), page.last_evaluated_table_name))
        });
        Ok(of_project(project, names.await?))
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let wanted = View::<Table>::of(settings);
        let name = wanted.name();
        let (keys, attributes) = keys(&wanted);
        let mode = billing(&wanted);
        let request = self
            .0
            .create_table()
            .table_name(name)
            .set_key_schema(Some(keys))
            .set_attribute_definitions(Some(attributes))
            .set_provisioned_throughput(capacity(&mode))
            .billing_mode(mode)
            .set_stream_specification(wanted.stream_view_type().map(|view| stream(Some(view))))
            .set_sse_specification(wanted.kms_key_arn().map(|key| encryption(Some(key))))
            .set_deletion_protection_enabled(wanted.deletion_protection_enabled())
            .set_tags(Some(tag_list(tags)).filter(|tags| !tags.is_empty()));
        let table = call!("dynamodb:CreateTable", request)?.table_description;
        for field in later(&wanted) {
            patiently(|| self.update(name, std::slice::from_ref(&field), settings)).await?;
        }
        let attributes = table.as_ref().map(known).unwrap_or_default();
        Ok(Created { id: name.to_owned(), attributes })
    }

    async fn ready(&self, id: &str) -> Result<(), Failure> {
        let Some(table) = self.describe(id).await? else {
            return Err(not_yet("dynamodb:DescribeTable", format!("`{id}` is not visible yet")));
        };
        let encryption = table.sse_description().and_then(SseDescription::status);
        let busy = matches!(table.table_status(), Some(TableStatus::Creating | TableStatus::Updating))
            || matches!(encryption, Some(SseStatus::Enabling | SseStatus::Disabling | SseStatus::Updating));
        if busy {
            return Err(not_yet("dynamodb:DescribeTable", format!("`{id}` is not active yet")));
        }
        Ok(())
    }

    /// DynamoDB accepts one change at a time.
    fn parts<'a>(&self, fields: &[&'a str]) -> Vec<Vec<&'a str>> {
        fields.iter().map(|field| vec![*field]).collect()
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        // A change that an interrupted apply began may still be in progress.
        self.ready(id).await?;
        for field in fields {
            let changed = self.change(id, field, &View::of(settings)).await;
            outcome(self, id, &[*field], settings, changed).await?;
        }
        Ok(())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let request = self.0.tag_resource().resource_arn(arn).set_tags(Some(tag_list(set)));
        call!("dynamodb:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("dynamodb:UntagResource", request).map(|_| ())
    }

    /// DynamoDB continues to delete a table after the call, and its name stays taken until then.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let Some(table) = self.describe(id).await? else { return Ok(()) };
        if !is_deleting(&table) {
            gone(call!("dynamodb:DeleteTable", self.0.delete_table().table_name(id)))?;
        }
        if self.is_gone(id).await? {
            return Ok(());
        }
        Err(not_yet("dynamodb:DeleteTable", format!("the table `{id}` is still being deleted")))
    }

    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.describe(id).await?.is_none())
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        let request = self.0.scan().table_name(id).select(Select::Count).consistent_read(true).limit(1);
        let scanned = found(call!("dynamodb:Scan", request))?;
        Ok(scanned.filter(|scanned| scanned.count() > 0).map(|_| "items".to_owned()))
    }
}
