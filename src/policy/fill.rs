//! How full a policy is, and what would make room in it. The broker never makes room by itself: every
//! statement is somebody's access.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::expiry;
use crate::secret::Secrets;
use crate::statement::{self, Standing, Statement};

/// The most bytes that AWS stores of one policy. Its own count may be some hundred bytes above what it shows, so a
/// grant that fits by this count may still be refused by AWS, and one that does not is always.
pub const MOST_BYTES: usize = 20_480;

/// A policy that has this much is called nearly full: 80 %.
pub(crate) const NEARLY_FULL: usize = MOST_BYTES / 5 * 4;

/// What AWS writes around the statements.
const FRAME: usize = r#"{"Version":"2012-10-17","Id":"default","Statement":[]}"#.len();

/// Most proposals that one reply lists.
const MOST_LISTED: usize = 8;

/// The size of a policy, before and after a change, in bytes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fill {
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_before: Option<usize>,
    bytes: usize,
    /// What it would have with the statement that something stands in the way of.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_with: Option<usize>,
    limit: usize,
    left: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    nearly_full: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    advice: Vec<Advice>,
}

/// Statements that another grant could stand in for, or that stand twice.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Advice {
    advice: &'static str,
    statement_ids: Vec<String>,
    /// What could stand in their place.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<String>,
    saves_bytes: usize,
}

impl Fill {
    /// A policy as it stands; without one, as it would be without statements.
    pub(crate) fn of(document: Option<&str>) -> Self {
        Self::new(None, document.map_or(0, str::len)).with_advice(document)
    }

    /// The policy with one statement more.
    pub(super) fn with(self, statement: &Statement) -> Self {
        let before = self.bytes;
        let after = if before == 0 { FRAME + statement.bytes() } else { before + 1 + statement.bytes() };
        Self { advice: self.advice, ..Self::new(Some(before), after) }
    }

    /// The policy after the removal of a statement. What could go beside it may be all that is left once it has gone, so
    /// the advice is of what stays.
    pub(super) fn without(document: &str, sid: &str) -> Option<Self> {
        let after = Self::new(Some(document.len()), statement::bytes_without(document, sid)?);
        let all = statements(document);
        let staying: Vec<&Statement> = all.iter().filter(|statement| statement.sid() != sid).collect();
        Some(Self { advice: advice(&staying), ..after })
    }

    /// What was seen, without the statement that was to come.
    pub(super) fn before(self) -> Self {
        match self.bytes_before {
            Some(before) => Self { advice: self.advice, ..Self::new(None, before) },
            None => self,
        }
    }

    /// The policy as it is, and the size it would have with what cannot be added.
    pub(super) fn wanting(self, bytes_with: usize) -> Self {
        Self { bytes_with: Some(bytes_with), ..self }
    }

    /// The size before one change and after another that followed it.
    pub(crate) fn since(self, first: Option<&Self>) -> Self {
        Self { bytes_before: first.and_then(|first| first.bytes_before).or(self.bytes_before), ..self }
    }

    /// Drops the proposals that repeat a secret.
    pub(super) fn withhold(&mut self, secrets: &Secrets) {
        let shows = |one: &Advice| one.statement_ids.iter().chain(&one.instead).any(|text| secrets.are_in(text));
        self.advice.retain(|one| !shows(one));
    }

