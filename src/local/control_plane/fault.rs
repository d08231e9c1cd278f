//! The ways in which AWS and the network can fail a caller, for tests to choose from.
//! Guarantees that a fault hits only requests it is meant for, in the order of injection, as often as asked.
//! What a fault does to an answer is carried out where answers are sent.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::body::Bytes;

use super::answer::{Answer, AwsError, ErrorName};
use super::route::Operation;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// This answer instead of any work: nothing is committed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The header `x-amzn-errortype`, if any.
        error_type: Option<String>,
        /// Further headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The connection is reset and nothing is committed.
    ResetBeforeCommit,
    /// The change is made, then the connection is reset: the reply is lost.
    ResetAfterCommit,
    /// No answer ever comes and nothing is committed.
    HangBeforeCommit,
    /// The change is made, but no answer ever comes.
    HangAfterCommit,
    /// The true answer, one byte of the body at a time.
    SlowBody {
        /// The wait before each byte.
        every: Duration,
    },
    /// The true answer, but the connection ends in the middle of the body.
    TruncatedBody,
    /// The true answer, but its body is the first half of the JSON, sent as if it were whole.
    HalfJson,
    /// The true status with no body.
    EmptyBody,
    /// The true status with a body that is no JSON.
    NotJson,
    /// The true answer under another status.
    Status(u16),
    /// The true answer, declared as HTML.
    WrongContentType,
    /// 409 as if the statement id were taken.
    Duplicate {
        /// Whether the request is carried out first, as when an earlier attempt had succeeded unseen.
        commit: bool,
    },
    /// The true answer after a wait. The change is made when it is over, even if the caller has gone by then.
    Delay(Duration),
}

/// One queued fault: what, for which operation, how often.
#[derive(Clone, Debug)]
pub struct Fault {
    kind: FaultKind,
    operation: Option<Operation>,
    count: usize,
}

impl Fault {
    /// A fault for the next request, whatever it is.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, operation: None, count: 1 }
    }

    /// Only for requests of this operation.
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// For this many requests; zero is none.
    pub fn times(self, count: usize) -> Self {
        Self { count, ..self }
    }

    /// An error in AWS's own shape, without commit.
    pub fn error(name: ErrorName, message: &str) -> Self {
        Self::answer(AwsError::new(name, message))
    }

    /// 403 with a null message, as recorded.
    pub fn access_denied() -> Self {
        Self::answer(AwsError::access_denied())
    }

    /// 409 because another update is running; nothing is committed.
    pub fn concurrent_update() -> Self {
        Self::answer(AwsError::concurrent_update())
    }

    /// 412 as functions answer it; nothing is committed.
    pub fn revision_mismatch() -> Self {
        Self::answer(AwsError::revision_mismatch("GetPolicy"))
    }

    /// 429, with a `Retry-After` header if seconds are given.
    pub fn throttled(retry_after: Option<u32>) -> Self {
        let body = r#"{"Type":"User","message":"Rate exceeded","Reason":"CallerRateLimitExceeded"}"#;
        let header = |seconds: u32| ("Retry-After".to_owned(), seconds.to_string());
        Self::new(FaultKind::Answer {
            status: ErrorName::TooManyRequests.status(),
            error_type: Some(ErrorName::TooManyRequests.to_string()),
            headers: retry_after.map(header).into_iter().collect(),
            body: body.to_owned(),
        })
    }

    fn answer(error: AwsError) -> Self {
        let answer = Answer::from(error);
        Self::new(FaultKind::Answer {
            status: answer.status,
            error_type: answer.error_type,
            headers: answer.headers,
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        })
    }
}

/// What happens when a change of a function or layer arrives while another one is being made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcurrentUpdates {
    /// One after the other; none is lost and none refused.
    #[default]
    Serialise,
    /// Today's AWS: a change takes as long as the window, and one that arrives meanwhile is refused with 409.
    Refuse {
        /// How long one change takes.
        window: Duration,
    },
    /// AWS as it used to be: changes are read, modified and written over each other, and all are answered 201.
    LoseSilently {
        /// How long one change takes.
        window: Duration,
    },
}

/// The queued faults.
#[derive(Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        if fault.count > 0 {
            self.0.push_back(fault);
        }
    }

    pub(super) fn left(&self) -> usize {
        self.0.iter().map(|fault| fault.count).sum()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first queued fault that is meant for such a request.
    pub(super) fn take(&mut self, operation: Option<Operation>) -> Option<FaultKind> {
        let matches = |fault: &Fault| fault.operation.is_none() || fault.operation == operation;
        let place = self.0.iter().position(matches)?;
        let fault = self.0.get_mut(place)?;
        fault.count -= 1;
        let kind = fault.kind.clone();
        if fault.count == 0 {
            self.0.remove(place);
        }
        Some(kind)
    }
}

/// The true answer with its body or content type spoilt, for the faults that do just that.
pub(super) fn spoil(mut answer: Answer, kind: &FaultKind) -> Answer {
    match kind {
        FaultKind::EmptyBody => answer.body = Bytes::new(),
        FaultKind::NotJson => answer.body = Bytes::from_static(b"upstream connect error"),
        FaultKind::HalfJson => answer.body.truncate(answer.body.len() / 2),
        FaultKind::Status(status) => answer.status = *status,
        FaultKind::WrongContentType => answer.content_type = "text/html",
        _ => {}
    }
    answer
}
