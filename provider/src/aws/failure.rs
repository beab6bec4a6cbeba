//! Classifies AWS errors by their code and by parts of their message.

use std::time::Duration;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tandem_engine::driver::{Class, Failure};

const MINUTE: u64 = 60;

/// Failures that pass: the code, a part of the message, and the time limit for retries in seconds.
/// AWS rewords messages, so each part is as short as possible.
const PASSING: &[(&str, &str, u64)] = &[
    // IAM is eventually consistent: a new role or policy is not visible everywhere at once.
    ("InvalidParameterValueException", "cannot be assumed by Lambda", 5 * MINUTE),
    ("InvalidParameterValueException", "does not have permissions", 5 * MINUTE),
    ("InvalidParameterValueException", "ensure the role can perform", 5 * MINUTE),
    ("InvalidParameterValueException", "throttled by EC2", 5 * MINUTE),
    ("InvalidParameterValueException", "KMS key is invalid for CreateGrant", 5 * MINUTE),
    ("ValidationException", "must allow AWS EventBridge Scheduler to assume the role", 2 * MINUTE),
    ("AccessDeniedException", "authorized to assume the provided role", 5 * MINUTE),
    ("AccessDeniedException", "managed-rule", 5 * MINUTE),
    ("AccessDeniedException", "is not authorized to access the Log Destination", 5 * MINUTE),
    ("ValidationException", "cannot be assumed by principal", 2 * MINUTE),
    ("MalformedPolicyDocument", "Invalid principal in policy", 2 * MINUTE),
    ("InvalidArgument", "Unable to validate the following destination configurations", 2 * MINUTE),
    ("InvalidParameterValue", "Dead letter target does not exist", 2 * MINUTE),
    // Another operation on the same object is in progress.
    ("ConcurrentAccess", "", 2 * MINUTE),
    ("StaleTag", "", 2 * MINUTE),
    ("ResourceConflictException", "in progress", 5 * MINUTE),
    ("ResourceConflictException", "is currently in the following state", 5 * MINUTE),
    ("ResourceInUseException", "", 5 * MINUTE),
    // EventBridge still sees targets that were just removed.
    ("ValidationException", "since it has targets", 5 * MINUTE),
    // The cluster or its capacity providers are being created.
    ("UpdateInProgressException", "", 5 * MINUTE),
    ("ClientException", "not ACTIVE", 5 * MINUTE),
    // Continuous backups of a new table are not available yet.
    ("ContinuousBackupsUnavailableException", "", 20 * MINUTE),
    // AWS limits how many tables and streams are created or changed at once.
    ("LimitExceededException", "simultaneously", 5 * MINUTE),
    ("OperationAborted", "", 2 * MINUTE),
    ("OperationAbortedException", "", 2 * MINUTE),
    ("ConcurrentModification", "", 2 * MINUTE),
    ("ConcurrentModificationException", "", 2 * MINUTE),
    ("DeleteConflict", "", 2 * MINUTE),
    ("ConflictException", "is being deleted", 5 * MINUTE),
    ("ConflictException", "concurrent modification", 2 * MINUTE),
    ("PreconditionFailedException", "", MINUTE),
    ("InvalidParameterException", "Unable to assume the service linked role", 2 * MINUTE),
    ("ClusterContainsTasksException", "", 5 * MINUTE),
    ("StateMachineDeleting", "", 5 * MINUTE),
    // The network interface of a task that just ended holds its security group.
    ("DependencyViolation", "", 10 * MINUTE),
    // A queue's name is free again 60 seconds after its delete.
    ("AWS.SimpleQueueService.QueueDeletedRecently", "", 90),
    ("QueueDeletedRecently", "", 90),
    // Still throttled after the SDK's own retries.
    ("ThrottlingException", "", 5 * MINUTE),
    ("KmsThrottlingException", "", 5 * MINUTE),
    ("KMSThrottlingException", "", 5 * MINUTE),
    ("KMSThrottling", "", 5 * MINUTE),
    ("Throttling", "", 5 * MINUTE),
    ("TooManyRequestsException", "", 5 * MINUTE),
    ("LimitExceededException", "Rate exceeded", 5 * MINUTE),
    ("ProvisionedThroughputExceededException", "", 5 * MINUTE),
    ("RequestLimitExceeded", "", 5 * MINUTE),
    ("RequestThrottled", "", 5 * MINUTE),
    ("SlowDown", "", 5 * MINUTE),
    ("ServiceUnavailable", "", MINUTE),
    ("ServiceException", "", MINUTE),
    ("InternalError", "", MINUTE),
    ("InternalFailure", "", MINUTE),
];

/// Longest time for which a new object is invisible to other calls.
const UNSEEN: Duration = Duration::from_secs(30);

const NOT_FOUND: &[&str] = &[
    "NoSuchEntity",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "NotFoundException",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    "ResourceNotFoundException",
    "ResourceNotFound",
    "TableNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "StateMachineDoesNotExist",
    "RepositoryNotFoundException",
    "LifecyclePolicyNotFoundException",
    "ImageNotFoundException",
    "ClusterNotFoundException",
    "InvalidGroup.NotFound",
    "InvalidPermission.NotFound",
    "InvalidSubnetID.NotFound",
];

