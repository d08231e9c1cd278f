//! What API Gateway, function URLs, EventBridge and SQS put around a request, read member by member.
//! Sources: AWS's developer guides on Lambda proxy integrations (payload 1.0 and 2.0), function URLs,
//! EventBridge events and Lambda with SQS.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Door, Doors, Item, Opened, Received, Shape, Wants, door_of};
use crate::arn::AccountId;
use crate::error::{Code, Fault};
use crate::expiry::Moment;
use crate::json::{self, Object};
use crate::requester::{Requester, Text};
use crate::results;

/// The path of the description; a stage or a mapped domain may stand before it.
const DESCRIPTION: &str = "/openapi.json";

/// Whether the description is meant. The path says no more than that: whatever comes on another one is a request.
fn is_for_description(event: &Object<'_>) -> bool {
    event.string("path").or_else(|| event.string("rawPath")).is_some_and(|path| path.ends_with(DESCRIPTION))
}

/// The methods that the path of an HTTP request takes.
pub(super) fn methods(event: &Object<'_>) -> &'static str {
    if is_for_description(event) { "GET" } else { "GET, POST" }
}

/// A request over HTTP, payload 1.0 or 2.0.
pub(super) fn http<'a>(event: &Object<'a>) -> Result<Received<'a>, Fault> {
    refuse_duplicates(event)?;
    let context = inner(event, "requestContext")?.unwrap_or_default();
    let http = inner(&context, "http")?;
    let method = event.string("httpMethod").or_else(|| http?.string("method"));
    let describes = is_for_description(event);
    let reads = match method.as_deref() {
        Some("POST") if !describes => false,
        Some("GET") => true,
        _ if describes => return Err(Fault::new("", Code::MethodNotAllowed, "the description is read with GET")),
        _ => return Err(Fault::new("", Code::MethodNotAllowed, "a change is asked for with POST, a policy with GET")),
    };
    let requester = identity(&context)?;
    // REST API and payload 1.0, then payload 2.0.
    let asked = context.get("requestTimeEpoch").or_else(|| context.get("timeEpoch"));
    let asked = asked.and_then(|epoch| Moment::of_milliseconds(epoch.get()));
    if reads {
        // What somebody meant to change is not read instead.
        if event.string("body").is_some_and(|body| !body.is_empty()) {
            return Err(Fault::new("", Code::MethodNotAllowed, "a body goes with POST"));
        }
        let wants = if describes { Wants::Description } else { Wants::Request(Cow::Owned(query(event)?)) };
        return Ok(Received { requester, asked, wants });
    }
    let body = event.string("body").unwrap_or_default();
    let encoded = event.get("isBase64Encoded").is_some_and(|value| value.get() == "true");
    let text = if encoded { Cow::Owned(decode(&body)?) } else { body };
    Ok(Received { requester, asked, wants: Wants::Request(text) })
}

