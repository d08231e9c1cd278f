//! When a grant ends: as it was asked for, as a time, and as the ending of its statement's id.
//!
//! A timed grant's statement id ends in `-until-20261231T180000Z-1a2b3c4d`: the time, and a mark over broker, target,
//! id and time. So the policy itself says what ends when, and no store can be lost or forged: `Expire` and
//! `Sweep` take away what says of itself that its time has passed, whoever asks. The mark is no secret. It
//! keeps apart what merely looks alike: an id that somebody chose, or that was copied to another target.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::error::{Broken, Code, Fault};
use crate::grant::{Fingerprint, StatementId};
use crate::resource::Own;

/// A grant lasts at least this long, in seconds: EventBridge Scheduler is punctual to the minute.
pub const LEAST_SECONDS: u64 = 60;

/// How much later than its rule's `maxDuration` from now a grant may end, in seconds: the clock that stamped an event
/// and ours may differ.
const SKEW_SECONDS: u64 = 60;

/// Characters of a timed id's ending.
pub const ENDING_CHARS: usize = "-until-20261231T180000Z-1a2b3c4d".len();

/// A moment in whole seconds, from 1970 to the end of 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// What the time is while a request is answered.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Now.
    pub now: Moment,
    /// When AWS stamped that it was asked: the same for each delivery of one event or message.
    pub asked: Option<Moment>,
}

/// The end that a requester wants.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// `expiresAt`.
    At(Moment),
    /// `duration`, in seconds.
    After(u64),
}

/// When a grant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    at: Moment,
    /// Seconds from now until then.
    lasts: u64,
    /// Where the request says so.
    pointer: &'static str,
}

impl Moment {
    /// 9999-12-31T23:59:59Z, the last that four digits of a year can say.
    const LAST: u64 = 253_402_300_799;

    /// A time of a clock; one before 1970 is 1970.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs().min(Self::LAST))
    }

    /// A time in milliseconds since 1970, as API Gateway and SQS write it.
    pub(crate) fn of_milliseconds(text: &str) -> Option<Self> {
        text.parse::<u64>().ok().map(|milliseconds| Self((milliseconds / 1000).min(Self::LAST)))
    }

    /// Parses RFC 3339 in UTC, such as `2026-12-31T18:00:00Z`. Parts of a second are dropped: what is asked for
    /// ends no later.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = text.strip_suffix('Z')?;
        let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, "0"));
        let digits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
        // What is no date, such as February 30, is written differently.
        Self::of_digits(seconds).filter(|moment| digits && moment.to_rfc_3339().strip_suffix('Z') == Some(seconds))
    }

    /// RFC 3339, with whole seconds.
    pub fn to_rfc_3339(self) -> String {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_else(|_| "1970-01-01T00:00:00Z".into())
    }

    /// The moment so many seconds later.
    pub(crate) fn plus(self, seconds: u64) -> Option<Self> {
        self.0.checked_add(seconds).filter(|sum| *sum <= Self::LAST).map(Self)
    }

    /// The seconds until a later moment; none until an earlier one.
    pub(crate) fn until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }

    /// The form without punctuation, which a statement id can hold.
    fn compact(self) -> String {
        self.to_rfc_3339().replace(['-', ':'], "")
    }

    fn of_compact(text: &str) -> Option<Self> {
        Self::of_digits(text).filter(|moment| moment.compact() == text)
    }

    /// The fourteen digits of a date and a time, whatever stands between them.
    fn of_digits(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
        if digits.len() != 14 || year < 1970 || !(1..=12).contains(&month) || day == 0 {
            return None;
        }
        // Years from March on have their leap day at the end, and eras of 400 years are alike.
        let year = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (year / 400, year % 400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        Some(Self(days * 86_400 + hour * 3_600 + minute * 60 + second))
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        Self::UNIX_EPOCH + Duration::from_secs(moment.0)
    }
}