    /// The policy as it was seen after a change.
    pub(super) fn seen_after(before: Option<usize>, document: &str) -> Self {
        Self { bytes_before: before, ..Self::of(Some(document)) }
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.bytes > MOST_BYTES
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn bytes_before(&self) -> Option<usize> {
        self.bytes_before
    }

    pub(crate) fn left(&self) -> usize {
        self.left
    }

    pub(crate) fn is_nearly_full(&self) -> bool {
        self.nearly_full
    }

    fn new(bytes_before: Option<usize>, bytes: usize) -> Self {
        let left = MOST_BYTES.saturating_sub(bytes);
        let nearly_full = bytes >= NEARLY_FULL;
        Self { bytes_before, bytes, bytes_with: None, limit: MOST_BYTES, left, nearly_full, advice: Vec::new() }
    }

    fn with_advice(self, document: Option<&str>) -> Self {
        let all = document.map(statements).unwrap_or_default();
        Self { advice: advice(&all.iter().collect::<Vec<_>>()), ..self }
    }
}

/// The statements of a policy that the canonical form covers.
fn statements(document: &str) -> Vec<Statement> {
    let of = |standing: Standing| match standing {
        Standing::Statement(statement) => Some(*statement),
        Standing::Foreign(_) => None,
    };
    statement::all(document).unwrap_or_default().into_iter().filter_map(of).collect()
}

/// What would save the most comes first.
fn advice(statements: &[&Statement]) -> Vec<Advice> {
    let mut all = duplicates(statements);
    // What ends makes room by itself, and what would stand in its place might not end.
    let lasting: Vec<&Statement> =
        statements.iter().copied().filter(|it| expiry::said_by(it.sid()).is_none()).collect();
    all.extend(organizations(&lasting));
    all.extend(patterns(&lasting));
    all.extend(routes(&lasting));
    all.retain(|one| one.saves_bytes > 0);
    all.sort_by_key(|one| std::cmp::Reverse(one.saves_bytes));
    all.truncate(MOST_LISTED);
    all
}

/// Statements that mean the same under several ids: all but the one that lasts longest, which is one that has no end.
fn duplicates(statements: &[&Statement]) -> Vec<Advice> {
    let groups = grouped(statements, |it| Some(it.meaning()), |it| Some(it.clone()));
    let of = |mut group: Vec<&Statement>| {
        group.sort_by_key(|statement| {
            let end = expiry::said_by(statement.sid());
            Reverse((end.is_none(), end))
        });
        let spare = group.get(1..).unwrap_or_default();
        Advice { advice: "revoke_duplicates", statement_ids: sids(spare), instead: None, saves_bytes: size(spare) }
    };
    groups.into_iter().map(of).collect()
}

/// Accounts that are each granted the same. If they belong to one organization, one grant to it would do.
fn organizations(statements: &[&Statement]) -> Vec<Advice> {
    let groups = grouped(statements, Statement::meaning_to_any_account, Statement::to_any_organization);
    let of = |group: Vec<&Statement>| {
        let one = group.first().and_then(|first| first.to_any_organization()).map_or(0, |one| 1 + one.bytes());
        Advice {
            advice: "grant_to_the_organization_if_all_are_in_it",
            statement_ids: sids(&group),
            instead: Some("Principal * with PrincipalOrgID (of a layer: OrganizationId)".to_owned()),
            saves_bytes: size(&group).saturating_sub(one),
        }
    };
    groups.into_iter().filter(|group| differ(group)).map(of).collect()
}

/// Grants that differ in their source ARN alone, and whose ARNs are of one family.
fn patterns(statements: &[&Statement]) -> Vec<Advice> {
    let family = |it| source_of(it).and_then(family);
    let groups = grouped(
        statements,
        |it| family(it).map(|family| (family, it.meaning_from_anywhere())),
        |it| family(it).map(|family| it.from(family)),
    );
    let of = |group: Vec<&Statement>| {
        let arns: Vec<&str> = group.iter().filter_map(|statement| statement.source_arn()).collect();
        let pattern = format!("{}*", common(&arns));
        let one = group.first().map_or(0, |first| 1 + first.from(&pattern).bytes());
        let saves_bytes = size(&group).saturating_sub(one);
        Advice { advice: "use_one_source_arn", statement_ids: sids(&group), instead: Some(pattern), saves_bytes }
    };
    groups.into_iter().filter(|group| differ(group) && !is_one_route(group)).map(of).collect()
}

/// Grants to one route of an API of API Gateway that differ in the stage or the method alone.
fn routes(statements: &[&Statement]) -> Vec<Advice> {
    let route = |it| source_of(it).and_then(Route::of);
    let groups = grouped(
        statements,
        |it| route(it).map(|route| (route.api, route.path, it.meaning_from_anywhere())),
        |it| route(it).map(|route| it.from(&Route { stage: "*", method: "*", ..route }.arn())),
    );
    let of = |group: Vec<&Statement>| {
        let routes: Vec<Route<'_>> = group.iter().filter_map(|it| it.source_arn()).filter_map(Route::of).collect();
        let pattern = Route::over(&routes).map(|route| route.arn()).unwrap_or_default();
        let one = group.first().map_or(0, |first| 1 + first.from(&pattern).bytes());
        let saves_bytes = size(&group).saturating_sub(one);
        Advice { advice: "use_one_source_arn", statement_ids: sids(&group), instead: Some(pattern), saves_bytes }
    };
    groups.into_iter().filter(|group| differ(group)).map(of).collect()
}

/// The source ARN of a grant that may have a pattern in its place.
fn source_of(statement: &Statement) -> Option<&str> {
    statement.source_arn().filter(|_| statement.takes_a_pattern())
}

/// Whether all of them are grants to one route, for which there is a pattern that reaches less far.
fn is_one_route(group: &[&Statement]) -> bool {
    let mut routes = group.iter().map(|it| it.source_arn().and_then(Route::of).map(|route| (route.api, route.path)));
    let first = routes.next().flatten();
    first.is_some() && routes.all(|route| route == first)
}

/// A method of an API in API Gateway, as a source ARN: `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`.
#[derive(Clone, Copy)]
struct Route<'a> {
    /// The ARN up to the API's id.
    api: &'a str,
    stage: &'a str,
    method: &'a str,
    path: &'a str,
}

