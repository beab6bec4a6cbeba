//! Faults that the matrix injects into a call, or into the process that makes it.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::double::{Refusal, wire};

/// A fault, which meets one mutating call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The provider is killed before AWS receives the call.
    KillBefore,
    /// The provider is killed after AWS executed the call.
    KillAfter,
    /// Terraform is killed: the provider finishes its work, and the state file keeps its old content.
    StateLost,
    /// Terraform is killed while it writes the state: the provider finishes its work, and the state is empty.
    StateGone,
    /// One Ctrl-C: Terraform asks the provider to stop.
    Stop,
    /// Ctrl-C twice: Terraform exits at once, and the provider is killed two seconds later.
    StopTwice,
    /// The call arrives late, after [`DELAY`].
    Delay,
    /// The service throttles the call more often than the SDK retries it.
    Throttled,
    /// The service fails with an internal error three times.
    ServerError,
    /// The connection is reset before AWS receives the call.
    ResetBefore,
    /// AWS executes the call, and the connection is reset before the answer arrives.
    AnswerLost,
    /// AWS denies the call once.
    Denied,
    /// The next reads of the service return the state from before the call.
    Stale,
    /// The service cannot assume the role yet.
    RoleUnknown,
}

/// The number of reads that return the old state.
pub const STALE_READS: usize = 3;

/// The delay of a late call.
pub const DELAY: Duration = Duration::from_secs(45);

/// More refusals than the ten attempts of the SDK.
const THROTTLED: usize = 12;

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 14] = [
        Self::KillBefore,
        Self::KillAfter,
        Self::StateLost,
        Self::StateGone,
        Self::Stop,
        Self::StopTwice,
        Self::Delay,
        Self::Throttled,
        Self::ServerError,
        Self::ResetBefore,
        Self::AnswerLost,
        Self::Denied,
        Self::Stale,
        Self::RoleUnknown,
    ];

    /// Returns true if the call can meet this fault. `after` lists the calls that follow it.
    pub fn fits(self, call: &str, after: &[String]) -> bool {
        let (operation, _) = call.split_once(' ').unwrap_or((call, ""));
        let (service, verb) = operation.split_once(':').unwrap_or((operation, ""));
        match self {
            Self::RoleUnknown => role_unknown(verb).is_some(),
            // An image push uses the protocol of registries, not an AWS API.
            Self::Throttled | Self::ServerError | Self::ResetBefore | Self::AnswerLost => verb != "Push",
            // The order of calls varies: several later reads make it likely that one follows the call.
            Self::Stale => {
                let read = format!("{service}:read");
                after.iter().filter(|call| **call == read).count() >= STALE_READS
            }
            _ => true,
        }
    }

    /// The response of a service to a request that meets this fault; `None` if the fault is not a refusal.
    pub fn answer(self, request: http::Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).ok()?;
        let read = wire::read(&request);
        let (_, refusal) = self.refusal(&read.call.service, &read.call.operation)?;
        let answer = wire::write(&read, &Err(refusal)).try_into_http1x().ok()?;
        Some(answer.map(|body| body.bytes().unwrap_or_default().to_vec()))
    }

    /// The number of refusals, and the refusal; `None` if the fault is not a refusal.
    pub(crate) fn refusal(self, service: &str, operation: &str) -> Option<(usize, Refusal)> {
        let refusal = |status, code: &str, message: &str| Refusal {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        match self {
            Self::Throttled => Some((THROTTLED, too_many(service))),
            Self::ServerError => {
                let code = match service {
                    "s3" | "ec2" => "InternalError",
                    "lambda" => "ServiceException",
                    "ecs" | "ecr" => "ServerException",
                    "scheduler" => "InternalServerException",
                    "events" => "InternalException",
                    "logs" => "ServiceUnavailableException",
                    "iam" => "ServiceFailure",
                    _ => "InternalFailure",
                };
                Some((3, refusal(500, code, "We encountered an internal error. Please try again.")))
            }
            Self::Denied => {
                let code = match service {
                    "s3" | "iam" => "AccessDenied",
                    "ec2" => "UnauthorizedOperation",
                    _ => "AccessDeniedException",
                };
                let message = format!("User is not authorized to perform: {service}:{operation}");
                Some((1, refusal(403, code, &message)))
            }
            Self::RoleUnknown => {
                let (code, message) = role_unknown(operation)?;
                Some((4, refusal(400, code, message)))
            }
            _ => None,
        }
    }
}

/// The refusal of a service that throttles.
pub(crate) fn too_many(service: &str) -> Refusal {
    let (status, code) = throttled(service);
    Refusal { status, code: code.to_owned(), message: "Rate exceeded".to_owned() }
}

/// The HTTP status and the error code with which a service throttles.
fn throttled(service: &str) -> (u16, &'static str) {
    match service {
        "iam" | "monitoring" | "sns" => (400, "Throttling"),
        "apigateway" | "lambda" => (429, "TooManyRequestsException"),
        "scheduler" => (429, "ThrottlingException"),
        "s3" => (503, "SlowDown"),
        "sqs" => (403, "RequestThrottled"),
        "ec2" => (503, "RequestLimitExceeded"),
        "kinesis" => (400, "LimitExceededException"),
        _ => (400, "ThrottlingException"),
    }
}

/// The error code and message of an operation whose service cannot assume the role yet; `None` for operations
/// that do not check a role.
fn role_unknown(operation: &str) -> Option<(&'static str, &'static str)> {
    match operation {
        "CreateFunction" | "UpdateFunctionConfiguration" => Some((
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        )),
        "CreateEventSourceMapping" => Some((
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        )),
        "CreateStateMachine" | "UpdateStateMachine" => Some((
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to \
             assume the provided role.",
        )),
        "CreateSchedule" | "UpdateSchedule" => Some((
            "ValidationException",
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
        )),
        _ => None,
    }
}

/// Returns true if an operation changes something in AWS.
pub fn is_mutating(operation: &str) -> bool {
    const READS: [&str; 6] = ["Get", "List", "Describe", "Head", "Scan", "Validate"];
    !READS.iter().any(|read| operation.starts_with(read))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillBefore => "provider killed before the call",
            Self::KillAfter => "provider killed after the call",
            Self::StateLost => "Terraform killed, state as before",
            Self::StateGone => "Terraform killed, state empty",
            Self::Stop => "Ctrl-C",
            Self::StopTwice => "Ctrl-C twice",
            Self::Delay => "call delayed",
            Self::Throttled => "throttled",
            Self::ServerError => "internal errors",
            Self::ResetBefore => "connection reset before the call",
            Self::AnswerLost => "answer lost",
            Self::Denied => "access denied",
            Self::Stale => "stale reads",
            Self::RoleUnknown => "role not known yet",
        })
    }
}
