//! The record of every request that arrived, for tests to look at afterwards.
//! Guarantees that a request is recorded when it has arrived, even if it is never answered.
//! It keeps what was sent as it was sent, the authorization header included; it is for loopback only.

use super::route::Operation;

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The HTTP method.
    pub method: String,
    /// The path as it arrived, still percent-encoded.
    pub path: String,
    /// The query as it arrived, without the question mark.
    pub query: String,
    /// All headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Which of the six operations it was, if any.
    pub operation: Option<Operation>,
    /// The status answered; none while there is no answer, and for ever when the connection was reset or hangs.
    pub status: Option<u16>,
    /// The request id that went back with the answer.
    pub request_id: String,
    /// Whether a policy was changed.
    pub committed: bool,
}

impl Call {
    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }
}

/// The calls in order of arrival.
#[derive(Default)]
pub(super) struct Calls {
    next: u64,
    all: Vec<(u64, Call)>,
}

impl Calls {
    /// Records an arrival; the number finds it again, also after a clearing.
    pub(super) fn arrived(&mut self, call: Call) -> u64 {
        self.next += 1;
        self.all.push((self.next, call));
        self.next
    }

    pub(super) fn update(&mut self, number: u64, change: impl FnOnce(&mut Call)) {
        let mut calls = self.all.iter_mut();
        if let Some((_, call)) = calls.find(|(known, _)| *known == number) {
            change(call);
        }
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.all.iter().map(|(_, call)| call.clone()).collect()
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}
