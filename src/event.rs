//! The doors: which of them an event came through, who asks, and the request inside it, still text.
//!
//! What AWS's services put around a request is recognised by the members that only they have. An
//! event that fits no door or two is refused, and the requester is read only from a door that is open.

mod envelope;

use std::borrow::Cow;

use crate::error::{Code, Fault};
use crate::expiry::Moment;
use crate::json::{self, NotAnObject, Object};
use crate::requester::{Requester, Text};

/// A door: one kind of event source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A direct invoke of the function; the event is the request.
    Direct,
    /// API Gateway (REST API, HTTP API) or a function URL; the request is the body.
    ApiGateway,
    /// EventBridge; the request is the `detail`.
    EventBridge,
    /// SQS; the request is the message body, or the `detail` of an event in it.
    Sqs,
    /// A schedule of EventBridge Scheduler; the request is `scheduled`, an `Expire` or a `Sweep` and nothing else.
    /// It cannot be closed: what was given until a time has to end, whatever else is open.
    Schedule,
}

impl Door {
    /// Every door that a deployment opens or closes.
    pub const ALL: [Self; 4] = [Self::Direct, Self::ApiGateway, Self::EventBridge, Self::Sqs];

    /// The name in `BROKER_SOURCES` and in the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::ApiGateway => "api-gateway",
            Self::EventBridge => "eventbridge",
            Self::Sqs => "sqs",
            Self::Schedule => "schedule",
        }
    }
}

/// The doors that are open on this deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doors(Vec<Door>);

impl Doors {
    /// A set of doors.
    pub fn new(open: impl IntoIterator<Item = Door>) -> Self {
        Self(open.into_iter().collect())
    }

    /// Whether a door is open.
    pub fn are_open(&self, door: Door) -> bool {
        door == Door::Schedule || self.0.contains(&door)
    }

    /// The names, as in `BROKER_SOURCES`.
    pub fn names(&self) -> String {
        self.0.iter().map(|door| door.as_str()).collect::<Vec<_>>().join(",")
    }
}

impl Default for Doors {
    /// All but direct invokes, behind which AWS vouches for nobody.
    fn default() -> Self {
        Self::new([Door::ApiGateway, Door::EventBridge, Door::Sqs])
    }
}

/// An opened event: the requests in it, in order, and how its source wants to be answered.
pub(crate) struct Opened<'a> {
    pub(crate) shape: Shape,
    pub(crate) items: Vec<Item<'a>>,
}

/// How an event is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// With the one reply.
    One,
    /// With a list of replies.
    Many,
    /// With an HTTP response. The path takes the methods given.
    Http { allow: &'static str },
    /// With the ids of the messages that failed. In order means that nothing after a failed one is done.
    Batch { in_order: bool },
}

/// One request in an event.
pub(crate) struct Item<'a> {
    pub(crate) origin: Origin,
    /// The id to answer a queue with, exactly as it came; empty elsewhere.
    pub(crate) message_id: String,
    /// What was received, or why it is refused unread.
    pub(crate) received: Result<Received<'a>, Fault>,
}

/// Where a request came from, for the audit.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    pub(crate) door: Option<Door>,
    pub(crate) requester: Option<Requester>,
    /// The source's own id of the event: API request id, event id or message id.
    pub(crate) event_id: Option<Text>,
}

/// A request with the requester that AWS vouches for. Only an open door makes one. Its text may hold a
/// secret, so there is no `Debug`.
pub(crate) struct Received<'a> {
    requester: Requester,
    /// When it was asked, where AWS stamped that.
    asked: Option<Moment>,
    wants: Wants<'a>,
}

/// What an event is for.
pub(crate) enum Wants<'a> {
    /// The request in this text.
    Request(Cow<'a, str>),
    /// The description of the HTTP door.
    Description,
}

impl Received<'_> {
    pub(crate) fn requester(&self) -> &Requester {
        &self.requester
    }

    /// When it was asked, where AWS stamped that.
    pub(crate) fn asked(&self) -> Option<Moment> {
        self.asked
    }

    pub(crate) fn wants(&self) -> &Wants<'_> {
        &self.wants
    }
}

impl<'a> Opened<'a> {
    fn refused(code: Code, detail: &'static str) -> Self {
        Self { shape: Shape::One, items: vec![Item::refused(Fault::new("", code, detail))] }
    }
}

