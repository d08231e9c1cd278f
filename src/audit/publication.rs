//! The record of results that were not published, or are not known to be: the one line that is about no request of
//! its own. What was decided and done stands in the lines before it.

use std::time::{Instant, SystemTime};

use serde::Serialize;

use super::text::{MOST_WORD, ascii, cut, milliseconds, timestamp};
use crate::error::Code;

/// How a publication went.
pub(crate) struct Publication<'a> {
    pub(crate) request_id: &'a str,
    /// When it began.
    pub(crate) started: Instant,
    /// The events that there were to publish.
    pub(crate) events: usize,
    /// Those that are not known to have arrived.
    pub(crate) lost: usize,
    /// Each call in order, and how it was answered.
    pub(crate) calls: Vec<String>,
    /// AWS's code for the first that went wrong.
    pub(crate) aws_code: Option<String>,
    /// Why nothing was sent, where that is so.
    pub(crate) code: Option<Code>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    r#type: &'static str,
    record: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    events: usize,
    lost: usize,
    calls: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_code: Option<&'a str>,
    duration_ms: f64,
}

/// Most calls that the line lists. Lambda hands over 10,000 messages at most, which are a thousand calls.
const MOST_CALLS: usize = 20;

impl Publication<'_> {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = ascii(&Line {
            timestamp: timestamp(SystemTime::now()),
            level: "WARN",
            r#type: "audit",
            record: "publish",
            request_id: &cut(self.request_id, MOST_WORD),
            code: self.code.map(Code::as_str),
            events: self.events,
            lost: self.lost,
            calls: self.calls.get(..MOST_CALLS).unwrap_or(&self.calls),
            aws_code: self.aws_code.as_deref(),
            duration_ms: milliseconds(self.started.elapsed()),
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
