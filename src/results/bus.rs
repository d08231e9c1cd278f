//! The event bus that results go to: its name, or its ARN.

use crate::arn::AccountId;

/// A name or an ARN, as `PutEvents` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus(Box<str>);

impl Bus {
    /// Parses what EventBridge's model calls a name or ARN of a bus that is no partner's. A bus of another region
    /// cannot be reached, and one of another account only by its ARN.
    pub fn parse(text: &str, region: &str) -> Option<Self> {
        let name = if text.starts_with("arn:") {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            let ["arn", partition, "events", of, account, resource] = *parts.as_slice() else { return None };
            AccountId::parse(account)?;
            let partition_fits =
                partition.starts_with("aws") && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            resource.strip_prefix("event-bus/").filter(|_| partition_fits && of == region && !region.is_empty())?
        } else {
            text
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._/-".contains(&b);
        // `aws.` begins the names of partners' buses, which take only the partner's events.
        let usable = (1..=256).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with("aws.");
        usable.then(|| Self(text.into()))
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