/// Opens an event, as Lambda hands it over.
pub(crate) fn open<'a>(event: &'a [u8], doors: &Doors) -> Opened<'a> {
    const NOT_JSON: &str = "the event is one JSON value in UTF-8 and nothing after it";
    let Ok(text) = std::str::from_utf8(event) else { return Opened::refused(Code::NotJson, NOT_JSON) };
    match Object::parse(text) {
        Ok(object) => open_object(text, &object, doors),
        Err(NotAnObject::NotJson) => Opened::refused(Code::NotJson, NOT_JSON),
        Err(NotAnObject::OtherType) => open_array(text, doors),
    }
}

/// The members by which each door is known.
fn door_of(object: &Object<'_>) -> Result<Door, Fault> {
    let fits = |names: &[&str]| names.iter().any(|name| object.has(name));
    let doors = [
        (Door::Direct, fits(&["operation", "parameters"])),
        (Door::ApiGateway, fits(&["requestContext", "httpMethod"])),
        (Door::EventBridge, fits(&["detail-type", "detail"])),
        (Door::Sqs, fits(&["Records"])),
        (Door::Schedule, fits(&["scheduled"])),
    ];
    let mut fitting = doors.into_iter().filter(|(_, fits)| *fits).map(|(door, _)| door);
    match (fitting.next(), fitting.next()) {
        (Some(door), None) => Ok(door),
        (None, _) => {
            Err(Fault::new("", Code::UnknownEvent, "this is no request, and no event of a source that carries one"))
        }
        (Some(_), Some(_)) => {
            Err(Fault::new("", Code::AmbiguousEvent, "this event has the marks of more than one source"))
        }
    }
}

fn open_object<'a>(text: &'a str, object: &Object<'a>, doors: &Doors) -> Opened<'a> {
    let door = match door_of(object) {
        Ok(door) => door,
        Err(fault) => return Opened { shape: Shape::One, items: vec![Item::refused(fault)] },
    };
    match door {
        Door::Direct => {
            let requester = Requester::Direct;
            let received = Received { requester, asked: None, wants: Wants::Request(Cow::Borrowed(text)) };
            Opened { shape: Shape::One, items: vec![Item::of(door, None, doors, Ok(received))] }
        }
        Door::ApiGateway => {
            let id = object.object("requestContext").and_then(|context| context.string("requestId"));
            let item = Item::of(door, id.as_deref(), doors, envelope::http(object));
            Opened { shape: Shape::Http { allow: envelope::methods(object) }, items: vec![item] }
        }
        Door::EventBridge => {
            let id = object.string("id");
            let item = Item::of(door, id.as_deref(), doors, envelope::event(object));
            Opened { shape: Shape::One, items: vec![item] }
        }
        Door::Sqs => envelope::messages(object, doors),
        Door::Schedule => {
            let id = object.string("executionId");
            let item = Item::of(door, id.as_deref(), doors, envelope::scheduled(object));
            Opened { shape: Shape::One, items: vec![item] }
        }
    }
}

/// EventBridge's newer buses deliver several events as a JSON array; nothing else may.
fn open_array<'a>(text: &'a str, doors: &Doors) -> Opened<'a> {
    const RULE: &str = "an event is a JSON object; an array is read only as a batch of EventBridge events";
    let Some(values) = json::array(text).filter(|values| !values.is_empty()) else {
        return Opened::refused(Code::NotAnObject, RULE);
    };
    let mut items = Vec::with_capacity(values.len());
    for value in values {
        let Some(object) = Object::within(value).filter(|object| door_of(object) == Ok(Door::EventBridge)) else {
            return Opened::refused(Code::NotAnObject, RULE);
        };
        let id = object.string("id");
        items.push(Item::of(Door::EventBridge, id.as_deref(), doors, envelope::event(&object)));
    }
    Opened { shape: Shape::Many, items }
}

impl<'a> Item<'a> {
    /// A closed door is refused before anything behind it is looked at, the requester included.
    fn of(door: Door, event_id: Option<&str>, doors: &Doors, received: Result<Received<'a>, Fault>) -> Self {
        let received = if doors.are_open(door) {
            received
        } else {
            Err(Fault::new("", Code::SourceNotEnabled, "this deployment does not take requests from this source"))
        };
        let requester = received.as_ref().ok().map(|received| received.requester.clone());
        let event_id = event_id.and_then(Text::parse);
        Self { origin: Origin { door: Some(door), requester, event_id }, message_id: String::new(), received }
    }

    /// An event of which nothing is known but what is wrong with it.
    fn refused(fault: Fault) -> Self {
        Self { origin: Origin::default(), message_id: String::new(), received: Err(fault) }
    }
}
