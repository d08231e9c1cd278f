//! The ids that ARNs are made of, each parsed once and then trusted: partition, region, account,
//! organization, and the ARN of an event source.
//!
//! AWS's patterns are whole-value matches over ASCII; these parsers read bytes, so that nothing
//! depends on Unicode classes, on a regex engine or on where a line ends.

use std::fmt;

use crate::error::{Broken, Code};

/// A 12-digit AWS account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl AccountId {
    /// Parses exactly twelve ASCII digits (API reference of `AddPermission`: `\d{12}`).
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse().ok().map(Self) } else { None }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// An organization id, e.g. `o-a1b2c3d4e5`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrganizationId(Box<str>);

impl OrganizationId {
    /// Parses `o-` and 10 to 32 lower-case letters or digits (Lambda API model: `o-[a-z0-9]{10,32}`).
    pub fn parse(text: &str) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(
            Code::InvalidOrganization,
            "an organization id is `o-` followed by 10 to 32 lower-case letters or digits",
        );
        let rest = text.strip_prefix("o-").ok_or(RULE)?;
        let fits =
            (10..=32).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits { Ok(Self(text.into())) } else { Err(RULE) }
    }

    /// The id as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a partition as Lambda's own patterns see it: `aws[a-zA-Z-]*`.
pub(crate) fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'))
}

/// Whether a text is a region: `(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-\d`.
pub(crate) fn is_region(text: &str) -> bool {
    let text = text.strip_prefix("eusc-").unwrap_or(text);
    let mut words = text.split('-');
    let country = words.next().is_some_and(|w| w.len() == 2 && w.bytes().all(|b| b.is_ascii_lowercase()));
    let words: Vec<&str> = words.collect();
    let (partition, rest) = match words.as_slice() {
        [special, rest @ ..] if rest.len() == 2 => (Some(*special), rest),
        rest => (None, rest),
    };
    let special = match partition {
        None | Some("gov" | "iso") => true,
        Some(word) => {
            word.strip_prefix("iso").is_some_and(|c| c.len() == 1 && c.bytes().all(|b| b.is_ascii_lowercase()))
        }
    };
    let [place, number] = rest else { return false };
    let place = !place.is_empty() && place.bytes().all(|b| b.is_ascii_lowercase());
    let number = number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit());
    country && special && place && number
}

/// The ARN of an event source, for the condition `AWS:SourceArn`.
///
/// AWS compares it with `ArnLike`, so `*` and `?` are wildcards in it. They are let through in the
/// resource part only, and only if an account is named beside them (see [`crate::allowlist`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceArn {
    text: Box<str>,
    account: Option<AccountId>,
    wildcard: bool,
}

impl SourceArn {
    /// Longest source ARN (Lambda API model).
    pub const MOST_CHARS: usize = 10_000;

    /// Parses `arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:(region)?:(\d{12})?:(.*)` (Lambda API model), at
    /// most 10,000 characters. Stricter than AWS in the resource: printable ASCII and no policy
    /// variable, since `${...}` would be replaced by a value that nobody has looked at.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        const fn rule(detail: &'static str) -> Broken {
            Broken::new(Code::InvalidSourceArn, detail)
        }
        if text.len() > Self::MOST_CHARS {
            return Err(rule("a source ARN has at most 10,000 characters"));
        }
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(rule("a source ARN has the form arn:partition:service:region:account:resource"));
        };
        let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !partition.starts_with("aws") || !word(partition) {
            return Err(rule("the partition of a source ARN starts with `aws`, e.g. `aws` or `aws-cn`"));
        }
        if service.is_empty() || !word(service) {
            return Err(rule("the service of a source ARN consists of letters, digits and hyphens"));
        }
        if !region.is_empty() && !is_region(region) {
            return Err(rule("the region of a source ARN is empty or one region, without wildcards"));
        }
        let account = match account {
            "" => None,
            digits => Some(
                AccountId::parse(digits)
                    .ok_or(rule("the account of a source ARN is empty or twelve digits, without wildcards"))?,
            ),
        };
        if !resource.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(rule("the resource of a source ARN consists of printable ASCII characters"));
        }
        if resource.contains("${") {
            return Err(rule("a source ARN names its resource literally: policy variables `${...}` are refused"));
        }
        Ok(Self { account, wildcard: resource.contains(['*', '?']), text: text.into() })
    }

    /// The ARN as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The account it names, if its service puts one into its ARNs (S3 does not).
    pub fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Whether its resource matches more than one name.
    pub fn has_wildcard(&self) -> bool {
        self.wildcard
    }
}
