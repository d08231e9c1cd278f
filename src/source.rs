//! Where the allowlist comes from: given at the start, or followed in AWS AppConfig.
//!
//! AppConfig is asked through the extension of AWS that runs beside the function and answers on loopback. What
//! was good last is kept: a new version that cannot be read does not replace it, and neither does silence. Until
//! there is a good one every request is refused. How old the allowlist is, and which version, is in the audit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::allowlist::Allowlist;
use crate::extension::{Answer, Extension, NoAnswer};
use crate::mark::Mark;

/// The extension looks for a new version every 45 seconds by default; asking it more often finds nothing.
const EVERY: Duration = Duration::from_secs(30);

/// The longest that a start or a request waits for a first allowlist.
const MOST_WAITING: Duration = Duration::from_secs(1);

/// The longest that a reply waits for a look at a newer version, once every 30 seconds. It is a grant that waits, so
/// this is short; what takes longer goes on while the next requests are answered.
const MOST_REFRESHING: Duration = Duration::from_millis(50);

/// An extension that has not answered for so long is asked anew. The clock goes on while the sandbox sleeps, and with
/// it the extension, so this has room for some requests in between.
const MOST_ASKING: Duration = Duration::from_secs(120);

/// The allowlist, or the way to it.
#[derive(Debug)]
pub enum Source {
    /// From `BROKER_ALLOWLIST` or `BROKER_ALLOWLIST_FILE`: the same until the sandbox ends.
    Given(Arc<Held>),
    /// From `BROKER_ALLOWLIST_APPCONFIG`.
    Followed(Followed),
}

/// An allowlist, and what is known about its being the newest.
#[derive(Debug)]
pub struct Held {
    allowlist: Arc<Allowlist>,
    version: Option<Box<str>>,
    seen: Option<Mark>,
}

/// A configuration of AppConfig.
#[derive(Debug)]
pub struct Followed {
    every: Duration,
    /// How long a reply waits for a look.
    patience: Duration,
    most_age: Option<Duration>,
    known: Arc<Known>,
}

/// What is known of it. Asking for more outlives the request with which it was begun.
#[derive(Debug)]
struct Known {
    extension: Extension,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The look that was still without an answer when nobody waited any longer.
    asking: Option<Asking>,
    held: Option<Arc<Held>>,
    asked: Option<Mark>,
    /// When the extension last answered, with whatever version.
    answered: Option<Mark>,
    /// The version that could not be read, so that it is reported once.
    refused: Option<Box<str>>,
}

/// A look that has begun.
#[derive(Debug)]
struct Asking {
    since: Mark,
    look: JoinHandle<()>,
}

impl From<Allowlist> for Source {
    fn from(allowlist: Allowlist) -> Self {
        Self::Given(Arc::new(Held { allowlist: Arc::new(allowlist), version: None, seen: None }))
    }
}

impl Held {
    /// The allowlist itself.
    pub fn allowlist(&self) -> &Allowlist {
        &self.allowlist
    }

    /// The version that AppConfig gave it, if it comes from there.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How long ago AppConfig's extension last said that this is the newest, if it comes from there.
    pub fn age(&self) -> Option<Duration> {
        self.seen.as_ref().map(Mark::age)
    }
}

impl Source {
    /// Follows a configuration; no allowlist is used when AppConfig's last answer is older than `most_age`.
    pub fn follow(extension: Extension, most_age: Option<Duration>) -> Self {
        let known = Arc::new(Known::of(extension, State::default()));
        Self::Followed(Followed { every: EVERY, patience: MOST_REFRESHING, most_age, known })
    }

    /// Asks before each request, however soon after the last, so that a test need not wait.
    #[cfg(feature = "local")]
    pub fn restless(self) -> Self {
        match self {
            Self::Followed(followed) => Self::Followed(Followed { every: Duration::ZERO, ..followed }),
            given => given,
        }
    }

    /// Waits for as long as a look takes, so that what a test has set decides however much the machine has to do.
    #[cfg(feature = "local")]
    pub fn patient(self) -> Self {
        match self {
            Self::Followed(followed) => Self::Followed(Followed { patience: Duration::MAX, ..followed }),
            given => given,
        }
    }

    /// How many rules there are now.
    pub fn len(&self) -> usize {
        match self {
            Self::Given(held) => held.allowlist.len(),
            Self::Followed(followed) => followed.usable().map_or(0, |held| held.allowlist.len()),
        }
    }

    /// Whether nothing is allowed now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The allowlist to decide by; none if there is no good one, or only one that is too old.
    pub async fn current(&self) -> Option<Arc<Held>> {
        match self {
            Self::Given(held) => Some(held.clone()),
            Self::Followed(followed) => match followed.usable() {
                Some(held) => Some(held),
                None => {
                    followed.look(MOST_WAITING).await;
                    followed.usable()
                }
            },
        }
    }

    /// Does some work, and looks for a newer version meanwhile if it is time to: it serves the next request.
    pub async fn meanwhile<T>(&self, work: impl Future<Output = T>) -> T {
        match self {
            Self::Followed(followed) if followed.is_due() => join(work, followed.look(followed.patience)).await.0,
            _ => work.await,
        }
    }
}

impl Followed {
    fn usable(&self) -> Option<Arc<Held>> {
        let state = self.known.state();
        let new_enough = |most| state.answered.is_some_and(|answered| answered.is_within(most));
        state.held.clone().filter(|_| self.most_age.is_none_or(new_enough))
    }

