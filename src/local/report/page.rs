//! The page: one HTML file with its style, its script and its data, which asks nothing of any network.
//!
//! What comes from policies is data: it stands as JSON in a script element that no browser runs, with nothing
//! in it that could end that element, and the page's script makes text of it, never markup.

use std::fmt::Write as _;

use aws_smithy_types::base64;
use sha2::{Digest, Sha256};

use super::Report;

const FRAME: &str = include_str!("page/frame.html");
const FORM: &str = include_str!("page/form.html");

/// In the order in which they run.
const SCRIPTS: [&str; 5] = [
    include_str!("page/data.js"),
    include_str!("page/filter.js"),
    include_str!("page/parts.js"),
    include_str!("page/views.js"),
    include_str!("page/main.js"),
];
const FORM_SCRIPT: &str = include_str!("page/form.js");
const FORM_STYLE: &str = include_str!("page/form.css");
const STYLES: [&str; 2] = [include_str!("page/page.css"), include_str!("page/table.css")];

/// What the page may do beyond showing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A file: it shows.
    File,
    /// Served on loopback: it can ask the broker.
    Live,
}

/// The page.
pub fn html(report: &Report, for_use: Use) -> Result<String, serde_json::Error> {
    let mut style = STYLES.concat();
    let mut script = SCRIPTS.concat();
    let mut form = "";
    if for_use == Use::Live {
        script.push_str(FORM_SCRIPT);
        style.push_str(FORM_STYLE);
        form = FORM;
    }
    let data = data(report)?;
    let policy = policy(&style, &script, for_use);
    let parts = [
        ("{{policy}}", policy.as_str()),
        ("{{style}}", &style),
        ("{{form}}", form),
        ("{{data}}", &data),
        ("{{script}}", &script),
    ];
    // Each part is put in once, where it belongs, so that no part is looked into for the place of another one.
    let mut page = String::with_capacity(FRAME.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = FRAME;
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

/// The data as JSON that can stand within a script element.
pub(crate) fn data(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string(report).map(|json| inert(&json))
}

/// Spells out what HTML or an older script engine could take for something else. In JSON these characters
/// stand in strings only, where an escape means the same.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7f}'..='\u{9f}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            char => text.push(char),
        }
    }
    text
}

/// Nothing is loaded, and only this style and this script run.
fn policy(style: &str, script: &str, for_use: Use) -> String {
    let hash = |text: &str| base64::encode(Sha256::digest(text.as_bytes()));
    let connect = if for_use == Use::Live { "; connect-src 'self'" } else { "" };
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'{connect}; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    )
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn nothing_in_the_data_can_end_its_element() {
        let hostile = "{\"a\":\"</script><!--<script>\u{2028}\u{2029}&amp;\u{85}\u{e9}\"}";
        let text = inert(hostile);
        assert_eq!(
            text,
            "{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u003cscript\\u003e\\u2028\\u2029\\u0026amp;\\u0085\u{e9}\"}"
        );
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        assert_eq!(read(&text), read(hostile));
    }
}
