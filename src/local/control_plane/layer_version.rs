//! PublishLayerVersion and GetLayerVersion, as far as a policy needs them: a layer gets its next version, without
//! a policy of its own, and what is there can be seen.
//! Guarantees that versions count up from 1, and that a content is given in one of AWS's two ways. The content itself is
//! thrown away, so that no answer has a `Content`; nor are description, license, runtimes and architectures kept.

use aws_smithy_types::base64;
use serde_json::{Map, Value, json};

use super::answer::{Answer, AwsError};
use super::layer;
use super::request::Request;
use super::state::Outcome;
use super::world::World;

/// What AWS says of a layer version that is asked for and not there.
const GONE: &str = "The resource you requested does not exist.";

pub(super) fn publish(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    check_content(request.required("Content")?)?;
    let name = layer::name_here(world, request.required("LayerName")?, || AwsError::not_found(GONE))?;
    let last = world.layers.get(name).and_then(|versions| versions.last());
    let version = last.map_or(Some(1), |last| last.checked_add(1)).ok_or_else(|| AwsError::invalid(GONE))?;
    let mut body = told(world, name, version);
    body.insert("Description".to_owned(), json!(request.get("Description").unwrap_or_default()));
    if let Some(license) = request.get("LicenseInfo") {
        body.insert("LicenseInfo".to_owned(), json!(license));
    }
    Ok(Outcome::layer_version(name.to_owned(), version, Answer::json(201, &Value::Object(body))))
}

pub(super) fn show(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let version = layer::version_of(request)?;
    let gone = || AwsError::not_found(GONE);
    let name = layer::name_here(world, request.required("LayerName")?, gone)?;
    if !world.has_layer_version(name, version) {
        return Err(gone());
    }
    Ok(Outcome::read(Answer::json(200, &Value::Object(told(world, name, version)))))
}

fn told(world: &World, name: &str, version: i64) -> Map<String, Value> {
    let arn = world.layer_arn(name, version);
    let layer_arn = arn.rsplit_once(':').map(|(layer, _)| layer);
    let members = [("LayerArn", json!(layer_arn)), ("LayerVersionArn", json!(arn)), ("Version", json!(version))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A zip in the request, or an object of S3, which nobody looks for. AWS's words for neither and for both are not
/// recorded.
fn check_content(text: &str) -> Result<(), AwsError> {
    const RULE: &str = "Please provide either ZipFile, or S3Bucket and S3Key";
    const UNZIP: &str = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    let unread = || AwsError::serialization("Content cannot be read");
    let content: Map<String, Value> = serde_json::from_str(text).map_err(|_| unread())?;
    let member = |name: &str| match content.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(unread()),
    };
    let object = [member("S3Bucket")?, member("S3Key")?];
    match (member("ZipFile")?, object) {
        (Some(zip), [None, None]) => {
            let zip = base64::decode(zip).map_err(|_| unread())?;
            // Every zip, an empty one too, begins with this.
            if zip.starts_with(b"PK") { Ok(()) } else { Err(AwsError::invalid(UNZIP)) }
        }
        (None, [Some(_), Some(_)]) => Ok(()),
        _ => Err(AwsError::invalid(RULE)),
    }
}
