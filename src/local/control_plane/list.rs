//! ListFunctions, ListAliases, ListVersionsByFunction, ListLayers and ListLayerVersions: what can have a policy, a page
//! at a time.
//! Guarantees that the pages of one list, read one after the other, name everything once.
//! Of each entry only what says where its policy is: names, ARNs and versions.

use serde_json::{Value, json};

use super::answer::{Answer, AwsError};
use super::function::Named;
use super::layer;
use super::request::Request;
use super::state::Outcome;
use super::world::{Function, World};

/// AWS answers at most 50 entries at once, whatever is asked for (API reference, ListFunctions and ListLayers).
const MOST_ENTRIES: usize = 50;

pub(super) fn functions(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let all = request.get("FunctionVersion").is_some();
    let entries = world.functions.iter().flat_map(|(name, function)| {
        let versions = function.versions.iter().filter(move |_| all).map(u64::to_string);
        std::iter::once("$LATEST".to_owned()).chain(versions).map(move |version| {
            // Without FunctionVersion the ARN is that of the function; with it each entry has its version's.
            let qualifier = all.then_some(version.as_str());
            json!({
                "FunctionName": name, "FunctionArn": world.function_arn(name, qualifier), "Version": version,
            })
        })
    });
    page("Functions", entries, request)
}

fn named<'w>(world: &'w World, request: &Request) -> Result<(String, &'w Function), AwsError> {
    let name = Named::of(request)?.name;
    let missing = || AwsError::not_found(format!("Function not found: {}", world.function_arn(&name, None)));
    let function = world.functions.get(&name).ok_or_else(missing)?;
    Ok((name, function))
}

/// `$LATEST` comes first, as AWS lists it.
pub(super) fn versions(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let (name, function) = named(world, request)?;
    let versions = std::iter::once("$LATEST".to_owned()).chain(function.versions.iter().map(u64::to_string));
    let entries = versions.map(|version| {
        let arn = world.function_arn(&name, Some(&version));
        json!({ "FunctionName": name, "FunctionArn": arn, "Version": version })
    });
    page("Versions", entries, request)
}

pub(super) fn aliases(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let (name, function) = named(world, request)?;
    let entries = function.aliases.iter().map(|(alias, to)| {
        json!({ "AliasArn": world.function_arn(&name, Some(alias)), "Name": alias, "FunctionVersion": to.version })
    });
    page("Aliases", entries, request)
}

pub(super) fn layers(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let entries = world.layers.iter().filter_map(|(name, versions)| {
        let latest = versions.last()?;
        let arn = world.layer_arn(name, *latest);
        let layer_arn = arn.rsplit_once(':').map(|(layer, _)| layer.to_owned());
        let latest = json!({ "LayerVersionArn": arn, "Version": latest });
        Some(json!({ "LayerName": name, "LayerArn": layer_arn, "LatestMatchingVersion": latest }))
    });
    page("Layers", entries, request)
}

/// Newest first, as AWS lists them. Of a layer that is not there AWS lists no version.
pub(super) fn layer_versions(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let name = layer::name_of(request.required("LayerName")?);
    let versions = world.layers.get(name).into_iter().flatten().rev();
    let entries =
        versions.map(|version| json!({ "LayerVersionArn": world.layer_arn(name, *version), "Version": version }));
    page("LayerVersions", entries, request)
}

/// One page. The marker is how many entries came before; AWS says only that it is opaque.
fn page(member: &str, entries: impl Iterator<Item = Value>, request: &Request) -> Result<Outcome, AwsError> {
    let before = match request.get("Marker") {
        None => 0,
        Some(marker) => marker.parse::<usize>().map_err(|_| AwsError::invalid("Invalid Marker"))?,
    };
    let asked = request.get("MaxItems").and_then(|number| number.parse().ok());
    let most = asked.unwrap_or(MOST_ENTRIES).clamp(1, MOST_ENTRIES);
    let mut entries = entries.skip(before).peekable();
    let page: Vec<Value> = entries.by_ref().take(most).collect();
    let next = entries.peek().map(|_| (before + most).to_string());
    Ok(Outcome::read(Answer::json(200, &json!({ member: page, "NextMarker": next }))))
}