/// The read that a query asks for: the parameters of `GetLayerVersionPolicy` if it names a layer, else
/// of `GetPolicy`, and the requester's `reason`.
fn query(event: &Object<'_>) -> Result<String, Fault> {
    let values = inner(event, "queryStringParameters")?.unwrap_or_default();
    // REST APIs hand over the last of two equal names; the other one stands only here.
    let lists = inner(event, "multiValueQueryStringParameters")?.unwrap_or_default();
    let doubled = |(_, list): &(Cow<'_, str>, &RawValue)| json::array(list.get()).is_none_or(|list| list.len() != 1);
    if lists.members.iter().any(doubled) {
        return Err(Fault::new("", Code::DuplicateField, "the query gives a parameter twice"));
    }
    if values.overflow || lists.overflow {
        return Err(Fault::new("", Code::UnknownField, "the query has more parameters than are known"));
    }
    let mut document = Map::new();
    let mut parameters = Map::new();
    for (name, value) in &values.members {
        let text = json::string(value).unwrap_or_default();
        if name == "reason" {
            document.insert(name.to_string(), text.into());
        } else if name == "VersionNumber" {
            parameters.insert(name.to_string(), plain_integer(&text).map_or_else(|| text.into(), Value::from));
        } else {
            parameters.insert(name.to_string(), text.into());
        }
    }
    let of_layer = parameters.contains_key("LayerName");
    document.insert("operation".to_owned(), if of_layer { "GetLayerVersionPolicy" } else { "GetPolicy" }.into());
    document.insert("parameters".to_owned(), parameters.into());
    Ok(Value::from(document).to_string())
}

/// The whole number that a text is, in its one plain form: a query has no types, so that `1.0`, `01` and `+1` are other texts
/// than `1`, and whoever filters by what a query says has no second way to say it.
fn plain_integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

/// The one identity that an authorizer verified. Which members it stands in depends on the kind of
/// API and of authorizer; none is `unauthenticated`, two that differ are refused.
fn identity(context: &Object<'_>) -> Result<Requester, Fault> {
    let text = |object: &Object<'_>, name: &str| object.string(name).and_then(|text| Text::parse(&text));
    let mut found: Vec<Requester> = Vec::new();
    // REST API with IAM (and HTTP API, payload 1.0); API Gateway fills in userArn only after verifying it.
    if let Some(arn) = inner(context, "identity")?.and_then(|identity| text(&identity, "userArn")) {
        found.push(Requester::Iam(arn));
    }
    if let Some(authorizer) = inner(context, "authorizer")? {
        let of_claims =
            |claims: Object<'_>| Some(Requester::Jwt { issuer: text(&claims, "iss")?, subject: text(&claims, "sub")? });
        let iam = inner(&authorizer, "iam")?.and_then(|iam| text(&iam, "userArn")).map(Requester::Iam);
        let jwt = inner(&authorizer, "jwt")?.map(|jwt| inner(&jwt, "claims")).transpose()?.flatten();
        let claims = inner(&authorizer, "claims")?;
        let principal = text(&authorizer, "principalId").map(Requester::Authorizer);
        let lambda = inner(&authorizer, "lambda")?.and_then(|own| text(&own, "principalId")).map(Requester::Authorizer);
        found.extend(
            [iam, jwt.and_then(of_claims), claims.and_then(of_claims), principal, lambda].into_iter().flatten(),
        );
    }
    found.dedup();
    match <[Requester; 1]>::try_from(found) {
        Ok([requester]) => Ok(requester),
        Err(none) if none.is_empty() => {
            Err(Fault::new("", Code::Unauthenticated, "the API has to verify who asks: give the route an authorizer"))
        }
        Err(_) => Err(Fault::new("", Code::AmbiguousEvent, "the event carries more than one identity")),
    }
}

fn decode(body: &str) -> Result<String, Fault> {
    const RULE: &str = "the body is not base64 of UTF-8 text, though the event says so";
    let fault = || Fault::new("", Code::InvalidBody, RULE);
    let bytes = aws_smithy_types::base64::decode(body).map_err(|_| fault())?;
    String::from_utf8(bytes).map_err(|_| fault())
}

/// An event from EventBridge; `account` and `source` are stamped by the bus.
pub(super) fn event<'a>(event: &Object<'a>) -> Result<Received<'a>, Fault> {
    refuse_duplicates(event)?;
    let account = event.string("account").and_then(|text| AccountId::parse(&text));
    let source = event.string("source").and_then(|text| Text::parse(&text));
    let (Some(account), Some(source)) = (account, source) else {
        return Err(Fault::new("", Code::Unauthenticated, "the event carries no account and source of its sender"));
    };
    let detail = event.get("detail").ok_or(Fault::new("", Code::UnknownEvent, "the event has no detail"))?;
    if results::is_own(event) {
        return Err(results::own());
    }
    // Nobody but AWS can put an event with a source of its own on a bus.
    let of_cloud_trail = event.string("detail-type").as_deref() == Some("AWS API Call via CloudTrail");
    let text = if of_cloud_trail && source.as_str() == "aws.lambda" {
        Cow::Owned(published(&Object::within(detail).unwrap_or_default())?)
    } else {
        Cow::Borrowed(detail.get())
    };
    let asked = event.string("time").and_then(|time| Moment::parse(&time));
    Ok(Received { requester: Requester::EventBridge { account, source }, asked, wants: Wants::Request(text) })
}

/// What a schedule sends. Who made it is not asked: see [`crate::expiry`].
pub(super) fn scheduled<'a>(event: &Object<'a>) -> Result<Received<'a>, Fault> {
    refuse_duplicates(event)?;
    let request = event.get("scheduled").ok_or(Fault::new("", Code::UnknownEvent, "the schedule sends no request"))?;
    Ok(Received { requester: Requester::Schedule, asked: None, wants: Wants::Request(Cow::Borrowed(request.get())) })
}