/// Parses the ISO 8601 durations that are the same length whenever they begin, in seconds: `PT8H`, `P30D`, `P2W`,
/// `P1DT12H`. Years and months are not.
pub fn seconds_of_duration(text: &str) -> Option<u64> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text.strip_prefix('P')?, None),
    };
    if let Some(weeks) = date.strip_suffix('W') {
        return number(weeks).filter(|_| time.is_none()).map(|weeks| weeks * 7 * 86_400);
    }
    if (date.is_empty() && time.is_none()) || time == Some("") {
        return None;
    }
    let (days, rest) = leading(date, 'D')?;
    let (hours, rest_of_time) = leading(time.unwrap_or_default(), 'H')?;
    let (minutes, rest_of_time) = leading(rest_of_time, 'M')?;
    let (seconds, rest_of_time) = leading(rest_of_time, 'S')?;
    let whole = rest.is_empty() && rest_of_time.is_empty();
    whole.then_some(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

/// The number before a unit, and what follows; zero if the unit is not there.
fn leading(text: &str, unit: char) -> Option<(u64, &str)> {
    match text.split_once(unit) {
        Some((digits, rest)) => Some((number(digits)?, rest)),
        None => Some((0, text)),
    }
}

/// A number that is small enough for any sum of these.
fn number(text: &str) -> Option<u64> {
    let fits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

impl Wanted {
    /// Parses `expiresAt`.
    pub(crate) fn at(text: &str) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(
            Code::InvalidExpiry,
            "the end of a grant is a time in UTC as in RFC 3339, e.g. 2026-12-31T18:00:00Z",
        );
        Moment::parse(text).map(Self::At).ok_or(RULE)
    }

    /// Parses `duration`.
    pub(crate) fn after(text: &str) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(
            Code::InvalidExpiry,
            "a duration is written as in ISO 8601 with weeks, or with days, hours, minutes and seconds, e.g. PT8H or P30D",
        );
        seconds_of_duration(text).map(Self::After).ok_or(RULE)
    }

    /// The end as a moment. A duration counts from the time that AWS stamped: counted from each delivery, one
    /// request that is delivered twice would be two grants.
    pub(crate) fn resolve(self, clock: Option<Clock>) -> Result<Expiry, Fault> {
        const SOON: &str = "a grant has to last for a minute at least from now; this end is past or too near";
        const FAR: &str = "a grant ends before the year 10000";
        const NO_TIME: &str =
            "the event carries no time at which it was asked, from which a duration could count: give expiresAt";
        let pointer = match self {
            Self::At(_) => "/expiresAt",
            Self::After(_) => "/duration",
        };
        let fault = |detail| Fault::new(pointer, Code::InvalidExpiry, detail);
        let clock = clock.ok_or_else(|| fault(NO_TIME))?;
        let at = match self {
            Self::At(at) => at,
            Self::After(seconds) => {
                let asked = clock.asked.ok_or_else(|| fault(NO_TIME))?;
                asked.plus(seconds).ok_or_else(|| fault(FAR))?
            }
        };
        let expiry = Expiry { at, lasts: clock.now.until(at), pointer };
        if expiry.is_over() { Err(fault(SOON)) } else { Ok(expiry) }
    }
}

impl Expiry {
    /// The end of a statement that stands.
    pub(crate) fn standing(at: Moment, now: Moment) -> Self {
        Self { at, lasts: now.until(at), pointer: "" }
    }

    /// When.
    pub fn at(&self) -> Moment {
        self.at
    }

    /// Whether it comes within so many seconds.
    pub(crate) fn is_within(&self, seconds: u64) -> bool {
        self.lasts <= seconds.saturating_add(SKEW_SECONDS)
    }

    /// Whether it is so near that no grant can be made until then.
    pub(crate) fn is_over(&self) -> bool {
        self.lasts < LEAST_SECONDS
    }

    /// Where the request says so.
    pub(crate) fn pointer(&self) -> &'static str {
        self.pointer
    }
}

/// The id of a timed grant's statement.
pub(crate) fn timed(base: &StatementId, at: Moment, resource: &str, own: &Own) -> StatementId {
    base.with_ending(&ending(base.as_str(), at, resource, own))
}