    fn is_due(&self) -> bool {
        self.known.state().asked.is_none_or(|asked| !asked.is_within(self.every))
    }

    /// Waits so long for what the extension has. A look that takes longer is not given up: it goes on as long as this
    /// process runs, and the next one to wait waits for the same.
    async fn look(&self, most: Duration) {
        let mut asking = self.asking();
        if timeout(most, &mut asking.look).await.is_err() {
            self.known.state().asking = Some(asking);
        }
    }

    /// The look that is still without an answer, or a new one.
    fn asking(&self) -> Asking {
        let mut state = self.known.state();
        state.asked = Some(Mark::now());
        match state.asking.take().filter(|asking| !asking.look.is_finished()) {
            Some(asking) if asking.since.is_within(MOST_ASKING) => return asking,
            Some(asking) => {
                asking.look.abort();
                tell(&NoAnswer::Unreachable);
            }
            None => {}
        }
        let known = self.known.clone();
        Asking { since: Mark::now(), look: tokio::spawn(async move { known.refresh().await }) }
    }
}

fn tell(error: &NoAnswer) {
    tracing::warn!(%error, "the allowlist of AppConfig cannot be read");
}

impl Known {
    fn of(extension: Extension, state: State) -> Self {
        Self { extension, state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the extension, and holds what it has if that is good.
    async fn refresh(&self) {
        match self.extension.ask().await {
            Ok(answer) => self.take(answer),
            Err(error) => tell(&error),
        }
    }

    fn take(&self, answer: Answer) {
        let mut state = self.state();
        // A newer version that is not good is an answer, too: the one before stays in force for as long as it stands.
        state.answered = Some(Mark::now());
        let known = state.held.as_ref().filter(|held| held.version.is_some() && held.version == answer.version);
        let allowlist = match known {
            Some(held) => held.allowlist.clone(),
            None => match Allowlist::parse(&answer.text) {
                Ok(allowlist) => Arc::new(allowlist),
                Err(problems) => {
                    if state.refused.is_none() || state.refused != answer.version {
                        let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                        tracing::error!(problems, version = answer.version.as_deref(), "the new allowlist is not used");
                    }
                    state.refused = answer.version.or(Some("".into()));
                    return;
                }
            },
        };
        state.refused = None;
        state.held = Some(Arc::new(Held { allowlist, version: answer.version, seen: Some(Mark::now()) }));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// An allowlist that was asked for and seen at that time, and may be ten minutes old.
    fn followed(mark: Mark) -> Option<Followed> {
        let extension = Extension::new("broker/live/allowlist", 2772)?;
        let held = Held { allowlist: Arc::default(), version: None, seen: Some(mark) };
        let state = State { held: Some(Arc::new(held)), asked: Some(mark), answered: Some(mark), ..State::default() };
        Some(Followed {
            every: EVERY,
            patience: MOST_REFRESHING,
            most_age: Some(HOUR / 6),
            known: Arc::new(Known::of(extension, state)),
        })
    }

    #[test]
    fn a_bad_version_leaves_the_good_one_in_force_for_as_long_as_appconfig_answers() {
        let followed = followed(Mark::now().changed(|wall| wall - HOUR, HOUR));
        let usable = || followed.as_ref().and_then(Followed::usable);
        assert!(usable().is_none(), "nobody has answered for an hour");
        followed.iter().for_each(|it| it.known.take(Answer { text: "[".into(), version: Some("2".into()) }));
        let age = usable().and_then(|held| held.age());
        assert!(age.is_some_and(|age| age >= HOUR), "it stays, and its age goes on");
    }

    #[test]
    fn a_clock_that_is_set_back_freezes_no_allowlist() {
        for (name, mark, is_new) in [
            ("just now", Mark::now(), true),
            ("an hour ago", Mark::now().changed(|wall| wall - HOUR, HOUR), false),
            ("set back by an hour", Mark::now().changed(|wall| wall + HOUR, Duration::ZERO), false),
            ("set back by as much as has passed", Mark::now().changed(|wall| wall, HOUR), false),
        ] {
            let told = followed(mark).map(|followed| (followed.is_due(), followed.usable().is_some()));
            assert_eq!(told, Some((!is_new, is_new)), "{name}");
        }
    }

    /// Nobody answers, and nobody refuses either.
    #[tokio::test(start_paused = true)]
    async fn a_look_goes_on_until_it_is_clear_that_no_answer_comes() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let extension = Extension::new("broker/live/allowlist", silent.local_addr().unwrap().port()).unwrap();
        let known = Arc::new(Known::of(extension, State::default()));
        let followed = Followed { every: EVERY, patience: MOST_REFRESHING, most_age: None, known };
        let since = || followed.known.state().asking.as_ref().map(|asking| asking.since.age());
        followed.look(MOST_REFRESHING).await;
        for (age, goes_on) in
            [(MOST_ASKING / 2, true), (MOST_ASKING - Duration::from_secs(5), true), (MOST_ASKING, false)]
        {
            if let Some(asking) = &mut followed.known.state().asking {
                asking.since = Mark::now().changed(|wall| wall - age, age);
            }
            followed.look(MOST_REFRESHING).await;
            assert_eq!(since().map(|since| since >= age), Some(goes_on), "{age:?}");
        }
        drop(silent);
    }
}
