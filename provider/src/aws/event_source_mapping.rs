//! Event source mappings: queues and streams that Lambda polls for a function.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{
    DestinationConfig, EventSourceMappingConfiguration, EventSourcePosition, Filter, FilterCriteria,
    FunctionResponseType, OnFailure, ScalingConfig,
};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::lambda;
use tandem_model::names;

use super::failure::{call, found, gone, not_yet};
use super::pages;

pub(super) struct EventSourceMappings(pub(super) Client);

fn response_types(mapping: &View<'_, lambda::EventSourceMapping>) -> Vec<FunctionResponseType> {
    let names = mapping.function_response_types();
    names.iter().map(|name| FunctionResponseType::from(name.as_str())).collect()
}

/// The destination of stream records that the function could not process.
fn failures(mapping: &View<'_, lambda::EventSourceMapping>) -> Option<DestinationConfig> {
    let on_failure = OnFailure::builder().destination(mapping.on_failure()?).build();
    Some(DestinationConfig::builder().on_failure(on_failure).build())
}

/// The filter of messages or records.
fn filter(mapping: &View<'_, lambda::EventSourceMapping>) -> Option<FilterCriteria> {
    let filter = Filter::builder().pattern(mapping.filter_pattern()?).build();
    Some(FilterCriteria::builder().filters(filter).build())
}

/// The limit of concurrent executions.
fn scaling(mapping: &View<'_, lambda::EventSourceMapping>) -> Option<ScalingConfig> {
    Some(ScalingConfig::builder().maximum_concurrency(mapping.maximum_concurrency()?).build())
}

/// The pattern of the only filter, as JSON; several filters are a list.
fn pattern(criteria: Option<&FilterCriteria>) -> Json {
    let parsed = |filter: &Filter| {
        let text = filter.pattern().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|_| json!(text))
    };
    match criteria.map(FilterCriteria::filters).unwrap_or_default() {
        [] => Json::Null,
        [one] => parsed(one),
        several => several.iter().map(parsed).collect(),
    }
}

/// The name in `arn:aws:lambda:region:account:function:name`.
fn function_name(mapping: &EventSourceMappingConfiguration) -> Option<&str> {
    mapping.function_arn()?.split(':').nth(6)
}

fn observed(now: &EventSourceMappingConfiguration, tags: Tags) -> Observed {
    let function = function_name(now);
    let types: Vec<&str> = now.function_response_types().iter().map(FunctionResponseType::as_str).collect();
    let state = now.state().unwrap_or_default();
    // AWS returns an empty `OnFailure` for a stream without a destination.
    let failures = now.destination_config().and_then(DestinationConfig::on_failure);
    Observed {
        id: now.uuid().unwrap_or_default().to_owned(),
        settings: Seen::<lambda::EventSourceMapping>::default()
            .function_name(function)
            .event_source_arn(now.event_source_arn())
            .starting_position(now.starting_position().map(EventSourcePosition::as_str))
            .batch_size(now.batch_size())
            .maximum_batching_window_in_seconds(now.maximum_batching_window_in_seconds().unwrap_or(0))
            .function_response_types(types)
            .maximum_concurrency(now.scaling_config().and_then(ScalingConfig::maximum_concurrency))
            .filter_pattern(pattern(now.filter_criteria()))
            .bisect_batch_on_function_error(now.bisect_batch_on_function_error())
            .maximum_record_age_in_seconds(now.maximum_record_age_in_seconds())
            .maximum_retry_attempts(now.maximum_retry_attempts())
            .parallelization_factor(now.parallelization_factor())
            .on_failure(failures.and_then(OnFailure::destination))
            .enabled(!state.starts_with("Disabl"))
            .settings(),
        tags,
        ..Observed::default()
    }
}

