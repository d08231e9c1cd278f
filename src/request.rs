//! The wire shape of a request: `operation`, `parameters`, `reason`, `dryRun`, to a revoke `fingerprint`, to a
//! grant `expiresAt` or `duration`, and nothing else.
//!
//! Reading never stops at the first mistake: every unknown, doubled, missing or mistyped field is
//! reported together with every broken rule that the values themselves show.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::error::{Broken, Code, Fault};
use crate::expiry::{Clock, Expiry, Wanted};
use crate::grant::Fingerprint;
use crate::json::{self, NotAnObject, Object};
use crate::results;
use crate::secret::Secrets;

/// The largest request document, in bytes. Its longest parameter may have 10,000 characters.
pub const MOST_BYTES: usize = 65_536;

/// The longest reason, in characters.
pub const MOST_REASON_CHARS: usize = 512;

const SHOWN: &str = "the token is a secret, and another field repeats it, where it would be shown";

/// The operations that the broker offers, under AWS's own names where AWS has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Lambda's `AddPermission`.
    AddPermission,
    /// Lambda's `AddLayerVersionPermission`.
    AddLayerVersionPermission,
    /// Two `AddPermission`, for a function URL.
    GrantFunctionUrl,
    /// `AddLayerVersionPermission` for each grant of the version before.
    CarryLayerForward,
    /// Lambda's `RemovePermission`.
    RemovePermission,
    /// Lambda's `RemoveLayerVersionPermission`.
    RemoveLayerVersionPermission,
    /// Lambda's `GetPolicy`.
    GetPolicy,
    /// Lambda's `GetLayerVersionPolicy`.
    GetLayerVersionPolicy,
    /// `RemovePermission` or `RemoveLayerVersionPermission` of a timed grant whose time has passed.
    Expire,
    /// The same for all such grants of a list of targets.
    Sweep,
}

impl Operation {
    /// Every operation that can be asked for.
    pub const ALL: [Self; 8] = [
        Self::AddPermission,
        Self::AddLayerVersionPermission,
        Self::GrantFunctionUrl,
        Self::CarryLayerForward,
        Self::RemovePermission,
        Self::RemoveLayerVersionPermission,
        Self::GetPolicy,
        Self::GetLayerVersionPolicy,
    ];

    /// What schedules send, and nobody else.
    pub const SCHEDULED: [Self; 2] = [Self::Expire, Self::Sweep];

    /// The name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddPermission => "AddPermission",
            Self::AddLayerVersionPermission => "AddLayerVersionPermission",
            Self::GrantFunctionUrl => "GrantFunctionUrl",
            Self::CarryLayerForward => "CarryLayerForward",
            Self::RemovePermission => "RemovePermission",
            Self::RemoveLayerVersionPermission => "RemoveLayerVersionPermission",
            Self::GetPolicy => "GetPolicy",
            Self::GetLayerVersionPolicy => "GetLayerVersionPolicy",
            Self::Expire => "Expire",
            Self::Sweep => "Sweep",
        }
    }

    /// Whether it takes one statement away.
    const fn is_revoke(self) -> bool {
        matches!(self, Self::RemovePermission | Self::RemoveLayerVersionPermission | Self::Expire)
    }

    /// Whether what it gives may have an end.
    const fn is_grant(self) -> bool {
        matches!(self, Self::AddPermission | Self::AddLayerVersionPermission | Self::GrantFunctionUrl)
    }
}

/// What a requester sent, before any of its parameters is believed. `Debug` shows none of them: among
/// them may be a secret.
pub struct Request<'a> {
    /// The operation, if it is one.
    pub operation: Option<Operation>,
    /// Why the requester asks, for the audit.
    pub reason: Option<Cow<'a, str>>,
    /// Whether only the answer is wanted, not the change.
    pub dry_run: bool,
    /// The meaning that a statement must still have to be revoked.
    pub fingerprint: Option<Fingerprint>,
    expiry: Option<Wanted>,
    clock: Option<Clock>,
    parameters: Option<Object<'a>>,
    faults: Vec<Fault>,
    secrets: Secrets,
}

impl<'a> Request<'a> {
    /// Reads a document. Only a text that is no JSON object, or too large, is an error here; all
    /// other faults are kept, so that [`crate::grant::Grant::new`] can report them together.
    pub fn read(text: &'a str) -> Result<Self, Fault> {
        Self::read_one_of(&Operation::ALL, text)
    }

