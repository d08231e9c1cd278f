//! The embedded control plane: a working fake of Lambda's six resource-policy operations, of the four that list what
//! can have a policy, of the two by which a layer gets its next version, and of what timed grants need of EventBridge
//! Scheduler, over HTTP/1.1.
//! Guarantees the answers that were recorded from AWS, and faults on demand; where AWS's behaviour is not known it
//! takes the strictest reading and says so. It checks no signatures and serves the local mode and the tests only.

mod answer;
mod body;
mod call;
mod constraint;
mod events;
mod fault;
mod function;
mod layer;
mod layer_version;
mod list;
mod policy;
mod principal;
mod request;
mod route;
mod schedule;
mod serve;
mod state;
mod statement;
mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::net::TcpListener;
use tokio::time::sleep;

pub use answer::ErrorName;
pub use call::Call;
pub use fault::{ConcurrentUpdates, Fault, FaultKind};
pub use route::Operation;
pub use schedule::Schedule;
pub use world::WorldError;

use answer::{Answer, AwsError};
use request::Request;
use state::{State, outcome, subject};
use world::{Alias, World};

/// The members of a query string; `None` if it is broken or gives one twice.
pub(super) fn query(raw: &str) -> Option<Vec<(String, String)>> {
    route::query(raw).ok()
}

/// A handle to one control plane; clones share it.
#[derive(Clone)]
pub struct ControlPlane {
    state: Arc<Mutex<State>>,
}

impl ControlPlane {
    /// A control plane without functions and layers.
    pub fn new(partition: &str, region: &str, account: &str) -> Self {
        Self::of(World::empty(partition, region, account))
    }

    /// A control plane that knows what the JSON document says; see [`ControlPlane::to_world`] for its form.
    ///
    /// `functions` maps names to `versions` (numbers) and `aliases` (name to version), `layers` maps names to
    /// version numbers, `policies` maps resource ARNs to `statements`, and `deletedPrincipals` lists the users and
    /// roles that no longer exist. All but `partition`, `region` and `account` may be left out.
    pub fn from_world(json: &str) -> Result<Self, WorldError> {
        World::from_json(json).map(Self::of)
    }

    /// The document of everything known, policies and revision ids included.
    pub fn to_world(&self) -> Result<String, WorldError> {
        self.state().world.to_json()
    }

    /// A control plane from a document on disk.
    pub fn load(path: &Path) -> Result<Self, WorldError> {
        World::read(path).map(Self::of)
    }

