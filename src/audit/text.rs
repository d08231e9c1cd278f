//! How a record is written: ASCII JSON, values of bounded length, times that sort by their text.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;

/// Most bytes of an id or an action; AWS's own are far shorter.
pub(super) const MOST_WORD: usize = 256;

/// A value as ASCII JSON.
pub(super) fn ascii(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Ascii))?;
    Ok(bytes)
}

/// JSON whose strings are ASCII: no terminal, log viewer or line splitter can read anything into it.
struct Ascii;

impl serde_json::ser::Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        for char in fragment.chars() {
            match char {
                ' '..='~' => write!(writer, "{char}")?,
                _ => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A value of bounded length as JSON; a cut one ends with its true length.
pub(super) fn cut<'a>(text: impl Into<Cow<'a, str>>, most: usize) -> Cow<'a, str> {
    let text = text.into();
    // Nearly every text, and each byte of it stands for itself.
    if text.len() <= most && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        return text;
    }
    let mut bytes = 0;
    let end = text.char_indices().find_map(|(at, char)| {
        bytes += width(char);
        (bytes > most).then_some(at)
    });
    match end {
        None => text,
        Some(end) => {
            let start = text.get(..end).unwrap_or_default();
            format!("{start}... ({} characters)", text.chars().count()).into()
        }
    }
}

/// The most bytes that a character takes in a string of ASCII JSON.
fn width(char: char) -> usize {
    match char {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        _ => r"\u0000".len() * char.len_utf16(),
    }
}

/// RFC 3339 with milliseconds, as Lambda's log filter wants it; always three digits, so that lines sort
/// by their text.
pub(crate) fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = DateTime::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)).fmt(Format::DateTime);
    let seconds = seconds.unwrap_or_else(|_| "1970-01-01T00:00:00Z".into());
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that is wrong still makes lines that Lambda's log filter reads.
    #[test]
    fn every_time_is_written_as_rfc_3339() {
        let at = |milliseconds| timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(4_102_444_800_001), "2100-01-01T00:00:00.001Z");
        assert_eq!(at(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