    /// Reads what a schedule sends.
    pub(crate) fn read_scheduled(text: &'a str) -> Result<Self, Fault> {
        Self::read_one_of(&Operation::SCHEDULED, text)
    }

    fn read_one_of(offered: &[Operation], text: &'a str) -> Result<Self, Fault> {
        if text.len() > MOST_BYTES {
            return Err(Fault::new("", Code::TooLarge, "a request document has at most 65,536 bytes"));
        }
        let object = Object::parse(text).map_err(|error| match error {
            NotAnObject::NotJson => {
                Fault::new("", Code::NotJson, "the request is one JSON object and nothing after it")
            }
            NotAnObject::OtherType => Fault::new("", Code::NotAnObject, "the request is a JSON object"),
        })?;
        if results::is_result(&object) {
            return Err(results::own());
        }
        let parameters = object.object("parameters");
        let secrets = Secrets::of(text, &object, parameters.as_ref());
        let shown = secrets.stand_elsewhere(&object, parameters.as_ref());
        let mut fields = Fields::new("", object, secrets.clone());
        let operation = fields.required("operation").and_then(|name| {
            let operation = offered.iter().copied().find(|operation| operation.as_str() == name);
            const RULE: Broken = Broken::new(
                Code::InvalidOperation,
                "the operation is one of `AddPermission`, `GrantFunctionUrl`, `RemovePermission`, `GetPolicy` for a function, \
                 `AddLayerVersionPermission`, `CarryLayerForward`, `RemoveLayerVersionPermission`, `GetLayerVersionPolicy` for a layer",
            );
            fields.check("operation", operation.ok_or(RULE))
        });
        let reason = fields.optional("reason").and_then(|text| {
            let fits = text.chars().count() <= MOST_REASON_CHARS && !text.chars().any(char::is_control);
            const RULE: Broken =
                Broken::new(Code::InvalidReason, "a reason has at most 512 characters and no control characters");
            fields.check("reason", if fits { Ok(text) } else { Err(RULE) })
        });
        let dry_run = fields.boolean("dryRun").unwrap_or(false);
        let revokes = operation.is_some_and(Operation::is_revoke);
        let fingerprint = if revokes { fields.optional("fingerprint") } else { None };
        let fingerprint = fingerprint.and_then(|text| fields.check("fingerprint", Fingerprint::parse(&text)));
        let grants = operation.is_some_and(Operation::is_grant);
        let expiry = if grants { expiry(&mut fields) } else { None };
        let parameters = fields.object("parameters", parameters);
        let mut faults = fields.finish();
        if shown {
            faults.push(Fault::new("/parameters/EventSourceToken", Code::InvalidEventSourceToken, SHOWN));
        }
        Ok(Self { operation, reason, dry_run, fingerprint, expiry, clock: None, parameters, faults, secrets })
    }

    /// The same, asked at a time: without one it can have no end.
    pub fn at(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// When what it asks for is to end.
    pub(crate) fn expiry(&self) -> Result<Option<Expiry>, Fault> {
        self.expiry.map(|wanted| wanted.resolve(self.clock)).transpose()
    }

    /// The texts that no stream and no reply may show.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Hands over the parameters together with the faults found so far.
    pub(crate) fn parameters(self) -> Fields<'a> {
        let mut fields = Fields::new("/parameters", self.parameters.unwrap_or_default(), self.secrets);
        fields.faults = self.faults;
        fields
    }
}

/// `expiresAt` or `duration`.
fn expiry(fields: &mut Fields<'_>) -> Option<Wanted> {
    let at = fields.optional("expiresAt").map(|text| Wanted::at(&text));
    let at = at.and_then(|at| fields.check("expiresAt", at));
    let after = fields.optional("duration").map(|text| Wanted::after(&text));
    let after = after.and_then(|after| fields.check("duration", after));
    if let (Some(_), Some(_)) = (at, after) {
        const RULE: Broken = Broken::new(Code::InvalidExpiry, "give expiresAt or duration, not both");
        return fields.check("duration", Err(RULE));
    }
    at.or(after)
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// The fields of one object, taken by name; what nobody took is unknown.
pub(crate) struct Fields<'a> {
    pointer: &'static str,
    object: Object<'a>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
    secrets: Secrets,
}

impl<'a> Fields<'a> {
    fn new(pointer: &'static str, object: Object<'a>, secrets: Secrets) -> Self {
        Self { pointer, object, known: Vec::with_capacity(12), faults: Vec::new(), secrets }
    }