impl EventSourceMappings {
    async fn with_tags(&self, now: &EventSourceMappingConfiguration) -> Result<Observed, Failure> {
        let arn = now.event_source_mapping_arn().unwrap_or_default();
        let listed = found(call!("lambda:ListTags", self.0.list_tags().resource(arn)))?;
        let tags = listed.and_then(|listed| listed.tags).unwrap_or_default();
        Ok(observed(now, tags.into_iter().collect()))
    }

    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let mapping = call!("lambda:GetEventSourceMapping", self.0.get_event_source_mapping().uuid(id))?;
        Ok(mapping.event_source_mapping_arn.unwrap_or_default())
    }
}

#[async_trait]
impl Driver for EventSourceMappings {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let mapping =
            found(call!("lambda:GetEventSourceMapping", self.0.get_event_source_mapping().uuid(id)))?;
        let Some(mapping) = mapping.filter(|mapping| mapping.state() != Some("Deleting")) else {
            return Ok(None);
        };
        let configuration = EventSourceMappingConfiguration::builder()
            .set_uuid(mapping.uuid)
            .set_function_arn(mapping.function_arn)
            .set_event_source_arn(mapping.event_source_arn)
            .set_starting_position(mapping.starting_position)
            .set_batch_size(mapping.batch_size)
            .set_maximum_batching_window_in_seconds(mapping.maximum_batching_window_in_seconds)
            .set_function_response_types(mapping.function_response_types)
            .set_bisect_batch_on_function_error(mapping.bisect_batch_on_function_error)
            .set_maximum_record_age_in_seconds(mapping.maximum_record_age_in_seconds)
            .set_maximum_retry_attempts(mapping.maximum_retry_attempts)
            .set_parallelization_factor(mapping.parallelization_factor)
            .set_scaling_config(mapping.scaling_config)
            .set_filter_criteria(mapping.filter_criteria)
            .set_destination_config(mapping.destination_config)
            .set_state(mapping.state)
            .set_event_source_mapping_arn(mapping.event_source_mapping_arn)
            .build();
        self.with_tags(&configuration).await.map(Some)
    }

    async fn find(&self, settings: &Settings) -> Result<Option<Observed>, Failure> {
        let wanted = View::<lambda::EventSourceMapping>::of(settings);
        let request = self
            .0
            .list_event_source_mappings()
            .function_name(wanted.function_name())
            .event_source_arn(wanted.event_source_arn());
        let listed = found(call!("lambda:ListEventSourceMappings", request))?;
        let mappings = listed.and_then(|listed| listed.event_source_mappings).unwrap_or_default();
        match mappings.iter().find(|mapping| mapping.state() != Some("Deleting")) {
            Some(mapping) => self.with_tags(mapping).await.map(Some),
            None => Ok(None),
        }
    }

    /// A mapping has no name: lists those of the project's functions, including functions that are gone.
    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let mappings = pages(|token| async {
            let page = call!(
                "lambda:ListEventSourceMappings",
                self.0.list_event_source_mappings().set_marker(token)
            )?;
            Ok((page.event_source_mappings.unwrap_or_default(), page.next_marker))
        });
        let prefix = names::prefix(project);
        let of_project = mappings
            .await?
            .into_iter()
            .filter(|mapping| function_name(mapping).is_some_and(|function| function.starts_with(&prefix)));
        Ok(of_project.filter_map(|mapping| mapping.uuid).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let mapping = View::<lambda::EventSourceMapping>::of(settings);
        let request = self
            .0
            .create_event_source_mapping()
            .function_name(mapping.function_name())
            .event_source_arn(mapping.event_source_arn())
            .set_starting_position(mapping.starting_position().map(EventSourcePosition::from))
            .set_batch_size(mapping.batch_size())
            .set_maximum_batching_window_in_seconds(mapping.maximum_batching_window_in_seconds())
            .set_function_response_types(Some(response_types(&mapping)))
            .set_bisect_batch_on_function_error(mapping.bisect_batch_on_function_error())
            .set_maximum_record_age_in_seconds(mapping.maximum_record_age_in_seconds())
            .set_maximum_retry_attempts(mapping.maximum_retry_attempts())
            .set_parallelization_factor(mapping.parallelization_factor())
            .set_scaling_config(scaling(&mapping))
            .set_filter_criteria(filter(&mapping))
            .set_destination_config(failures(&mapping))
            .set_enabled(mapping.enabled())
            .set_tags(Some(tags.clone().into_iter().collect()));
        let created = call!("lambda:CreateEventSourceMapping", request)?;
        Ok(Created { id: created.uuid.unwrap_or_default(), ..Created::default() })
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let tags = Some(set.clone().into_iter().collect());
        call!("lambda:TagResource", self.0.tag_resource().resource(arn).set_tags(tags)).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource(arn).set_tag_keys(Some(remove.to_vec()));
        call!("lambda:UntagResource", request).map(|_| ())
    }

    async fn ready(&self, id: &str) -> Result<(), Failure> {
        let mapping =
            found(call!("lambda:GetEventSourceMapping", self.0.get_event_source_mapping().uuid(id)))?;
        match mapping.as_ref().and_then(|mapping| mapping.state()) {
            Some("Creating" | "Enabling" | "Updating") => {
                Err(not_yet("lambda:GetEventSourceMapping", "the event source mapping is not enabled yet"))
            }
            _ => Ok(()),
        }
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let mapping = View::<lambda::EventSourceMapping>::of(settings);
        let failures = failures(&mapping);
        // An empty destination removes the old one. Lambda rejects any destination for a queue.
        // Empty criteria and an empty scaling configuration remove the old ones, too.
        let everything = || fields.contains(&"filter_pattern").then(|| FilterCriteria::builder().build());
        let unlimited = || fields.contains(&"maximum_concurrency").then(|| ScalingConfig::builder().build());
        let nowhere = || fields.contains(&"on_failure").then(|| DestinationConfig::builder().build());
        let request = self
            .0
            .update_event_source_mapping()
            .uuid(id)
            .function_name(mapping.function_name())
            .set_batch_size(mapping.batch_size())
            .set_maximum_batching_window_in_seconds(mapping.maximum_batching_window_in_seconds())
            .set_function_response_types(Some(response_types(&mapping)))
            .set_bisect_batch_on_function_error(mapping.bisect_batch_on_function_error())
            .set_maximum_record_age_in_seconds(mapping.maximum_record_age_in_seconds())
            .set_maximum_retry_attempts(mapping.maximum_retry_attempts())
            .set_parallelization_factor(mapping.parallelization_factor())
            .set_scaling_config(scaling(&mapping).or_else(unlimited))
            .set_filter_criteria(filter(&mapping).or_else(everything))
            .set_destination_config(failures.or_else(nowhere))
            .set_enabled(mapping.enabled());
        call!("lambda:UpdateEventSourceMapping", request).map(|_| ())
    }

    async fn children(&self, parent: &'static Kind, function: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != lambda::FUNCTION.name {
            return Ok(Vec::new());
        }
        let mappings = pages(|token| async {
            let request = self.0.list_event_source_mappings().function_name(&function.id).set_marker(token);
            let page = found(call!("lambda:ListEventSourceMappings", request))?;
            // A deleted function has no mappings.
            let page = page.map(|page| (page.event_source_mappings.unwrap_or_default(), page.next_marker));
            Ok(page.unwrap_or_default())
        });
        let mut children = Vec::new();
        for mapping in mappings.await?.iter().filter(|mapping| mapping.state() != Some("Deleting")) {
            children.push(self.with_tags(mapping).await?);
        }
        Ok(children)
    }

    /// Lambda polls for a while after the call: the mapping is gone once Lambda does not find it.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let get = || self.0.get_event_source_mapping().uuid(id);
        let mapping = found(call!("lambda:GetEventSourceMapping", get()))?;
        let Some(mapping) = mapping else { return Ok(()) };
        if mapping.state() != Some("Deleting") {
            gone(call!("lambda:DeleteEventSourceMapping", self.0.delete_event_source_mapping().uuid(id)))?;
            if found(call!("lambda:GetEventSourceMapping", get()))?.is_none() {
                return Ok(());
            }
        }
        Err(not_yet("lambda:DeleteEventSourceMapping", "the event source mapping is still being deleted"))
    }
}
