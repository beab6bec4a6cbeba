//! What can go wrong with a call, or with whoever makes it.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::double::{Refusal, wire};

/// A fault, at one mutating call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The provider is killed, and AWS has not seen the call.
    KillBefore,
    /// The provider is killed, and AWS has carried the call out.
    KillAfter,
    /// Terraform is killed: the provider ends what it does, and the state stays as it was before.
    StateLost,
    /// Terraform is killed while it writes the state: the provider ends what it does, and the state is empty.
    StateGone,
    /// One Ctrl-C: Terraform asks the provider to stop.
    Stop,
    /// Two: Terraform leaves at once, and the provider is killed two seconds later.
    StopTwice,
    /// The call arrives late.
    Delay,
    /// The service finds that there are too many calls, longer than the SDK tries by itself.
    Throttled,
    /// The service fails three times.
    ServerError,
    /// The connection is reset before AWS has seen the call.
    ResetBefore,
    /// AWS has carried the call out, and the connection is reset before its answer.
    AnswerLost,
    /// The call may not be made.
    Denied,
    /// The next reads of the service are answered as if the call had not been made.
    Stale,
    /// The service does not know yet that it may take on the role.
    RoleUnknown,
}

/// How many reads are answered with what was.
pub const STALE_READS: usize = 3;

/// How late a late call is.
pub const DELAY: Duration = Duration::from_secs(45);

/// More than the SDK's ten tries.
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

    /// Whether a call can meet it; `after` are the calls that follow.
    pub fn fits(self, call: &str, after: &[String]) -> bool {
        let (operation, _) = call.split_once(' ').unwrap_or((call, ""));
        let (service, verb) = operation.split_once(':').unwrap_or((operation, ""));
        match self {
            Self::RoleUnknown => role_unknown(verb).is_some(),
            // What is pushed goes through a registry's own protocol.
            Self::Throttled | Self::ServerError | Self::ResetBefore | Self::AnswerLost => verb != "Push",
            // With room for another order of calls.
            Self::Stale => {
                let read = format!("{service}:read");
                after.iter().filter(|call| **call == read).count() >= STALE_READS
            }
            _ => true,
        }
    }

    /// How a service answers a request that meets this fault; `None` for a fault that is no refusal.
    pub fn answer(self, request: http::Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).ok()?;
        let read = wire::read(&request);
        let (_, refusal) = self.refusal(&read.call.service, &read.call.operation)?;
        let answer = wire::write(&read, &Err(refusal)).try_into_http1x().ok()?;
        Some(answer.map(|body| body.bytes().unwrap_or_default().to_vec()))
    }

    /// How it refuses a call: how often, and with what.
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

/// How a service refuses a call when there are too many.
pub(crate) fn too_many(service: &str) -> Refusal {
    let (status, code) = throttled(service);
    Refusal { status, code: code.to_owned(), message: "Rate exceeded".to_owned() }
}

/// How a service says that there are too many calls.
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

/// How an operation says that a role is not known yet.
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

/// Whether a call changes something.
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