    /// Writes the document to disk; a reader sees the old one or the new one, never a part.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        self.state().world.write(path)
    }

    /// From now on every accepted change is on disk before it is answered; `None` ends that. A change that cannot
    /// be saved is undone and answered as a service failure.
    pub fn keep_at(&self, path: Option<PathBuf>) {
        self.state().path = path;
    }

    /// Adds a function, or versions and aliases to one that exists. Aliases are pairs of name and version.
    pub fn add_function(&self, name: &str, versions: &[u64], aliases: &[(&str, &str)]) -> &Self {
        let mut state = self.state();
        let function = state.world.functions.entry(name.to_owned()).or_default();
        function.versions.extend(versions);
        for (alias, version) in aliases {
            function.aliases.insert((*alias).to_owned(), Alias::to(version));
        }
        drop(state);
        self
    }

    /// Adds a layer, or versions to one that exists.
    pub fn add_layer(&self, name: &str, versions: &[i64]) -> &Self {
        let mut state = self.state();
        let known = state.world.layers.entry(name.to_owned()).or_default();
        known.extend(versions);
        drop(state);
        self
    }

    /// From now on this user or role does not exist. A policy that names it shows its unique id instead, as IAM
    /// documents, and takes no further statement.
    pub fn delete_principal(&self, arn: &str) -> &Self {
        self.state().world.delete_principal(arn);
        self
    }

    /// The policy document of a function, version, alias or layer version.
    pub fn policy(&self, resource_arn: &str) -> Option<String> {
        let state = self.state();
        let policy = state.world.policies.get(resource_arn);
        policy.map(policy::Policy::document)
    }

    /// All policies: resource ARN, document, revision id.
    pub fn policies(&self) -> Vec<(String, String, String)> {
        let state = self.state();
        let policies = state.world.policies.iter();
        policies.map(|(arn, policy)| (arn.clone(), policy.document(), policy.revision_id.clone())).collect()
    }

    /// From now on schedules can be made in this group.
    pub fn add_schedule_group(&self, name: &str) -> &Self {
        self.state().world.schedule_groups.insert(name.to_owned());
        self
    }

    /// All schedules, by group and name.
    pub fn schedules(&self) -> Vec<(String, Schedule)> {
        self.state().world.schedules.clone().into_iter().collect()
    }

    /// Changes or, with `None`, deletes a schedule behind the broker's back.
    pub fn put_schedule(&self, key: &str, schedule: Option<Schedule>) -> &Self {
        let mut state = self.state();
        match schedule {
            Some(schedule) => _ = state.world.schedules.insert(key.to_owned(), schedule),
            None => _ = state.world.schedules.remove(key),
        }
        drop(state);
        self
    }

    /// The schedules whose time has come, each as the event that it sends. They are done, and gone.
    pub fn take_due(&self, now: SystemTime) -> Vec<String> {
        let mut state = self.state();
        let due = schedule::take_due(&mut state.world.schedules, now);
        if let (false, Some(path)) = (due.is_empty(), &state.path) {
            // What is sent twice finds nothing the second time.
            let _ = state.world.write(path);
        }
        due
    }

    /// Every request since the start or the last clearing, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.all()
    }

    /// Forgets the recorded requests.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// Takes the events that were put on a bus since the last time, each as it was sent, in order of arrival.
    pub fn take_events(&self) -> Vec<serde_json::Value> {
        std::mem::take(&mut self.state().events)
    }

    /// Queues a fault behind those already queued.
    pub fn inject(&self, fault: Fault) -> &Self {
        self.state().faults.push(fault);
        self
    }

    /// How many requests the queued faults still wait for.
    pub fn faults_left(&self) -> usize {
        self.state().faults.left()
    }

    /// Drops all queued faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// What happens to changes that overlap.
    pub fn concurrent_updates(&self, mode: ConcurrentUpdates) -> &Self {
        self.state().updates = mode;
        self
    }

    /// Answers on the listener until the future is dropped; connections end with it.
    pub async fn serve(self, listener: TcpListener) {
        serve::accept(self, listener).await;
    }

    /// Takes a free port of the loopback, serves it on the current runtime and gives the URL.
    pub async fn start(&self) -> io::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(self.clone().serve(listener));
        Ok(url)
    }

    fn of(world: World) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(world))) }
    }

    /// A panic while the lock was held cannot have left half a change: changes are put in whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, number: u64, change: impl FnOnce(&mut Call)) {
        self.state().calls.update(number, change);
    }

    /// Carries a request out in the chosen interleaving; says whether it changed something.
    async fn perform(&self, request: &Request) -> (Answer, bool) {
        let updates = self.state().updates;
        match updates {
            ConcurrentUpdates::Refuse { window } if request.operation.is_change() => {
                let _turn = match Turn::take(self, request) {
                    Ok(turn) => turn,
                    Err(error) => return (error.into(), false),
                };
                sleep(window).await;
                self.perform_now(request)
            }
            ConcurrentUpdates::LoseSilently { window } if request.operation.is_change() => {
                let before = self.state().world.clone();
                sleep(window).await;
                let outcome = outcome(&before, request);
                self.state().commit(outcome)
            }
            _ => self.perform_now(request),
        }
    }

    fn perform_now(&self, request: &Request) -> (Answer, bool) {
        let mut state = self.state();
        let outcome = outcome(&state.world, request);
        state.commit(outcome)
    }
}

/// The right to change one function or layer; given back when it is dropped.
struct Turn {
    plane: ControlPlane,
    subject: String,
}

impl Turn {
    fn take(plane: &ControlPlane, request: &Request) -> Result<Self, AwsError> {
        let subject = subject(request)?;
        if !plane.state().under_way.insert(subject.clone()) {
            return Err(AwsError::concurrent_update());
        }
        Ok(Self { plane: plane.clone(), subject })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.plane.state().under_way.remove(&self.subject);
    }
}
