//! Explaining a request before it is made: the same request as a dry run, told in full to a person.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::show::Show;
use super::stage::Stage;

/// Plays some files, then explains another one: a request, or an event with requests in it.
pub async fn explain(stage: &Stage, file: &Path, after: &[PathBuf], show: &mut Show<impl io::Write>) -> io::Result<()> {
    let read = |file: &Path| {
        std::fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
    };
    for file in after {
        // Whatever it came to, the policies now say.
        let _ = stage.invoke("local-before", &read(file)?).await;
    }
    stage.audit();
    let event = dry(read(file)?);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    for (document, records) in stage.tell("local-0001", &event).await {
        show.explanation(&name, &document, &records)?;
    }
    Ok(())
}

/// The event with each of its requests as a dry run. What cannot be understood stays as it is, to be refused.
pub(super) fn dry(event: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&event) else { return event };
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return event };
    if value.get("operation").is_some() || value.get("parameters").is_some() {
        return dry_text(text).into_bytes();
    }
    within(&mut value);
    value.to_string().into_bytes()
}

/// The requests inside an envelope.
fn within(event: &mut Value) {
    let events = event.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    events.iter_mut().for_each(within);
    let records = event.get_mut("Records").and_then(Value::as_array_mut).map(Vec::as_mut_slice).unwrap_or_default();
    records.iter_mut().for_each(within);
    // The request of an event, what CloudTrail tells of, and what a schedule sends.
    for name in ["detail", "scheduled"] {
        if let Some(request) = event.get_mut(name).and_then(Value::as_object_mut) {
            request.insert("dryRun".to_owned(), true.into());
        }
    }
    let encoded = event.get("isBase64Encoded").is_some_and(|it| *it == true);
    let body = event.get("body").and_then(Value::as_str).filter(|body| !body.is_empty());
    let decoded = |body: &str| String::from_utf8(aws_smithy_types::base64::decode(body).ok()?).ok();
    let text = body.and_then(|body| if encoded { decoded(body) } else { Some(body.to_owned()) });
    let (Some(text), Some(event)) = (text, event.as_object_mut()) else { return };
    let body = match serde_json::from_str::<Value>(&text) {
        // A message may carry an event of its own.
        Ok(mut inner) if inner.get("detail").is_some() => {
            within(&mut inner);
            inner.to_string()
        }
        _ => dry_text(&text),
    };
    event.insert("body".to_owned(), body.into());
    if encoded {
        event.insert("isBase64Encoded".to_owned(), false.into());
    }
}

/// A request as a dry run. Its text is kept, so that what is doubled in it stays doubled.
fn dry_text(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut members)) if members.contains_key("dryRun") => {
            members.insert("dryRun".to_owned(), true.into());
            Value::Object(members).to_string()
        }
        Ok(Value::Object(members)) if !members.is_empty() => text.replacen('{', "{\"dryRun\":true,", 1),
        _ => text.to_owned(),
    }
}
