//! Who is given access: a principal is an account, an IAM user or role, an AWS service, or everyone.
//!
//! The forms are closed: a text that is none of them is refused, so no principal can hide an account
//! from the allowlist. Sources: Lambda API reference, `AddPermission` and `AddLayerVersionPermission`.

use crate::arn::{self, AccountId};
use crate::error::{Broken, Code};

/// A validated principal, with the text it was given in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    text: Box<str>,
    form: Form,
}

/// What a principal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole account, given as twelve digits or as its root ARN.
    Account(AccountId),
    /// An IAM user or role of an account.
    Identity(AccountId),
    /// An AWS service, e.g. `s3.amazonaws.com`.
    Service,
    /// `*`: everyone, or with an organization id everyone in it.
    Everyone,
}

impl Principal {
    /// Longest principal of a function (Lambda API model: `[^\s]+`, 2048).
    pub const MOST_CHARS: usize = 2048;

    /// Parses the principal of `AddPermission`: an account id, the ARN of a root, user or role, a
    /// service principal, or `*`.
    pub fn of_function(text: &str) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(
            Code::InvalidPrincipal,
            "a principal is a 12-digit account id, the ARN of an IAM user, role or root, a service such as s3.amazonaws.com, or `*`",
        );
        if text.len() > Self::MOST_CHARS {
            return Err(Broken::new(Code::InvalidPrincipal, "a principal has at most 2,048 characters"));
        }
        let form = Self::of_account(text)
            .or_else(|| identity(text).map(Form::Identity))
            .or_else(|| is_service(text).then_some(Form::Service))
            .ok_or(RULE)?;
        Ok(Self { text: text.into(), form })
    }

    /// Parses the principal of `AddLayerVersionPermission`:
    /// `\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root` (Lambda API model).
    pub fn of_layer(text: &str) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(
            Code::InvalidPrincipal,
            "the principal of a layer version is a 12-digit account id, the root ARN of an account, or `*`",
        );
        let form = Self::of_account(text).ok_or(RULE)?;
        Ok(Self { text: text.into(), form })
    }

    fn of_account(text: &str) -> Option<Form> {
        if text == "*" {
            return Some(Form::Everyone);
        }
        AccountId::parse(text)
            .or_else(|| iam(text).filter(|(_, resource)| *resource == "root").map(|iam| iam.0))
            .map(Form::Account)
    }

    /// The principal as it was given, which is what AWS is sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The account that it belongs to, if it is not a service or everyone.
    pub fn account(&self) -> Option<AccountId> {
        match self.form {
            Form::Account(account) | Form::Identity(account) => Some(account),
            Form::Service | Form::Everyone => None,
        }
    }

    /// The partition that its ARN names, if it is an ARN.
    pub fn partition(&self) -> Option<&str> {
        self.text.strip_prefix("arn:")?.split(':').next()
    }
}

/// The account and the resource of an IAM ARN.
fn iam(text: &str) -> Option<(AccountId, &str)> {
    let (partition, rest) = text.strip_prefix("arn:")?.split_once(':')?;
    let (account, resource) = rest.strip_prefix("iam::")?.split_once(':')?;
    arn::is_partition(partition).then_some(())?;
    Some((AccountId::parse(account)?, resource))
}

/// The account of a user or role ARN; paths are part of it, wildcards and variables are not.
fn identity(text: &str) -> Option<AccountId> {
    let (account, resource) = iam(text)?;
    let name = resource.strip_prefix("user/").or_else(|| resource.strip_prefix("role/"))?;
    let parts = name
        .split('/')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b)));
    parts.then_some(account)
}

/// Whether a text has the shape of a service principal: lower-case labels under a domain of AWS.
/// The shape is not permission: the allowlist names each service in full.
fn is_service(text: &str) -> bool {
    const DOMAINS: [&str; 6] =
        [".amazonaws.com", ".amazon.com", ".amazonaws.com.cn", ".amazonaws.eu", ".c2s.ic.gov", ".sc2s.sgov.gov"];
    let Some(name) = DOMAINS.iter().find_map(|domain| text.strip_suffix(domain)) else { return false };
    name.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}
