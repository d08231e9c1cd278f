//! The terms of a grant that are plain values: statement id, action, revision id, auth type, token.
//! Each parses once, by the pattern of Lambda's API model, and is then carried as proof.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::error::{Broken, Code};

/// The id of a statement, unique within one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementId(Box<str>);

/// What the principal may do, e.g. `lambda:InvokeFunction`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action(Box<str>);

/// The revision that the policy must still have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionId(Box<str>);

/// What a statement means, as a digest: a revoke that names it takes away a statement of that meaning or none. The same
/// grant given again under the same id has the same; the revision of the policy tells the two apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Box<str>);

/// The function URL auth type of a grant; `NONE` would let anyone in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionUrlAuthType {
    /// `NONE`: the URL checks nobody. Always refused by the allowlist.
    None,
    /// `AWS_IAM`: the URL checks IAM.
    AwsIam,
}

/// A secret that an event source presents. It has no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct EventSourceToken(Box<str>);

impl StatementId {
    /// Longest statement id (Lambda API model).
    pub const MOST_CHARS: usize = 100;

    /// Parses `[a-zA-Z0-9-_]+`, 1 to 100 characters (Lambda API model).
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if text.is_empty() || text.len() > Self::MOST_CHARS || !word {
            return Err(Broken::new(
                Code::InvalidStatementId,
                "a statement id has 1 to 100 letters, digits, hyphens and underscores; leave it out to have one derived",
            ));
        }
        Ok(Self(text.into()))
    }

    /// Parses the id of a statement of any age, `[a-zA-Z0-9-_.]+`: functions once took dots in it, and
    /// `RemovePermission` still does (Lambda API model).
    pub fn parse_of_any_age(text: &str) -> Result<Self, Broken> {
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if text.is_empty() || text.len() > Self::MOST_CHARS || !word {
            return Err(Broken::new(
                Code::InvalidStatementId,
                "the id of a statement has 1 to 100 letters, digits, hyphens, underscores and dots",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The id of a grant that was given none. No part can hold a newline, so two different grants never
    /// join to the same text.
    pub(super) fn derived(parts: &[Cow<'_, str>]) -> Self {
        Self(format!("broker-{}", digest(&parts.join("\n"))).into())
    }

    /// The same with something at its end; what it is made of and how long it may be is its maker's to see to.
    pub(crate) fn with_ending(&self, ending: &str) -> Self {
        Self(format!("{}{ending}", self.0).into())
    }

    /// The id as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Action {
    /// Longest action (Lambda API model).
    pub const MOST_CHARS: usize = 10_000;

    /// Parses `lambda:[*]|lambda:[a-zA-Z]+|[*]`, at most 10,000 characters (Lambda API model).
    pub fn of_function(text: &str) -> Result<Self, Broken> {
        let named = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
        let fits = matches!(text, "*" | "lambda:*") || text.strip_prefix("lambda:").is_some_and(named);
        if !fits || text.len() > Self::MOST_CHARS {
            return Err(Broken::new(
                Code::InvalidAction,
                "an action has the form lambda:Name, e.g. lambda:InvokeFunction",
            ));
        }
        Ok(Self(text.into()))
    }

    /// Parses `lambda:GetLayerVersion`, the only action of a layer (Lambda API model).
    pub fn of_layer(text: &str) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(Code::InvalidAction, "the action of a layer is lambda:GetLayerVersion");
        if text == "lambda:GetLayerVersion" { Ok(Self(text.into())) } else { Err(RULE) }
    }

    /// The action as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RevisionId {
    /// Longest revision id that is passed on; AWS's are UUIDs of 36 characters.
    pub const MOST_CHARS: usize = 256;

    /// AWS states no pattern. Printable ASCII without spaces is enough for every id it has handed out.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let fits = !text.is_empty() && text.len() <= Self::MOST_CHARS && text.bytes().all(|b| b.is_ascii_graphic());
        const RULE: Broken = Broken::new(
            Code::InvalidRevisionId,
            "a revision id is what GetPolicy or GetLayerVersionPolicy answers; leave it out to ask for none",
        );
        if fits { Ok(Self(text.into())) } else { Err(RULE) }
    }

    /// The id as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Fingerprint {
    /// Characters of a fingerprint.
    pub const CHARS: usize = 32;

    /// Parses 32 hexadecimal digits in lower case, as replies show them.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        const RULE: Broken =
            Broken::new(Code::InvalidFingerprint, "a fingerprint is the 32 hexadecimal digits that a reply shows");
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if text.len() == Self::CHARS && hex { Ok(Self(text.into())) } else { Err(RULE) }
    }

    /// The fingerprint of a statement in its canonical form.
    pub(crate) fn of(canonical: &str) -> Self {
        Self(digest(canonical).into())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first half of a SHA-256 digest, in hexadecimal.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(String::with_capacity(32), |hex, byte| hex + &format!("{byte:02x}"))
}

impl FunctionUrlAuthType {
    /// Parses `NONE` or `AWS_IAM` (Lambda API model).
    pub fn parse(text: &str) -> Result<Self, Broken> {
        match text {
            "NONE" => Ok(Self::None),
            "AWS_IAM" => Ok(Self::AwsIam),
            _ => Err(Broken::new(Code::InvalidFunctionUrlAuthType, "a function URL auth type is AWS_IAM or NONE")),
        }
    }

    /// The word as AWS writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::AwsIam => "AWS_IAM",
        }
    }
}

impl EventSourceToken {
    /// Longest token (Lambda API model).
    pub const MOST_CHARS: usize = 256;

    /// Parses `[a-zA-Z0-9._\-]+`, at most 256 characters (Lambda API model).
    pub fn parse(text: &str) -> Result<Self, Broken> {
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if text.is_empty() || text.len() > Self::MOST_CHARS || !word {
            return Err(Broken::new(
                Code::InvalidEventSourceToken,
                "an event source token has 1 to 256 letters, digits, dots, underscores and hyphens",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The secret itself: for the call to AWS and for comparing statements, never for a stream.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EventSourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSourceToken(present)")
    }
}