/// What the id of a statement says of its end: the id without the ending, and the end. `None` unless it is the id of
/// a timed grant that this broker made on this very target.
pub(crate) fn of_id<'s>(sid: &'s str, resource: &str, own: &Own) -> Option<(&'s str, Moment)> {
    let (base, time, _) = divided(sid)?;
    let at = Moment::of_compact(time)?;
    (sid.strip_prefix(base) == Some(&ending(base, at, resource, own))).then_some((base, at))
}

/// Whether an id looks like that of a timed grant, of whatever broker and target.
pub(crate) fn looks_timed(sid: &str) -> bool {
    said_by(sid).is_some()
}

/// The end that an id speaks of, of whatever broker and target.
pub(crate) fn said_by(sid: &str) -> Option<Moment> {
    let (_, time, mark) = divided(sid)?;
    Moment::of_compact(time).filter(|_| mark.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Base, time and mark.
fn divided(sid: &str) -> Option<(&str, &str, &str)> {
    let (base, ending) = sid.split_at_checked(sid.len().checked_sub(ENDING_CHARS)?)?;
    let (time, mark) = ending.strip_prefix("-until-")?.split_once('-')?;
    (!base.is_empty()).then_some((base, time, mark))
}

fn ending(base: &str, at: Moment, resource: &str, own: &Own) -> String {
    let time = at.compact();
    let marked = Fingerprint::of(&format!("{}\n{resource}\n{base}\n{time}", own.arn()));
    format!("-until-{time}-{}", marked.as_str().get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_it_was_written() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2000-02-29T23:59:59Z",
            "2024-02-29T00:00:00Z",
            "2026-03-01T00:00:00Z",
            "2026-12-31T18:00:00Z",
            "2100-02-28T12:30:01Z",
            "9999-12-31T23:59:59Z",
        ] {
            let moment = Moment::parse(text);
            assert_eq!(moment.map(Moment::to_rfc_3339).as_deref(), Some(text));
            assert_eq!(moment.and_then(|it| Moment::of_compact(&it.compact())), moment);
        }
        assert_eq!(Moment::parse("2026-12-31T18:00:00.999Z"), Moment::parse("2026-12-31T18:00:00Z"));
        // Days of more than an era of the calendar.
        for day in (0..2_000).chain((2_000..200_000).step_by(29)) {
            let moment = Moment(day * 86_400);
            assert_eq!(Moment::parse(&moment.to_rfc_3339()), Some(moment), "{day}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "Z",
            "2026-12-31",
            "2026-12-31T18:00:00",
            "2026-12-31T18:00:00+00:00",
            "2026-12-31t18:00:00z",
            "2026-12-31 18:00:00Z",
            "2026-02-30T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-03-00T00:00:00Z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T23:60:00Z",
            "2026-12-31T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "2026-12-31T18:00:00.Z",
            "2026-12-31T18:00:00.0000000000Z",
            "2026-12-31T18:00:00.+1Z",
            "20261231T180000Z",
            "２026-12-31T18:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_of_one_length_are_read_and_others_are_not() {
        for (text, seconds) in [
            ("PT8H", 28_800),
            ("P30D", 2_592_000),
            ("P2W", 1_209_600),
            ("P1DT12H", 129_600),
            ("PT90M", 5_400),
            ("PT1H30M15S", 5_415),
            ("PT0S", 0),
            ("P0D", 0),
            ("P999999999D", 86_399_999_913_600),
        ] {
            assert_eq!(seconds_of_duration(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "8H",
            "PT8",
            "P8H",
            "PT1D",
            "P1M",
            "P1Y",
            "P1Y2M",
            "PT1H1H",
            "PT1M1H",
            "P1W1D",
            "P1WT1H",
            "P-1D",
            "P+1D",
            "P1.5D",
            "pt8h",
            "PT8h",
            " PT8H",
            "P1D ",
            "P1000000000D",
            "P١D",
            "PD",
            "PTH",
            "P1DT1H1",
        ] {
            assert_eq!(seconds_of_duration(text), None, "{text}");
        }
    }
}
