//! The report of what is there now, for a browser on this machine.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::super::stage::Stage;
use super::page::{Use, data, html};
use super::{Failure, Report, Wanted};

/// The page or its data, if one of them is asked for.
pub(crate) async fn answer(stage: &Stage, allowlist_name: &str, parts: &Parts) -> Option<Response<Full<Bytes>>> {
    if parts.method != Method::GET {
        return None;
    }
    let made: fn(&Report) -> serde_json::Result<(&'static str, String)> = match parts.uri.path() {
        "/" => |report| Ok(("text/html; charset=utf-8", html(report, Use::Live)?)),
        "/report.json" => |report| Ok(("application/json", data(report)?)),
        _ => return None,
    };
    let report = super::of_stage(stage, allowlist_name, &Wanted::default(), |_| {}).await;
    let answer = report.and_then(|report| made(&report).map_err(Failure::from));
    let (status, (content_type, body)) = match answer {
        Ok(made) => (StatusCode::OK, made),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, ("text/plain; charset=utf-8", format!("{error}\n"))),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        // The page has a policy of its own, which cannot forbid frames: a button in a frame can be clicked unseen.
        (CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}
