//! Who may speak to a server on loopback: programs of this machine, and its own page in a browser.
//!
//! Any site that a browser on this machine shows can send requests to loopback, and by a name that is made to
//! point here (DNS rebinding) even read the answers. Such requests give themselves away: by the name in `Host`,
//! by `Origin`, by `Sec-Fetch-Site`. A site cannot leave these out or change them (Fetch standard, forbidden
//! request headers).

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::http::request::Parts;

/// The names that no site can have.
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Why a request is not taken; `None` if it is.
pub(super) fn refusal(parts: &Parts) -> Option<&'static str> {
    let header = |name: HeaderName| match one(parts, &name) {
        Ok(value) => Ok(value),
        Err(()) => Err("a header is given twice or is no text"),
    };
    let read = || -> Result<_, &'static str> {
        let fetch = |name: &'static str| header(HeaderName::from_static(name));
        Ok((header(HOST)?, header(ORIGIN)?, header(CONTENT_TYPE)?, fetch("sec-fetch-site")?, fetch("sec-fetch-mode")?))
    };
    let (host, origin, content_type, site, mode) = match read() {
        Ok(read) => read,
        Err(refusal) => return Some(refusal),
    };
    // What stands in the request line comes before `Host` (RFC 9112, 3.2.2).
    let host = parts.uri.authority().map(hyper::http::uri::Authority::as_str).or(host).unwrap_or_default();
    let name = without_port(host);
    if !OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Some("the host has to be 127.0.0.1, localhost or [::1]");
    }
    if origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(&format!("http://{host}"))) {
        return Some("a page of another origin may not ask here");
    }
    // A link to the page is followed from anywhere; nothing happens by looking at it.
    let to_the_page = parts.method == Method::GET && parts.uri.path() == "/" && mode == Some("navigate");
    if !matches!(site, None | Some("same-origin" | "none")) && !to_the_page {
        return Some("a page of another site may not ask here");
    }
    let json = content_type
        .is_some_and(|it| it.split(';').next().is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json")));
    // A browser asks before it sends JSON to another origin, and nobody answers that it may.
    if origin.is_some() && parts.method == Method::POST && !json {
        return Some("a browser has to send application/json");
    }
    None
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The value of a header that may stand there once.
fn one<'a>(parts: &'a Parts, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().map_err(|_| ())).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(value) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use hyper::Request;

    use super::refusal;

    #[test]
    fn only_programs_of_this_machine_and_the_page_itself_are_heard() {
        const OWN: (&str, &str) = ("host", "127.0.0.1:8080");
        const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: [(&str, &str, Headers<'_>, bool); 25] = [
            ("POST", "/grants", &[OWN], true),
            ("POST", "/grants", &[OWN, ("content-type", "application/x-www-form-urlencoded")], true),
            ("GET", "/", &[("host", "localhost:8080")], true),
            ("GET", "/", &[("host", "LOCALHOST")], true),
            ("GET", "/", &[("host", "[::1]:8080")], true),
            ("GET", "/", &[("host", "[::1]")], true),
            ("POST", "/grants", &[OWN, ("origin", "http://127.0.0.1:8080"), JSON], true),
            (
                "POST",
                "/explain",
                &[OWN, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin"), JSON],
                true,
            ),
            ("GET", "/", &[OWN, ("sec-fetch-site", "none")], true),
            ("GET", "/", &[OWN, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], true),
            // No name, another one, one that only looks like ours.
            ("GET", "/", &[], false),
            ("GET", "/", &[("host", "example.com:8080")], false),
            ("GET", "/", &[("host", "127.0.0.1.example.com")], false),
            ("GET", "/", &[("host", "example.com:127.0.0.1")], false),
            ("GET", "/", &[("host", "0.0.0.0:8080")], false),
            ("GET", "/", &[("host", "[::1")], false),
            ("GET", "/", &[OWN, ("host", "example.com")], false),
            ("GET", "http://example.com/", &[OWN], false),
            // Another page, also one of this machine on another port.
            ("POST", "/grants", &[OWN, ("origin", "http://127.0.0.1:9000"), JSON], false),
            ("POST", "/grants", &[OWN, ("origin", "https://127.0.0.1:8080"), JSON], false),
            ("POST", "/grants", &[OWN, ("origin", "null"), JSON], false),
            ("GET", "/report.json", &[OWN, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], false),
            ("GET", "/grants", &[OWN, ("sec-fetch-site", "same-site")], false),
            ("GET", "/", &[OWN, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], false),
            // What a form of another page could send.
            ("POST", "/grants", &[OWN, ("origin", "http://127.0.0.1:8080"), ("content-type", "text/plain")], false),
        ];
        for (method, uri, headers, heard) in cases {
            let mut request = Request::builder().method(method).uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(refusal(&parts).is_none(), heard, "{method} {uri} {headers:?}");
        }
    }
}