impl<'a> Route<'a> {
    fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(4, '/');
        let (api, stage, method, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_method = method == "*" || (!method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase()));
        (api.split(':').nth(2) == Some("execute-api") && is_method).then_some(Self { api, stage, method, path })
    }

    /// What all of one route have in common, and `*` for what they have not.
    fn over(routes: &[Self]) -> Option<Self> {
        let first = *routes.first()?;
        let common = |part: fn(&Self) -> &'a str| {
            if routes.iter().all(|route| part(route) == part(&first)) { part(&first) } else { "*" }
        };
        Some(Self { stage: common(|it| it.stage), method: common(|it| it.method), ..first })
    }

    fn arn(&self) -> String {
        let Self { api, stage, method, path } = self;
        format!("{api}/{stage}/{method}/{path}")
    }
}

/// Whether they mean more than one thing: of what stands twice, one could go without another in its place.
fn differ(group: &[&Statement]) -> bool {
    let mut meanings = group.iter().map(|statement| statement.meaning());
    let first = meanings.next();
    meanings.any(|meaning| Some(&meaning) != first.as_ref())
}

/// Groups of at least two statements that have the same key, in the order of what one of each is seen as, written out.
/// Every grant looks for them, and few statements are alike: a key copies nothing, and what is written out is one
/// statement of a group, where there are several groups.
fn grouped<'s, K: Ord>(
    statements: &[&'s Statement],
    key: impl Fn(&'s Statement) -> Option<K>,
    seen: impl Fn(&'s Statement) -> Option<Statement>,
) -> Vec<Vec<&'s Statement>> {
    let mut groups: BTreeMap<K, Vec<&Statement>> = BTreeMap::new();
    for statement in statements {
        if let Some(key) = key(statement) {
            groups.entry(key).or_default().push(statement);
        }
    }
    let mut groups: Vec<Vec<&Statement>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_by_cached_key(|group| group.first().and_then(|first| seen(first)).map(Statement::canonical));
    groups
}

fn sids(statements: &[&Statement]) -> Vec<String> {
    statements.iter().map(|statement| statement.sid().to_owned()).collect()
}

fn size(statements: &[&Statement]) -> usize {
    statements.iter().map(|statement| statement.bytes() + 1).sum()
}

/// What may follow a word of a resource's name.
const SEPARATORS: [char; 5] = ['/', ':', '-', '_', '.'];

/// What the ARNs of one family have in common, and no pattern reaches beyond: partition, service, region, account, the
/// resource's type, and its name up to the end of the first whole word of two characters or more. An ARN without
/// such a word is of no family: a pattern for it would let in everything of its type. Nor do the region and the type make
/// a word where a name begins with them, as that of every user pool and every rule of AWS Config does.
fn family(arn: &str) -> Option<&str> {
    let resource = arn.match_indices(':').nth(4).map(|(at, _)| at + 1)?;
    let of_resource = arn.get(resource..)?;
    // `rule/` of `rule/nightly-a`: what stands before the first of these is a type wherever there is one.
    let mut end = resource + of_resource.find(['/', ':']).map_or(0, |at| at + 1);
    let region = arn.split(':').nth(3)?;
    let kind = arn.get(resource..end)?.trim_end_matches(['/', ':']);
    for said in [region, kind].into_iter().filter(|said| !said.is_empty()) {
        let behind = arn.get(end..)?.strip_prefix(said).filter(|behind| behind.starts_with(SEPARATORS));
        end += behind.map_or(0, |_| said.len() + 1);
    }
    for word in arn.get(end..)?.split_inclusive(SEPARATORS) {
        end += word.len();
        let letters = word.strip_suffix(SEPARATORS)?;
        if letters.chars().filter(|it| !['*', '?'].contains(it)).count() >= 2 {
            return arn.get(..end);
        }
    }
    None
}

/// What all begin with, up to the last separator; of one family that is the family at least.
fn common<'a>(arns: &[&'a str]) -> &'a str {
    let Some((first, rest)) = arns.split_first() else { return "" };
    let same = |arn: &&str| first.bytes().zip(arn.bytes()).take_while(|(a, b)| a == b).count();
    let length = rest.iter().map(same).min().unwrap_or(first.len());
    let end = first.bytes().take(length).rposition(|b| SEPARATORS.contains(&char::from(b))).map_or(0, |at| at + 1);
    first.get(..end).unwrap_or_default()
}
