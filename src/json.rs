//! Reading JSON objects from outside without losing anything: members in order, duplicates kept,
//! values as their own text. Nothing is dropped, merged or coerced before a rule has looked at it.
//!
//! Going through `serde_json::Value` would keep the last of two equal keys and recurse into nesting;
//! a derived struct would stop at the first error and accept an array by position.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// More members than any document or envelope of ours has; what lies beyond is counted, not kept.
const MOST_MEMBERS: usize = 64;

/// More elements than any batch has: SQS delivers at most 10,000 messages at once.
const MOST_ELEMENTS: usize = 10_000;

/// The members of one JSON object, in order. They may hold a secret, so there is no `Debug`.
#[derive(Default)]
pub(crate) struct Object<'a> {
    pub(crate) members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Whether members beyond the limit were left out.
    pub(crate) overflow: bool,
}

/// Why a text is not an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAnObject {
    /// The text is not JSON at all, or has something after its value.
    NotJson,
    /// It is JSON, but another type.
    OtherType,
}

impl<'a> Object<'a> {
    /// Parses a whole text; anything after the object is an error.
    pub(crate) fn parse(text: &'a str) -> Result<Self, NotAnObject> {
        if text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
            return serde_json::from_str(text).map_err(|_| NotAnObject::NotJson);
        }
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(NotAnObject::OtherType),
            Err(_) => Err(NotAnObject::NotJson),
        }
    }

    /// The object inside a member, if it is one.
    pub(crate) fn within(value: &'a RawValue) -> Option<Self> {
        Self::parse(value.get()).ok()
    }

    /// The first member of that name, if it is there and not `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| *value).filter(|value| value.get() != "null")
    }

    /// Whether a member of that name stands there, `null` included.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(key, _)| key == name)
    }

    /// The string in a member.
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?)
    }

    /// The object in a member.
    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::within(self.get(name)?)
    }

    /// Whether any name stands there twice.
    pub(crate) fn has_duplicates(&self) -> bool {
        self.members.iter().enumerate().any(|(i, (key, _))| self.members.iter().take(i).any(|(other, _)| other == key))
    }
}

/// The string that a raw value holds; `None` for another type or for a lone surrogate.
pub(crate) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    string_of(value.get())
}

/// The string that a text is, in JSON.
pub(crate) fn string_of(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(text).ok().map(|text| text.0)
}

/// Every value of an object or an array, however many, under its name, which is empty in an array.
pub(crate) fn values(text: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Values<'_>>(text).ok().map(|values| values.0)
}

/// The whole number that a JSON number is, exactly, however it is written: `1.0` and `10e-1` are 1, as in JSON Schema.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let _: Number = serde_json::from_str(text).ok()?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let places = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let mut digits = format!("{whole}{fraction}");
    if places < 0 {
        let kept = digits.len().checked_sub(places.unsigned_abs() as usize)?;
        let (_, rest) = digits.split_at_checked(kept)?;
        rest.bytes().all(|digit| digit == b'0').then_some(())?;
        digits.truncate(kept);
    } else {
        // No number that fits has more digits.
        digits.extend(std::iter::repeat_n('0', places.min(20) as usize));
    }
    digits.parse().ok()
}

/// The elements of an array; `None` for another type, or for more elements than any batch has.
pub(crate) fn array(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str::<Array<'_>>(text).ok().map(|array| array.0).filter(|values| values.len() <= MOST_ELEMENTS)
}

/// A string that borrows from the input where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// The values in an object or an array.
struct Values<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Values<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;
        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    values.push((key.0, map.next_value()?));
                }
                Ok(Values(values))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push((Cow::Borrowed(""), value));
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct Array<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Array<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArrayVisitor;
        impl<'de> Visitor<'de> for ArrayVisitor {
            type Value = Array<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element::<&RawValue>()? {
                    // One over the limit is enough to know; the rest is read, not kept.
                    if values.len() <= MOST_ELEMENTS {
                        values.push(value);
                    }
                }
                Ok(Array(values))
            }
        }
        deserializer.deserialize_seq(ArrayVisitor)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // Room for what envelopes and requests usually have.
                let mut object = Object { members: Vec::with_capacity(16), overflow: false };
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if object.members.len() < MOST_MEMBERS {
                        object.members.push((key.0, map.next_value()?));
                    } else {
                        object.overflow = true;
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}
