//! The decision a second time, as small as it can be said: written from the contract, not from the broker, over plain
//! texts. An allowlist, a grant and a requester go in, the first rule that allows it comes out.

/// A rule; `None` is a field left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule {
    pub(super) id: Option<String>,
    pub(super) accounts: Vec<&'static str>,
    pub(super) organizations: Vec<&'static str>,
    pub(super) services: Vec<&'static str>,
    pub(super) actions: Option<Vec<&'static str>>,
    pub(super) targets: Option<Vec<&'static str>>,
    pub(super) requesters: Option<Vec<&'static str>>,
}

/// Who gets access.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Party {
    Account(&'static str),
    /// Partition, account and resource of an IAM ARN.
    Iam(&'static str, &'static str, &'static str),
    Service(&'static str),
    Everyone,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) layer: bool,
    /// Partition, region and account, if they are given.
    pub(super) place: Option<(&'static str, &'static str, &'static str)>,
    pub(super) name: &'static str,
    pub(super) qualifier: Option<&'static str>,
    pub(super) action: &'static str,
    pub(super) party: Party,
    /// Service and region of the source ARN, its account (which may be empty), its resource.
    pub(super) source_arn: Option<(&'static str, &'static str, &'static str)>,
    pub(super) source_account: Option<&'static str>,
    pub(super) organization: Option<&'static str>,
    pub(super) token: bool,
    pub(super) auth: Option<&'static str>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Who {
    Direct,
    Iam(&'static str),
    /// Account and source.
    Event(&'static str, &'static str),
    Queue(&'static str),
}

pub(super) const HOME: (&str, &str, &str) = ("aws", "us-east-1", "123456789012");
pub(super) const SELF: &str = "permission-broker";

/// The name of the first rule that allows all of it.
pub(super) fn allowing_rule(rules: &[Rule], ask: &Ask, who: Who) -> Option<String> {
    let position = rules.iter().position(|rule| rule.allows(ask, who)).filter(|_| !ask.is_never_granted())?;
    Some(rules[position].id.clone().unwrap_or_else(|| position.to_string()))
}

impl Ask {
    fn source_arn_account(&self) -> Option<&'static str> {
        self.source_arn.map(|(_, account, _)| account).filter(|account| !account.is_empty())
    }

    fn is_never_granted(&self) -> bool {
        let sources = (self.source_account, self.source_arn_account());
        let unconfined = match self.party {
            Party::Everyone => self.organization.is_none(),
            Party::Service(name) if name.starts_with("s3.") => sources.0.is_none(),
            // An Alexa skill is named by its token.
            Party::Service(name) if name.ends_with(".amazon.com") && self.token => false,
            Party::Service(_) => sources == (None, None),
            Party::Iam(partition, ..) => partition != HOME.0,
            Party::Account(_) => false,
        };
        unconfined
            || self.action.contains('*')
            || matches!(sources, (Some(given), Some(in_arn)) if given != in_arn)
            || (self.name == SELF && !self.layer)
            || self.place.is_some_and(|place| place != HOME)
            || self.auth == Some("NONE")
    }
}

impl Rule {
    fn allows(&self, ask: &Ask, who: Who) -> bool {
        let defaults = || vec!["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetLayerVersion"];
        let target = format!("{}:{}", if ask.layer { "layer" } else { "function" }, ask.name);
        let party = match ask.party {
            Party::Account(account) | Party::Iam(_, account, _) => self.accounts.contains(&account),
            Party::Service(name) => self.services.contains(&name),
            Party::Everyone => true,
        };
        let mut sources = ask.source_account.into_iter().chain(ask.source_arn_account());
        self.lets_ask(who)
            && self
                .targets
                .as_ref()
                .is_none_or(|patterns| patterns.iter().any(|it| glob(it.as_bytes(), target.as_bytes())))
            && self.actions.clone().unwrap_or_else(defaults).contains(&ask.action)
            && party
            && ask.organization.is_none_or(|id| self.organizations.contains(&id))
            && sources.all(|account| self.accounts.contains(&account))
    }

    fn lets_ask(&self, who: Who) -> bool {
        let id = match who {
            Who::Direct => None,
            Who::Iam(arn) => Some(arn.to_owned()),
            Who::Event(account, source) => Some(format!("eventbridge:{account}:{source}")),
            Who::Queue(sender) => Some(format!("sqs:{sender}")),
        };
        match &self.requesters {
            None => !matches!(who, Who::Event(account, _) if account != HOME.2),
            Some(patterns) => id.is_some_and(|id| patterns.iter().any(|it| glob(it.as_bytes(), id.as_bytes()))),
        }
    }
}

/// The textbook definition, which takes exponential time; the texts here are short.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        [byte, rest @ ..] => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}
