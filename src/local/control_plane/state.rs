//! What the handle guards: the world, the recorded calls, the queued faults, the updates under way.
//! Guarantees that a change is on disk before it counts, where a path is set; otherwise it does not count.
//! How requests are interleaved is decided by the handle, not here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use super::answer::{Answer, AwsError, ErrorName};
use super::call::Calls;
use super::fault::{ConcurrentUpdates, Faults};
use super::policy::Policy;
use super::request::Request;
use super::route::{Operation, unknown_operation};
use super::schedule::{self, Schedule};
use super::world::World;
use super::{function, layer, layer_version, list};

/// What a request comes to: an answer and, where it was accepted, what becomes of one part of the world.
pub(super) struct Outcome {
    answer: Answer,
    change: Option<Change>,
}

/// A part of the world that becomes another, or nothing.
enum Change {
    Policy(String, Option<Policy>),
    Schedule(String, Option<Schedule>),
    LayerVersion { name: String, version: i64, is_there: bool },
}

impl Outcome {
    pub(super) fn read(answer: Answer) -> Self {
        Self { answer, change: None }
    }

    /// No policy means that the resource has none any more.
    pub(super) fn change(arn: String, policy: Option<Policy>, answer: Answer) -> Self {
        Self { answer, change: Some(Change::Policy(arn, policy)) }
    }

    /// No schedule means that it is deleted.
    pub(super) fn schedule(key: String, schedule: Option<Schedule>, answer: Answer) -> Self {
        Self { answer, change: Some(Change::Schedule(key, schedule)) }
    }

    pub(super) fn layer_version(name: String, version: i64, answer: Answer) -> Self {
        Self { answer, change: Some(Change::LayerVersion { name, version, is_there: true }) }
    }
}

/// What a request would come to in a world, without touching it.
pub(super) fn outcome(world: &World, request: &Request) -> Outcome {
    let outcome = match request.operation {
        Operation::AddPermission => function::add(world, request),
        Operation::RemovePermission => function::remove(world, request),
        Operation::GetPolicy => function::show(world, request),
        Operation::AddLayerVersionPermission => layer::add(world, request),
        Operation::RemoveLayerVersionPermission => layer::remove(world, request),
        Operation::GetLayerVersionPolicy => layer::show(world, request),
        Operation::PutEvents => Err(unknown_operation()),
        Operation::ListFunctions => list::functions(world, request),
        Operation::ListAliases => list::aliases(world, request),
        Operation::ListVersionsByFunction => list::versions(world, request),
        Operation::ListLayers => list::layers(world, request),
        Operation::ListLayerVersions => list::layer_versions(world, request),
        Operation::PublishLayerVersion => layer_version::publish(world, request),
        Operation::GetLayerVersion => layer_version::show(world, request),
        Operation::CreateSchedule => schedule::create(world, request),
        Operation::GetSchedule => schedule::show(world, request),
        Operation::DeleteSchedule => schedule::delete(world, request),
    };
    outcome.unwrap_or_else(|error| Outcome::read(error.into()))
}

/// What updates of one resource have in common, whatever the qualifier: concurrent ones disturb each other.
pub(super) fn subject(request: &Request) -> Result<String, AwsError> {
    match request.get("LayerName") {
        Some(name) => Ok(format!("layer:{}", layer::name_of(name))),
        None => Ok(format!("function:{}", function::Named::of(request)?.name)),
    }
}

/// Everything behind the handle's lock.
pub(super) struct State {
    pub(super) world: World,
    pub(super) calls: Calls,
    pub(super) faults: Faults,
    pub(super) updates: ConcurrentUpdates,
    pub(super) under_way: BTreeSet<String>,
    pub(super) path: Option<PathBuf>,
    /// The events that were put on a bus, as they were sent.
    pub(super) events: Vec<Value>,
}

impl State {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            calls: Calls::default(),
            faults: Faults::default(),
            updates: ConcurrentUpdates::default(),
            under_way: BTreeSet::new(),
            path: None,
            events: Vec::new(),
        }
    }

    /// Makes an outcome so, and says whether something changed.
    pub(super) fn commit(&mut self, outcome: Outcome) -> (Answer, bool) {
        let Some(change) = outcome.change else {
            return (outcome.answer, false);
        };
        let before = self.put(change);
        let saved = match &self.path {
            Some(path) => self.world.write(path),
            None => Ok(()),
        };
        match saved {
            Ok(()) => (outcome.answer, true),
            Err(error) => {
                self.put(before);
                let message = format!("The change could not be kept: {error}");
                let error = AwsError::new(ErrorName::Service, message);
                (error.into(), false)
            }
        }
    }

    /// Makes a change, and gives back the one that undoes it.
    fn put(&mut self, change: Change) -> Change {
        match change {
            Change::Policy(arn, policy) => {
                let before = replace(&mut self.world.policies, &arn, policy);
                Change::Policy(arn, before)
            }
            Change::Schedule(key, schedule) => {
                let before = replace(&mut self.world.schedules, &key, schedule);
                Change::Schedule(key, before)
            }
            Change::LayerVersion { name, version, is_there } => {
                let versions = self.world.layers.entry(name.clone()).or_default();
                let before = if is_there { !versions.insert(version) } else { versions.remove(&version) };
                if versions.is_empty() {
                    self.world.layers.remove(&name);
                }
                Change::LayerVersion { name, version, is_there: before }
            }
        }
    }
}

fn replace<V>(map: &mut BTreeMap<String, V>, key: &str, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    }
}