const ALREADY_EXISTS: &[&str] = &[
    "EntityAlreadyExists",
    "ResourceAlreadyExistsException",
    "BucketAlreadyOwnedByYou",
    "BucketAlreadyExists",
    "QueueAlreadyExists",
    "QueueNameExists",
    "StateMachineAlreadyExists",
    "RepositoryAlreadyExistsException",
    "InvalidGroup.Duplicate",
];

/// Converts an error of the SDK to a failure.
pub(super) fn failure<E, R>(operation: &str, error: SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let (code, message) = match error.as_service_error() {
        // Not one of the service's own errors: only the whole chain of errors states the cause.
        Some(service) if service.meta().code().is_none() => {
            (String::new(), DisplayErrorContext(&error).to_string())
        }
        Some(service) => {
            let meta = service.meta();
            let message = meta.message().map(ToOwned::to_owned);
            (meta.code().unwrap_or_default().to_owned(), message.unwrap_or_else(|| service.to_string()))
        }
        None => (String::new(), DisplayErrorContext(&error).to_string()),
    };
    let transport = matches!(
        error,
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_)
    );
    let failure = answered(operation, &code, &message);
    if transport { Failure { class: Class::Final, ..failure } } else { failure }
}

/// Parts of the codes of errors that report a missing permission.
const DENIED: &[&str] = &["AccessDenied", "AuthorizationError", "Unauthorized", "NotAuthorized", "Forbidden"];

/// Converts an error of a service to a failure.
pub(super) fn answered(operation: &str, code: &str, message: &str) -> Failure {
    Failure {
        class: classify(operation, code, message),
        denied: DENIED.iter().any(|part| code.contains(part)),
        operation: operation.to_owned(),
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn classify(operation: &str, code: &str, message: &str) -> Class {
    // This code means both that the table or stream exists and that a change of it is in progress.
    let made = matches!(operation, "dynamodb:CreateTable" | "kinesis:CreateStream");
    if made && code == "ResourceInUseException" && !message.contains("is being deleted") {
        return Class::AlreadyExists;
    }
    // SNS: the topic or subscription exists with other tags or attributes.
    if code.starts_with("InvalidParameter") && message.contains("already exists with different") {
        return Class::AlreadyExists;
    }
    if code == "ConflictException"
        && matches!(operation, "states:UpdateStateMachine" | "states:DeleteStateMachine")
    {
        return Class::Passing(Duration::from_secs(2 * MINUTE));
    }
    let passing = PASSING.iter().find(|(known, part, _)| *known == code && message.contains(part));
    if let Some((_, _, seconds)) = passing {
        return Class::Passing(Duration::from_secs(*seconds));
    }
    let verb = operation.split_once(':').map_or(operation, |(_, call)| call);
    if NOT_FOUND.contains(&code) {
        // A new object is not visible everywhere at once: a call that depends on it is retried.
        let builds_on = ["Put", "Set", "Add", "Create", "Tag", "Update", "Associate", "Subscribe"];
        return if builds_on.iter().any(|start| verb.starts_with(start)) {
            Class::Passing(UNSEEN)
        } else {
            Class::NotFound
        };
    }
    // Any other conflict in a create call means that the object exists.
    let exists = matches!(code, "ResourceConflictException" | "ConflictException");
    if ALREADY_EXISTS.contains(&code) || (exists && (verb.starts_with("Create") || verb.starts_with("Add"))) {
        return Class::AlreadyExists;
    }
    Class::Final
}

/// Turns "not found" into `None`.
pub(super) fn found<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.class == Class::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Turns "not found" into success, for deletes.
pub(super) fn gone<T>(result: Result<T, Failure>) -> Result<(), Failure> {
    found(result).map(|_| ())
}

/// A failure that passes soon: a new object is not visible everywhere at once.
pub(super) fn unseen(operation: &str, message: impl Into<String>) -> Failure {
    Failure { class: Class::Passing(UNSEEN), ..not_yet(operation, message) }
}

/// A failure that passes by itself: an operation is still in progress.
pub(super) fn not_yet(operation: &str, message: impl Into<String>) -> Failure {
    Failure {
        class: Class::Passing(Duration::from_secs(15 * MINUTE)),
        denied: false,
        operation: operation.to_owned(),
        code: String::new(),
        message: message.into(),
    }
}

/// Sends a request; a failure names the operation: `call!("lambda:GetFunction", client.get_function()…)`.
macro_rules! call {
    ($operation:literal, $request:expr) => {{
        // A call whose rights no kind declares does not compile.
        const CALL: tandem_model::kind::call::Call = tandem_model::kind::call::Call::declared($operation);
        $request.send().await.map_err(|error| $crate::aws::failure::failure(CALL.name(), error))
    }};
}
pub(super) use call;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_code_can_mean_two_things() {
        let exists =
            classify("lambda:CreateFunction", "ResourceConflictException", "Function already exist: f");
        assert_eq!(exists, Class::AlreadyExists);
        let busy = classify(
            "lambda:UpdateFunctionCode",
            "ResourceConflictException",
            "An update is in progress for resource",
        );
        assert!(matches!(busy, Class::Passing(_)));
        let quota = classify("iam:CreateRole", "LimitExceeded", "Cannot exceed quota for RolesPerAccount");
        assert_eq!(quota, Class::Final);
    }
}
