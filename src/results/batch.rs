//! As many events in a call as AWS takes: ten, of together at most 256 KB (`PutEvents`).

use super::{Event, SOURCE};

/// Most entries of one call.
const MOST_ENTRIES: usize = 10;

/// Most bytes of one call. AWS has meanwhile raised it for events alone; this holds everywhere.
const MOST_BYTES: usize = 256 * 1024;

/// What AWS counts of an entry: source, detail type, detail and resources, and 14 bytes for a time.
fn size(event: &Event) -> usize {
    14 + SOURCE.len() + event.detail_type.len() + event.detail.len() + event.target.as_ref().map_or(0, String::len)
}

/// The events in order, cut into calls. One that is too large by itself is a call of its own, for AWS to refuse.
pub(super) fn batches(mut events: &[Event]) -> impl Iterator<Item = &[Event]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = events.iter().take(MOST_ENTRIES).take_while(|event| {
            bytes += size(event);
            bytes <= MOST_BYTES
        });
        let (batch, rest) = events.split_at_checked(fitting.count().max(1))?;
        events = rest;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(details: &[usize]) -> Vec<usize> {
        let event = |length: &usize| Event { detail_type: "grant.created", detail: "x".repeat(*length), target: None };
        let events: Vec<Event> = details.iter().map(event).collect();
        batches(&events).map(<[Event]>::len).collect()
    }

    #[test]
    fn both_limits_end_a_batch_and_no_event_is_left_out() {
        let around = 14 + SOURCE.len() + "grant.created".len();
        let half = MOST_BYTES / 2 - around;
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[1; 10]), [10]);
        assert_eq!(lengths(&[1; 11]), [10, 1]);
        assert_eq!(lengths(&[1; 30]), [10, 10, 10]);
        assert_eq!(lengths(&[half, half, half]), [2, 1], "exactly as much as fits");
        assert_eq!(lengths(&[half, half + 1, half]), [1, 1, 1]);
        assert_eq!(lengths(&[MOST_BYTES, MOST_BYTES, 1]), [1, 1, 1], "more than fits goes alone");
    }
}
