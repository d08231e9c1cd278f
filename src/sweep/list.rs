//! Finding what a sweep has to look at: functions, their aliases and versions, layers and their versions. Of what AWS
//! lists only that is kept which a rule of the allowlist reaches; a rule that names all it reaches needs no list of all.

use std::collections::BTreeSet;

use super::places::{Place, Unit, Wanted};
use super::{Sweep, TimeIsUp, Units};
use crate::error::Code;
use crate::policy::{Failure, List, MOST_ATTEMPTS, Page};

/// Why a list has an end before its own.
enum Stop {
    TimeIsUp,
    For(Code),
}

/// What is said where a list cannot be had.
fn lost(list: &List<'_>) -> &'static str {
    match list {
        List::Functions => {
            "functions could not be listed: those that the allowlist reaches without naming them were not looked at"
        }
        List::Layers => {
            "layers could not be listed: those that the allowlist reaches without naming them were not looked at"
        }
        List::AliasesOf(_) => "the aliases of a function could not be listed, and were not looked at",
        List::VersionsOf(_) => "the versions of a function could not be listed, and were not looked at",
        List::VersionsOfLayer(_) => "the versions of a layer could not be listed, and were not looked at",
    }
}

impl Sweep<'_> {
    /// Every function and layer to look at, in order, with the places that the event names; whether all else that
    /// belongs to it is to be looked at as well, the allowlist says.
    pub(super) async fn units(&mut self, wanted: &Wanted) -> Result<Units, TimeIsUp> {
        let mut units = Units::new();
        for place in &wanted.targets {
            units.entry(place.unit.clone()).or_default().insert(place.clone());
        }
        for layer in [false, true] {
            let word = if layer { "layer" } else { "function" };
            let mut names: BTreeSet<String> = self.case.allowlist.names(word).map(str::to_owned).collect();
            let within = wanted.within.iter().flatten().filter_map(|pattern| pattern.name_of(word));
            names.extend(within.filter(|name| !name.contains('*')).map(str::to_owned));
            // Where the role can reach nothing but what has a name, nothing has to be found.
            let open = |name: &str| name.contains('*');
            let role_reaches_more = wanted
                .within
                .as_ref()
                .is_none_or(|within| within.iter().filter_map(|pattern| pattern.name_of(word)).any(open));
            if self.case.allowlist.reaches_more(word) && role_reaches_more && (layer || !wanted.has_come_to_layers()) {
                names.extend(self.list(if layer { List::Layers } else { List::Functions }).await?);
            }
            let units_of = names.into_iter().map(|name| Unit { layer, name: name.into() });
            for unit in units_of.filter(|unit| self.is_reached(unit, wanted)) {
                units.entry(unit).or_default();
            }
        }
        units.retain(|unit, _| wanted.has_to_come(unit));
        Ok(units)
    }

    fn is_reached(&self, unit: &Unit, wanted: &Wanted) -> bool {
        let name = unit.to_string();
        let own = !unit.layer && unit.name.eq_ignore_ascii_case(self.own.function());
        !own && self.case.allowlist.reaches(&name) && wanted.reaches(&name)
    }

    /// The places of a function or a layer, in order.
    pub(super) async fn places(
        &mut self,
        unit: &Unit,
        mut places: BTreeSet<Place>,
        wanted: &Wanted,
    ) -> Result<BTreeSet<Place>, TimeIsUp> {
        // What the event names and the allowlist does not reach is not looked at beyond that.
        if !self.is_reached(unit, wanted) {
            return Ok(places);
        }
        let lists = if unit.layer {
            vec![List::VersionsOfLayer(&unit.name)]
        } else {
            places.insert(Place { unit: unit.clone(), qualifier: None });
            vec![List::AliasesOf(&unit.name), List::VersionsOf(&unit.name)]
        };
        for list in lists {
            // `$LATEST` takes no policy.
            let qualifiers = self.list(list).await?.into_iter().filter(|qualifier| qualifier != "$LATEST");
            places.extend(qualifiers.map(|qualifier| Place { unit: unit.clone(), qualifier: Some(qualifier.into()) }));
        }
        Ok(places)
    }

    /// The names on all pages of a list, as far as they can be had.
    async fn list(&mut self, list: List<'_>) -> Result<Vec<String>, TimeIsUp> {
        let (mut found, mut marker) = (Vec::new(), None);
        let stop = loop {
            match self.page(&list, &marker).await {
                Ok((names, next)) => {
                    found.extend(names);
                    match next.filter(|next| !next.is_empty()) {
                        None => return Ok(found),
                        // A marker that stays the same would never end, and what is behind it is not seen.
                        next if next == marker => break Stop::For(Code::Unavailable),
                        next => marker = next,
                    }
                }
                Err(stop) => break stop,
            }
        };
        match stop {
            Stop::TimeIsUp => return Err(TimeIsUp),
            // What is not there has nothing to list; what else could not be listed is told, and the rest goes on.
            Stop::For(Code::TargetNotFound) => {}
            Stop::For(code) => self.note_list(code, lost(&list)),
        }
        Ok(found)
    }

    /// One page of a list, its names and its marker. AWS sends the list also when it is empty, so an answer without one, or with
    /// an entry that has no name, is not taken for a list in which nothing is.
    async fn page(&mut self, list: &List<'_>, marker: &Option<String>) -> Result<(Vec<String>, Option<String>), Stop> {
        let budget = self.budget().ok_or(Stop::TimeIsUp)?;
        let mut last = Stop::TimeIsUp;
        for attempt in 1..=MOST_ATTEMPTS {
            self.turn().await;
            let Some(time) = budget.of_call() else { break };
            let answer = list.page(&self.broker.client, marker.clone(), time).await;
            self.calls.note(&format!("list:{}", answer.seen));
            let (code, after) = match answer.result {
                Ok(Page { names: Some(names), next }) => return Ok((names, next)),
                Err(Failure::Final(code)) => return Err(Stop::For(code)),
                Err(Failure::Throttled(after)) => (Code::Throttled, after),
                Ok(Page { names: None, .. }) | Err(_) => (Code::Unavailable, None),
            };
            last = Stop::For(code);
            let pause = budget.pause(attempt + 1).max(after.unwrap_or_default());
            if attempt == MOST_ATTEMPTS || !budget.wait(pause).await {
                break;
            }
        }
        Err(last)
    }
}