/// What CloudTrail tells of a new layer version, as the request to carry the grants of the last one over.
fn published(detail: &Object<'_>) -> Result<String, Fault> {
    const RULE: &str = "of CloudTrail's events only a PublishLayerVersion that succeeded is a request";
    let fault = || Fault::new("/detail", Code::UnknownEvent, RULE);
    refuse_duplicates(detail)?;
    // The name carries the version of the API: PublishLayerVersion20181031.
    let published = detail.string("eventName").is_some_and(|name| name.starts_with("PublishLayerVersion"));
    let answer = inner(detail, "responseElements")?.filter(|_| published && detail.get("errorCode").is_none());
    let answer = answer.ok_or_else(fault)?;
    let (layer, version) = (answer.string("layerArn"), answer.get("version"));
    let (Some(layer), Some(version)) = (layer, version) else { return Err(fault()) };
    let version: i64 = version.get().trim_matches('"').parse().map_err(|_| fault())?;
    let parameters = json!({ "LayerName": layer, "VersionNumber": version });
    // AWS says nothing of the kind: it is how the command line asks what would become of such an event.
    let dry_run = detail.get("dryRun").is_some_and(|value| value.get() == "true");
    Ok(json!({ "operation": "CarryLayerForward", "parameters": parameters, "dryRun": dry_run }).to_string())
}

/// A batch from SQS. Without an id and a source on each record it is no batch, and is refused whole.
pub(super) fn messages<'a>(event: &Object<'a>, doors: &Doors) -> Opened<'a> {
    const RULE: &str = "Records are read only as messages of an SQS queue";
    let Some(records) = event.get("Records").and_then(|records| json::array(records.get())) else {
        return Opened::refused(Code::UnknownEvent, RULE);
    };
    let mut in_order = false;
    let mut items = Vec::with_capacity(records.len());
    for record in records {
        let Some(record) = Object::within(record) else { return Opened::refused(Code::UnknownEvent, RULE) };
        let id = record.string("messageId").filter(|id| !id.is_empty());
        let from_sqs = record.string("eventSource").is_some_and(|source| source == "aws:sqs");
        let (Some(id), true) = (id, from_sqs) else { return Opened::refused(Code::UnknownEvent, RULE) };
        in_order |= record.object("attributes").is_some_and(|attributes| attributes.has("MessageGroupId"));
        let mut item = Item::of(Door::Sqs, Some(&id), doors, message(&record));
        item.message_id = id.into_owned();
        items.push(item);
    }
    if items.is_empty() {
        return Opened::refused(Code::UnknownEvent, RULE);
    }
    Opened { shape: Shape::Batch { in_order }, items }
}

/// One message. The requester is its sender, also when the body is an EventBridge event: whoever may
/// send to the queue could have written that.
fn message<'a>(record: &Object<'a>) -> Result<Received<'a>, Fault> {
    refuse_duplicates(record)?;
    let attributes = inner(record, "attributes")?.unwrap_or_default();
    let asked = attributes.string("SentTimestamp").and_then(|sent| Moment::of_milliseconds(&sent));
    let sender = attributes.string("SenderId");
    let sender = sender.and_then(|sender| Text::parse(&sender));
    let sender = sender.ok_or(Fault::new("", Code::Unauthenticated, "the message carries no sender"))?;
    let body = record.string("body").unwrap_or_default();
    let text = match Object::parse(&body) {
        Ok(inner) => match door_of(&inner) {
            Ok(Door::EventBridge) => {
                refuse_duplicates(&inner)?;
                if results::is_own(&inner) {
                    return Err(results::own());
                }
                let detail =
                    inner.get("detail").ok_or(Fault::new("", Code::UnknownEvent, "the event has no detail"))?;
                Cow::Owned(detail.get().to_owned())
            }
            Err(fault) if fault.code == Code::AmbiguousEvent => return Err(fault),
            _ => body,
        },
        Err(_) => body,
    };
    Ok(Received { requester: Requester::Sqs(sender), asked, wants: Wants::Request(text) })
}

/// The object inside a member, each of its own members given once.
fn inner<'a>(object: &Object<'a>, name: &str) -> Result<Option<Object<'a>>, Fault> {
    let inner = object.object(name);
    inner.as_ref().map_or(Ok(()), refuse_duplicates)?;
    Ok(inner)
}

/// Which of two equal members a service meant cannot be known.
fn refuse_duplicates(object: &Object<'_>) -> Result<(), Fault> {
    let fault = Fault::new("", Code::AmbiguousEvent, "the event's envelope gives a field twice");
    if object.has_duplicates() { Err(fault) } else { Ok(()) }
}
