//! The one secret that a request may carry, `EventSourceToken`, and keeping it out of what is shown.
//!
//! Its own field is never shown. But a requester may have written the same text into another field, an
//! authorizer into an identity, AWS into an answer. Whatever would show it there is refused or hidden.

use std::borrow::Cow;

use crate::json::{self, Object};
use crate::request::{MOST_BYTES, nearly_equal};

/// The parameter that holds it.
const FIELD: &str = "EventSourceToken";

/// AWS accepts a token of one character, which nearly every text contains. A text of fewer characters
/// than this can be guessed, and is not treated as a secret.
const LEAST_CHARS: usize = 8;

/// AWS takes no longer token.
const MOST_CHARS: usize = 256;

/// A request with more of them than this is none that anybody wrote. Then every text counts as one.
const MOST_SECRETS: usize = 64;

/// Levels of objects, lists and strings with JSON in them that are parsed; what lies deeper is searched as text.
const MOST_LEVELS: usize = 16;

/// What stands for a secret that was cut out.
const HIDDEN: &str = "[EventSourceToken]";

/// The secrets of one request: none or one, and more only in a document that is refused.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// The longest first, so that no part of it is left when a shorter one was cut out of it.
    texts: Vec<Box<str>>,
    /// Whether there are more.
    too_many: bool,
}

impl Secrets {
    /// Every value of the field or of a misspelling of it, of whatever type, in a document or its parameters; and at any place
    /// of the text, if anything in it may hold more than a request does.
    pub(crate) fn of(text: &str, document: &Object<'_>, parameters: Option<&Object<'_>>) -> Self {
        let within = parameters.map_or(&[][..], |object| &object.members);
        let members = document.members.iter().chain(within);
        let mut search = Search::default();
        for (name, value) in members.clone() {
            if nearly_equal(FIELD, name) {
                search.add(&json::string(value).unwrap_or_else(|| value.get().into()));
            }
        }
        let nested = members.filter(|(_, value)| may_hold_more(value.get())).count();
        let overflow = document.overflow || parameters.is_some_and(|object| object.overflow);
        if overflow || nested > usize::from(parameters.is_some()) {
            search.walk(text, false, 0);
        }
        search.ended()
    }

    /// Those of a text that is refused before its members are known.
    pub(crate) fn of_unread(text: &str) -> Self {
        let mut search = Search::default();
        if text.len() > MOST_BYTES {
            // Parsing it would cost memory that nobody has to spend on it.
            search.scan(text);
        } else {
            search.walk(text, false, 0);
        }
        search.ended()
    }

    /// Whether a text shows one of them.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.too_many || self.long().any(|secret| text.contains(secret))
    }

    /// The text without them.
    pub(crate) fn hide<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        if self.too_many {
            return HIDDEN.into();
        }
        self.long().fold(text, |text, secret| match text.contains(secret) {
            true => text.replace(secret, HIDDEN).into(),
            false => text,
        })
    }

    /// Whether the name of an unknown field is, holds or is a part of one, however short.
    pub(crate) fn touch(&self, name: &str) -> bool {
        self.too_many || self.texts.iter().any(|secret| name.contains(&**secret) || secret.contains(name))
    }

    /// Whether another field of a document holds one as well. Only strings can: any other value is of
    /// the wrong type or has no text of its own.
    pub(crate) fn stand_elsewhere(&self, document: &Object<'_>, parameters: Option<&Object<'_>>) -> bool {
        if self.texts.is_empty() {
            return false;
        }
        let others = document.members.iter().chain(parameters.map_or(&[][..], |object| &object.members));
        let mut others = others.filter(|(name, _)| name != FIELD).filter_map(|(_, value)| json::string(value));
        others.any(|text| self.are_in(&text))
    }

    fn long(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(AsRef::as_ref).filter(|secret| secret.len() >= LEAST_CHARS)
    }
}

/// Whether a value may have members in it: an object, a list, or a string that may be JSON itself.
fn may_hold_more(value: &str) -> bool {
    let text = value.strip_prefix('"');
    text.unwrap_or(value).starts_with(['{', '[']) || text.is_some_and(may_begin_with_space)
}

