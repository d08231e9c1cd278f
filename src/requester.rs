//! Who asks: the identity that AWS stamped on the event, never anything from the request itself.

use std::borrow::Cow;

use crate::arn::AccountId;

/// A requester, as far as AWS vouches for one.
///
/// Every kind but IAM is prefixed in [`Requester::id`], so that no issuer or bus can hand out an id
/// that reads like an IAM ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    /// A direct invoke: Lambda does not say who called; IAM and CloudTrail know.
    Direct,
    /// An IAM user or role, as verified by API Gateway or the function URL.
    Iam(Text),
    /// The subject of a token, as verified by a JWT or Cognito authorizer.
    Jwt {
        /// `iss` of the token.
        issuer: Text,
        /// `sub` of the token.
        subject: Text,
    },
    /// The principal id that a Lambda authorizer returned.
    Authorizer(Text),
    /// An event: the account that put it on the bus, and its source.
    EventBridge {
        /// The account that EventBridge stamped.
        account: AccountId,
        /// The source that the sender chose within that account.
        source: Text,
    },
    /// The sender of a queue message.
    Sqs(Text),
    /// A schedule, which only ends what says of itself that it has ended: whose it is makes no difference.
    Schedule,
}

/// Printable ASCII of bounded length, as an identity must be to stand in the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Box<str>);

impl Text {
    /// Longest identity. An assumed-role ARN has some 200 characters.
    pub const MOST_CHARS: usize = 1024;

    /// Parses 1 to 1,024 printable ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MOST_CHARS).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'));
        fits.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Requester {
    /// The word for a requester without an identity.
    pub(crate) fn word(&self) -> &'static str {
        if *self == Self::Schedule { "schedule" } else { "direct" }
    }

    /// The verified identity, which the allowlist's `requesters` match; a direct invoke and a schedule have none.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Direct | Self::Schedule => return None,
            Self::Iam(arn) => Cow::Borrowed(&arn.0),
            Self::Jwt { issuer, subject } => format!("jwt:{}#{}", issuer.0, subject.0).into(),
            Self::Authorizer(id) => format!("authorizer:{}", id.0).into(),
            Self::EventBridge { account, source } => format!("eventbridge:{account}:{}", source.0).into(),
            Self::Sqs(sender) => format!("sqs:{}", sender.0).into(),
        })
    }
}
