//! `GrantFunctionUrl`: both statements that a caller of a function URL needs, or neither.
//!
//! Since October 2025 a URL asks for two permissions: `lambda:InvokeFunctionUrl` with the URL's auth type, and
//! `lambda:InvokeFunction` for calls through the URL (AWS, controlling access to function URLs). Either alone
//! opens nothing and looks as if it did. So both are decided, and compared with the policy, before the first is
//! written, and if the second fails the first is taken back. Every step has its own two records.
//!
//! The policy is read in any case: what stood there before is nobody's to take back, and after a lost answer the
//! policy alone no longer tells whose a statement is.

use tokio::time::Instant;

use crate::allowlist::{Approved, Denied};
use crate::asked::Asked;
use crate::audit::{Case, Recorded, Unrecorded};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::{Code, Fault};
use crate::event::Received;
use crate::grant::Grant;
use crate::outcome::Outcome;
use crate::policy::{self, Before, Budget, Named, Other, Refused, Unless, Written};
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::Own;
use crate::revoke::Revoke;

const HALF: &str = "one of the two statements may stand, as it could not be taken back: send the request again";

/// Why one of the statements is denied. A request for a function URL has no action to point at.
fn of_one(mut denied: Denied) -> Denied {
    const URL: &str = "no rule allows lambda:InvokeFunctionUrl here, which a function URL needs";
    const INVOKE: &str = "no rule allows lambda:InvokeFunction here, which a function URL needs as well";
    let detail = if denied.asked.action().as_str() == "lambda:InvokeFunctionUrl" { URL } else { INVOKE };
    for fault in denied.refusal.faults.iter_mut().filter(|fault| fault.pointer == "/parameters/Action") {
        *fault = Fault::new("", fault.code, detail);
    }
    denied
}

/// Why both are denied: what is said of both is said once.
fn of_either(url: Denied, invoke: Denied) -> Denied {
    let (mut all, more) = (of_one(url), of_one(invoke).refusal);
    add_new(&mut all.refusal.faults, more.faults);
    add_new(&mut all.refusal.rules, more.rules);
    all
}

/// What is there already is not added.
fn add_new<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

