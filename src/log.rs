//! Diagnostics: JSON lines beside the audit, told apart by the absence of `"type":"audit"`.
//!
//! Lambda's log filter reads `timestamp` and `level`. The lines are formatted here: the `json` feature
//! of `tracing-subscriber` costs 0.8 MB of binary and as much start-up again for the same text.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::audit::timestamp;

/// Longest diagnostic message, in characters.
const MOST_CHARS: usize = 1024;

/// Sends diagnostics to a writer as JSON lines, and panics too.
pub fn start(level: LevelFilter, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    // A second start in one process keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(Lines { level, writer });
    // The default hook prints the panic's message, which may hold a value from the request.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

/// Writes events and takes no spans. No line shows one, and the registry that would keep them takes 32 KiB at the
/// start and some work at every event.
struct Lines<W> {
    level: LevelFilter,
    writer: W,
}

impl<W: for<'a> MakeWriter<'a> + 'static> Subscriber for Lines<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut members = Members(String::with_capacity(256));
        members.member("timestamp", &timestamp(SystemTime::now()));
        members.member("level", metadata.level().as_str());
        members.member("target", metadata.target());
        event.record(&mut members);
        let line = format!("{{{}}}\n", members.0.trim_start_matches(','));
        // There is no other place to say that this one cannot be written.
        let _ = self.writer.make_writer_for(metadata).write_all(line.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The members of one line, each with a comma before it.
struct Members(String);

impl Members {
    fn member(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, ",{}:{}", quoted(name), quoted(value));
    }
}

impl Visit for Members {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let _ = write!(self.0, ",{}:{value}", quoted(field.name()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field.name(), &format!("{value:?}"));
    }
}

/// A JSON string of ASCII, bounded in length.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars().take(MOST_CHARS) {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            ' '..='~' => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}