    /// A string that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<Cow<'a, str>> {
        if !self.object.has(name) {
            self.known.push(name);
            self.fault(name, Code::MissingField, "this field is required");
            return None;
        }
        self.optional(name)
    }

    /// A string that may be left out, but not be `null`: a template that renders a condition as
    /// `null` would otherwise ask for a wider grant than its author thinks.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Cow<'a, str>> {
        let value = self.take(name)?;
        let text = json::string(value);
        if text.is_none() {
            self.fault(name, Code::WrongType, "this field is a string; leave it out if it does not apply");
        }
        text
    }

    /// A list of strings that may be left out.
    pub(crate) fn strings(&mut self, name: &'static str) -> Option<Vec<Cow<'a, str>>> {
        let values = json::array(self.take(name)?.get());
        let texts = values.and_then(|values| values.into_iter().map(json::string).collect());
        if texts.is_none() {
            self.fault(name, Code::WrongType, "this field is a list of strings; leave it out if it does not apply");
        }
        texts
    }

    /// Whether a field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.has(name)
    }

    /// A boolean that may be left out.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.fault(name, Code::WrongType, "this field is `true` or `false`");
                None
            }
        }
    }

    /// A whole number that must be there, in any way that JSON writes one.
    pub(crate) fn integer(&mut self, name: &'static str) -> Option<i64> {
        let Some(value) = self.take(name) else {
            if !self.object.has(name) {
                self.fault(name, Code::MissingField, "this field is required");
            }
            return None;
        };
        let number = json::integer(value.get());
        if number.is_none() {
            self.fault(name, Code::WrongType, "this field is a whole number");
        }
        number
    }

    /// An object that must be there, as it was read before; `None` if it was none.
    fn object(&mut self, name: &'static str, read: Option<Object<'a>>) -> Option<Object<'a>> {
        if self.take(name).is_none() {
            if !self.object.has(name) {
                self.fault(name, Code::MissingField, "this field is required");
            }
            return None;
        }
        if read.is_none() {
            self.fault(name, Code::WrongType, "this field is an object");
        }
        read
    }

    /// Keeps a parsed value, or notes the rule that it breaks.
    pub(crate) fn check<T>(&mut self, name: &'static str, parsed: Result<T, Broken>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(Broken { code, detail }) => {
                self.fault(name, code, detail);
                None
            }
        }
    }

    /// Every fault, the unknown fields included.
    pub(crate) fn finish(mut self) -> Vec<Fault> {
        let members = std::mem::take(&mut self.object.members);
        for (key, _) in &members {
            if self.known.iter().all(|known| known != key) {
                self.unknown(key);
            }
        }
        if self.object.overflow {
            self.faults.push(Fault::new(self.pointer, Code::UnknownField, Fault::MORE_FIELDS));
        }
        self.faults
    }

    /// The faults of a request whose fields nobody can name.
    pub(crate) fn finish_unread(self) -> Vec<Fault> {
        self.faults
    }

    fn take(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        let mut values = self.object.members.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        let value = values.next()?;
        if values.next().is_some() {
            self.fault(name, Code::DuplicateField, "this field is given more than once");
            return None;
        }
        Some(value)
    }

    fn fault(&mut self, name: &'static str, code: Code, detail: &'static str) {
        self.faults.push(Fault { pointer: format!("{}/{name}", self.pointer).into(), code, detail: detail.into() });
    }

    /// A field name comes from outside: it is repeated only if it is a plain word, never at length, and
    /// not if it shows what stands in the token's field.
    fn unknown(&mut self, key: &str) {
        let plain = (1..=40).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphabetic());
        let named = plain && !self.secrets.touch(key);
        let pointer = if named { format!("{}/{key}", self.pointer) } else { self.pointer.to_owned() };
        let nearest = self.known.iter().find(|known| nearly_equal(known, key));
        let detail = match nearest {
            Some(name) => format!("this field is unknown; did you mean `{name}`?").into(),
            None => "this field is unknown here".into(),
        };
        self.faults.push(Fault { pointer: pointer.into(), code: Code::UnknownField, detail });
    }
}

/// Whether two names differ in case only, or by one letter put in, left out or replaced.
pub(crate) fn nearly_equal(known: &str, key: &str) -> bool {
    if known.len().abs_diff(key.len()) > 1 {
        return false;
    }
    let same = |(a, b): &(u8, u8)| a.eq_ignore_ascii_case(b);
    let front = known.bytes().zip(key.bytes()).take_while(same).count();
    let back = known.bytes().rev().zip(key.bytes().rev()).take_while(same).count();
    front + back + 1 >= known.len().max(key.len())
}