/// An escape may stand for a space as well.
fn may_begin_with_space(text: &str) -> bool {
    text.starts_with('\\') || text.starts_with(char::is_whitespace)
}

/// A search for secrets.
#[derive(Default)]
struct Search(Secrets);

impl Search {
    fn add(&mut self, text: &str) {
        let Secrets { texts, too_many } = &mut self.0;
        if *too_many || text.is_empty() || texts.iter().any(|known| **known == *text) {
            return;
        }
        *too_many = texts.len() >= MOST_SECRETS;
        texts.push(text.into());
    }

    fn ended(mut self) -> Secrets {
        self.0.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        self.0
    }

    /// Goes through a JSON value, whose every text is a secret if it is inside the field.
    fn walk(&mut self, text: &str, inside: bool, level: usize) {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if self.0.too_many {
            return;
        }
        if !text.starts_with(['{', '[', '"']) {
            // A number, or a text that is no JSON.
            return if inside { self.add(text) } else { self.search(text, inside) };
        }
        if level >= MOST_LEVELS {
            return self.search(text, inside);
        }
        if let Some(string) = json::string_of(text) {
            if inside {
                self.add(&string);
            }
            self.walk_within(&string, inside, level);
        } else if let Some(values) = json::values(text) {
            for (name, value) in values {
                if inside {
                    self.add(&name);
                }
                self.walk(value.get(), inside || nearly_equal(FIELD, &name), level + 1);
            }
        } else {
            self.search(text, inside);
        }
    }

    /// The same of what a string holds, if that looks like JSON.
    fn walk_within(&mut self, string: &str, inside: bool, level: usize) {
        if string.trim_start().starts_with(['{', '[', '"']) {
            self.walk(string, inside, level + 1);
        }
    }

    /// Goes through a text that cannot be parsed, without its escapes.
    fn search(&mut self, text: &str, inside: bool) {
        let text = unescaped(text);
        if inside {
            words(&text).for_each(|word| self.add(word));
        } else {
            self.scan(&text);
        }
    }

    /// Goes through a text as it is: behind each mention of the field comes a word, or a list or an object of words.
    fn scan(&mut self, text: &str) {
        let mut rest = text;
        while let (false, Some(at)) = (self.0.too_many, position(rest)) {
            rest = rest.get(at + FIELD.len()..).unwrap_or_default();
            let value = rest.trim_start_matches(|c| !is_of_word(c) && !"[]{},".contains(c));
            if value.starts_with(['[', '{']) {
                let (list, behind) = value.split_at(value.find([']', '}']).unwrap_or(value.len()));
                words(list).for_each(|word| self.add(word));
                rest = behind;
            } else {
                let end = value.bytes().take(MOST_CHARS).take_while(|byte| is_of_word(char::from(*byte))).count();
                self.add(value.get(..end).unwrap_or_default());
            }
        }
    }
}

/// Where a text mentions the field, however it is written.
fn position(text: &str) -> Option<usize> {
    // A text may have megabytes: one letter sorts nearly all of it out.
    let begins = |window: &[u8]| matches!(window.first(), Some(b'E' | b'e'));
    let mentions = |window: &[u8]| begins(window) && window.eq_ignore_ascii_case(FIELD.as_bytes());
    text.as_bytes().windows(FIELD.len()).position(mentions)
}

/// The texts in another one that could be a token (`[a-zA-Z0-9._\-]+`) and are no shorter than a secret.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_of_word(c)).filter(|word| word.len() >= LEAST_CHARS)
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

/// A text with JSON's escapes undone, as far as they stand for what names and tokens are made of; a space for the others. A string
/// with half a surrogate pair in it is no text that a parser would give.
fn unescaped(text: &str) -> Cow<'_, str> {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    if plain.len() == text.len() {
        return text.into();
    }
    for part in parts {
        let code = part.get(1..5).filter(|_| part.starts_with('u')).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let one = code.and_then(char::from_u32).filter(char::is_ascii);
        plain.push(one.unwrap_or(' '));
        let length = if code.is_some() { 5 } else { usize::from(part.starts_with(['b', 'f', 'n', 'r', 't'])) };
        plain.push_str(part.get(length..).unwrap_or(part));
    }
    plain.into()
}