impl Broker {
    /// Grants both statements or neither.
    pub(crate) async fn grant_function_url(
        &self,
        request: Request<'_>,
        received: &Received<'_>,
        case: &Case<'_>,
        own: &Own,
        deadline: Instant,
    ) -> Answered {
        let grants = match Grant::of_function_url(request) {
            Ok(grants) => grants,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let [url, invoke] = grants.map(|grant| self.decide(case, grant, received.requester(), own));
        let (url, invoke) = match (url, invoke) {
            (Ok(url), Ok(invoke)) => (url, invoke),
            (Err(url), Err(invoke)) => return self.audit.denied(case, of_either(*url, *invoke), own),
            (Err(one), Ok(_)) | (Ok(_), Err(one)) => return self.audit.denied(case, of_one(*one), own),
        };
        let whole = Budget::new(self.timing, deadline.saturating_duration_since(Instant::now()));
        // What is kept back is for taking the first statement away again.
        let budget = whole.sparing(self.timing.call);
        if !budget.allows_grant() {
            return self.audit.not_made(case, &url, Written::none(Code::TimedOut));
        }
        if url.asked().is_dry_run() {
            let of = |grant: &Approved| case.allowlist.not_allowing(grant.grant(), received.requester(), own);
            let mut rules = of(&url);
            add_new(&mut rules, of(&invoke));
            return Ok(self.preview_both(case, [url, invoke], budget).await?.despite(rules));
        }
        self.grant_both(case, [url, invoke], budget, whole).await
    }

    async fn preview_both(&self, case: &Case<'_>, both: [Approved; 2], budget: Budget) -> Answered {
        let [url, invoke] = both;
        match boxed(|| policy::preview_both(&self.client, [&url, &invoke], budget, self.lists())).await {
            Err(Refused { written, .. }) => self.audit.not_made(case, &url, written),
            Ok([first, second]) => {
                let first = self.audit.not_made(case, &url, first)?;
                Ok(first.foretold_with(self.audit.not_made(case, &invoke, second)?))
            }
        }
    }

    async fn grant_both(&self, case: &Case<'_>, both: [Approved; 2], budget: Budget, whole: Budget) -> Answered {
        let [url, invoke] = &both;
        let [first, second] = match boxed(|| policy::meet_both(&self.client, [url, invoke], budget)).await {
            Ok(both) => both,
            Err(refused) => return self.unwritten(case, &both, refused),
        };
        // What stood there before this request is not its own to take away.
        let stood = [first.stands(), second.stands()];
        let seen = stood == [true, true];
        let (url_stands, first) = (first.standing(), Before::Seen(Box::new(first)));
        let first = self.make_after(self.audit.intent(case, url.again())?, budget, first).await?;
        let undo_url = undo(url, &first, stood[0]);
        if first.code().is_some() {
            let other = second.standing();
            if let (Some(url_stands), Some(code), true) = (url_stands, first.code(), first.verdict().unbounded) {
                let second = other.unwrap_or_else(|| Written::none(code));
                return self.unbounded(case, &both, first, [url_stands, second]);
            }
            return self
                .unless_left(case, &both, Fell { first, second: None, undo: [None, undo_url], other }, whole)
                .await;
        }
        let other = Other::of(named(url, &first), &first, seen);
        let second = Before::Beside(Some(Box::new(second)), other);
        let invoke_stands = stood[1].then(|| Written::standing_as(invoke));
        // Once there is an intent, the second statement stands, or its absence is on record.
        let second = match self.audit.intent(case, invoke.again()) {
            Ok(intent) => self.make_after(intent, budget, second).await?,
            Err(unrecorded) => {
                let unless = [named(url, &first), Named::expected(invoke)];
                let _ = self.take_back(case, [None, undo_url], Some(&unless), whole).await;
                return Err(unrecorded);
            }
        };
        if let (Some(stands), true) = (invoke_stands, second.verdict().unbounded) {
            return self.second_unbounded(case, &both, [first, second], stands, undo_url, whole).await;
        }
        let undo = [undo(invoke, &second, stood[1]), undo_url];
        match second.code() {
            None if !second.verdict().alone => Ok(first.and(second)),
            Some(_) => {
                let fell = Fell { first, second: Some(second), undo, other: None };
                self.unless_left(case, &both, fell, whole).await
            }
            None => self.first_once_more(case, &both, [first, second], undo, [budget, whole]).await,
        }
    }

    /// The ending of a request whose first statement stood there while its schedule could not be made: the second was not
    /// come to, and stands or fails with it.
    fn unbounded(
        &self,
        case: &Case<'_>,
        [url, invoke]: &[Approved; 2],
        first: Recorded,
        met: [Written; 2],
    ) -> Answered {
        let [url_stands, second] = met;
        let url_stands = self.audit.not_made(case, url, url_stands)?;
        let second = self.audit.not_made(case, invoke, second)?;
        Ok(first.telling([&url_stands, &second]))
    }

    /// The ending of a request whose second statement stood there while its schedule could not be made. Beside one that may never
    /// end the first is no whole, and what this request made of it goes, whoever wrote the second.
    async fn second_unbounded(
        &self,
        case: &Case<'_>,
        [url, invoke]: &[Approved; 2],
        [first, second]: [Recorded; 2],
        stands: Written,
        undo_url: Option<Undo>,
        budget: Budget,
    ) -> Answered {
        let code = second.code().unwrap_or(Code::Internal);
        let made = undo_url.is_some();
        if let Back::Left = self.take_back(case, [None, undo_url], None, budget).await? {
            return self.audit.refused(case, vec![Fault::new("", Code::HalfGranted, HALF)]);
        }
        let stands = self.audit.not_made(case, invoke, stands)?;
        let first = if made { self.audit.not_made(case, url, Written::none(code))? } else { first };
        Ok(second.telling([&first, &stands]))
    }

    /// The first statement is not seen beside the second any more: whoever wrote it has taken it back.
    async fn first_once_more(
        &self,
        case: &Case<'_>,
        both: &[Approved; 2],
        [first, second]: [Recorded; 2],
        [undo_invoke, undo_url]: [Option<Undo>; 2],
        [budget, whole]: [Budget; 2],
    ) -> Answered {
        let [url, invoke] = both;
        let before = Before::Beside(None, Other::of(named(invoke, &second), &second, false));
        let again = match self.audit.intent(case, url.again()) {
            Ok(intent) => self.make_after(intent, budget, before).await?,
            Err(unrecorded) => {
                let unless = [named(url, &first), named(invoke, &second)];
                let _ = self.take_back(case, [undo_invoke, undo_url], Some(&unless), whole).await;
                return Err(unrecorded);
            }
        };
        if again.code().is_none() && !again.verdict().alone {
            let first = if again.outcome() == Some(Outcome::AlreadyGranted) { first } else { again };
            return Ok(first.and(second));
        }
        let undo = [undo_invoke, undo_url.or_else(|| undo(url, &again, false))];
        self.unless_left(case, both, Fell { first: again, second: Some(second), undo, other: None }, whole).await
    }

    /// The ending of a request for which the policy has no place, so that nothing is written.
    fn unwritten(&self, case: &Case<'_>, [url, invoke]: &[Approved; 2], refused: Refused) -> Answered {
        let Refused { second, other, written } = refused;
        let (failed, stands) = if second { (invoke, url) } else { (url, invoke) };
        let stands = other.map(|written| self.audit.not_made(case, stands, *written)).transpose()?;
        let failed = self.audit.not_made(case, failed, written)?;
        Ok(match stands {
            Some(stands) => failed.beside(&stands, !second),
            None => failed,
        })
    }

    /// The ending of a request that came to nothing, if nothing of it is left; or to all that was asked for, if
    /// somebody else has done the rest meanwhile.
    async fn unless_left(&self, case: &Case<'_>, both: &[Approved; 2], fell: Fell, budget: Budget) -> Answered {
        let Fell { first, second, undo, other } = fell;
        let [url, invoke] = both;
        let named_invoke = second.as_ref().map_or_else(|| Named::expected(invoke), |second| named(invoke, second));
        let ours = undo.each_ref().map(Option::is_some);
        match self.take_back(case, undo, Some(&[named(url, &first), named_invoke]), budget).await? {
            Back::Left => self.audit.refused(case, vec![Fault::new("", Code::HalfGranted, HALF)]),
            Back::Both(kept) => self.whole(case, both, [Some(first), second], *kept),
            Back::Gone => {
                let other = other.map(|written| self.audit.not_made(case, invoke, written)).transpose()?;
                self.fallen(case, first, second.or(other), ours)
            }
        }
    }

    /// Both stand, though one of them could not be given: that is recorded of each whose last record says otherwise, and
    /// then told.
    fn whole(
        &self,
        case: &Case<'_>,
        [url, invoke]: &[Approved; 2],
        [first, second]: [Option<Recorded>; 2],
        kept: Recorded,
    ) -> Answered {
        let is_second = kept.verdict().statement_id.as_deref() == Some(invoke.statement_id().as_str());
        let (kept_first, kept_second) = if is_second { (None, Some(kept)) } else { (Some(kept), None) };
        let told = |made: Option<Recorded>, kept: Option<Recorded>, approved| {
            let made = made.filter(|recorded| recorded.code().is_none()).or(kept);
            made.map_or_else(|| self.audit.not_made(case, approved, Written::standing_as(approved)), Ok)
        };
        let first = told(first, kept_first, url)?;
        Ok(first.and(told(second, kept_second, invoke)?))
    }

    /// The ending of a request of which nothing is left; what stands without it is told beside what failed.
    fn fallen(&self, case: &Case<'_>, first: Recorded, second: Option<Recorded>, undone: [bool; 2]) -> Answered {
        const GONE: &str = "one of the two statements is being taken away by another request: send this one again";
        let [undone_invoke, undone_url] = undone;
        let Some(second) = second else { return Ok(first) };
        Ok(match (first.code(), second.code()) {
            (Some(_), None) if !undone_invoke => first.beside(&second, true),
            (Some(_), _) => first,
            (None, Some(_)) if !undone_url => second.beside(&first, false),
            (None, Some(_)) => second,
            (None, None) => return self.audit.refused(case, vec![Fault::new("", Code::Unavailable, GONE)]),
        })
    }

    /// Takes back what this request made, unless both of these statements stand; says what is left of it.
    async fn take_back(
        &self,
        case: &Case<'_>,
        undo: [Option<Undo>; 2],
        both: Option<&[Named; 2]>,
        budget: Budget,
    ) -> Result<Back, Unrecorded> {
        let mut gone = true;
        for Undo { revoke, unseen } in undo.into_iter().flatten() {
            let intent = self.audit.intent(case, revoke)?;
            let unless = both.map(|both| Unless { both, unseen });
            let written = boxed(|| policy::take_back(&self.client, &intent, budget, unless)).await;
            let back = intent.outcome(written)?;
            if matches!(back.outcome(), Some(Outcome::Granted | Outcome::AlreadyGranted)) {
                return Ok(Back::Both(Box::new(back)));
            }
            gone &= back.code().is_none();
        }
        Ok(if gone { Back::Gone } else { Back::Left })
    }
}

/// How a request got on that could not give both.
struct Fell {
    first: Recorded,
    /// The second, if it came to that.
    second: Option<Recorded>,
    /// What it made, the second before the first.
    undo: [Option<Undo>; 2],
    /// The second as it was found, if it did not come to that.
    other: Option<Written>,
}

/// A statement that this request made, or may have made, to be taken back.
struct Undo {
    revoke: Approved<Revoke>,
    /// Whether nobody has seen it.
    unseen: bool,
}

/// What is left of a request.
enum Back {
    /// Nothing.
    Gone,
    /// A statement that could not be taken back.
    Left,
    /// Both statements: the one that was to be taken back stays.
    Both(Box<Recorded>),
}

/// What to take back of a statement that did not stand before this request.
fn undo(approved: &Approved, made: &Recorded, stood: bool) -> Option<Undo> {
    let unseen = made.code() == Some(Code::OutcomeUnknown) && made.verdict().unclear;
    let ours = unseen || made.outcome() == Some(Outcome::Granted) || made.code() == Some(Code::StatementDiffers);
    let revoke = || approved.taken_back().naming(made.verdict().fingerprint.as_ref());
    (ours && !stood).then(|| Undo { revoke: revoke(), unseen })
}

/// A statement as AWS made it of a grant; as it is expected, unless that is known.
fn named(approved: &Approved, made: &Recorded) -> Named {
    let stored = made.verdict().fingerprint.as_ref().filter(|_| made.code().is_none());
    Named::expected(approved).stored(stored)
}
