//! The one secret that a request may carry, `EventSourceToken`, and keeping it out of what is shown.
//!
//! Its own field is never shown. But a requester may have written the same text into another field, an
//! authorizer into an identity, AWS into an answer. Whatever would show it there is refused or hidden.

use std::borrow::Cow;

use crate::json::{self, Object};
use crate::request::nearly_equal;

/// The parameter that holds it.
const FIELD: &str = "EventSourceToken";

/// AWS accepts a token of one character, which nearly every text contains. A text of fewer characters
/// than this can be guessed, and is not treated as a secret.
const LEAST_CHARS: usize = 8;

/// What stands for a secret that was cut out.
const HIDDEN: &str = "[EventSourceToken]";

/// The secrets of one request: none or one, and more only in a document that is refused.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<Box<str>>);

impl Secrets {
    /// Every value of the field or of a misspelling of it, of whatever type, in the document or its parameters.
    pub(crate) fn of(document: &Object<'_>, parameters: Option<&Object<'_>>) -> Self {
        let members = document.members.iter().chain(parameters.map_or(&[][..], |object| &object.members));
        let values = members.filter(|(name, _)| nearly_equal(FIELD, name)).map(|(_, value)| {
            let text = json::string(value).unwrap_or_else(|| value.get().into());
            Box::<str>::from(text)
        });
        Self(values.filter(|secret| !secret.is_empty()).collect())
    }

    /// Whether a text shows one of them.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.long().any(|secret| text.contains(secret))
    }

    /// The text without them.
    pub(crate) fn hide<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        self.long().fold(text, |text, secret| match text.contains(secret) {
            true => text.replace(secret, HIDDEN).into(),
            false => text,
        })
    }

    /// Whether the name of an unknown field is, holds or is a part of one, however short.
    pub(crate) fn touch(&self, name: &str) -> bool {
        self.0.iter().any(|secret| name.contains(&**secret) || secret.contains(name))
    }

    /// Whether another field of a document holds one as well. Only strings can: any other value is of
    /// the wrong type or has no text of its own.
    pub(crate) fn stand_elsewhere(&self, document: &Object<'_>, parameters: Option<&Object<'_>>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let others = document.members.iter().chain(parameters.map_or(&[][..], |object| &object.members));
        let mut others = others.filter(|(name, _)| name != FIELD).filter_map(|(_, value)| json::string(value));
        others.any(|text| self.are_in(&text))
    }

    fn long(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref).filter(|secret| secret.len() >= LEAST_CHARS)
    }
}
