//! What a sweep has to look at: as its event says it, and in which order.

use std::fmt;

use serde_json::{Value, json};

use crate::allowlist::Pattern;
use crate::asked::Given;
use crate::error::{Code, Fault};
use crate::request::{Fields, Request};
use crate::resource::{Own, Target};

/// A function or a layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unit {
    pub(super) layer: bool,
    pub(super) name: Box<str>,
}

/// What has a policy of its own: a function, an alias or a version of it, or a layer version.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) unit: Unit,
    pub(super) qualifier: Option<Box<str>>,
}

/// What the event of a sweep says.
pub(super) struct Wanted {
    /// `Targets`: what to look at beside what the allowlist reaches.
    pub(super) targets: Vec<Place>,
    /// `Within`: what the role can reach; of anything else that the allowlist reaches it could read no policy.
    pub(super) within: Option<Vec<Pattern>>,
    /// `After`: the last place that an earlier invocation has done.
    after: Option<Place>,
}

impl Unit {
    /// `function` or `layer`.
    pub(super) fn word(&self) -> &'static str {
        if self.layer { "layer" } else { "function" }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.word(), self.name)
    }
}

impl Place {
    /// Parses `function:NAME`, `function:NAME:QUALIFIER` or `layer:NAME:VERSION`.
    fn parse(text: &str, own: &Own) -> Option<Self> {
        let (target, given) = Target::of_entry(text)?;
        if !target.is_beside(own) || target.is_self(own) {
            return None;
        }
        let qualifier = match (&target, given) {
            (Target::Function(function), _) => function.qualifier().map(|qualifier| qualifier.as_str().into()),
            (Target::LayerVersion(_), Given::Layer { version, .. }) => Some(version.to_string().into()),
            (Target::LayerVersion(_), Given::Function { .. }) => None,
        };
        let unit = Unit { layer: target.word() == "layer", name: target.name().into() };
        Some(Self { unit, qualifier })
    }

    /// The target, and how AWS is told of it; none for what takes no policy, such as `$LATEST`.
    pub(super) fn target(&self) -> Option<(Target, Given)> {
        Target::of_entry(&self.to_string())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, qualifier } = self;
        match qualifier {
            Some(qualifier) => write!(f, "{unit}:{qualifier}"),
            None => write!(f, "{unit}"),
        }
    }
}

impl Wanted {
    pub(super) fn read(request: Request<'_>, own: &Own) -> Result<Self, Vec<Fault>> {
        const TARGET: &str =
            "a target is function:NAME, function:NAME:QUALIFIER or layer:NAME:VERSION, and not the broker itself";
        const WITHIN: &str = "a pattern is function:NAME or layer:NAME, with `*` at its end at most";
        let mut fields = request.parameters();
        let mut broken = Vec::new();
        let targets = each(&mut fields, "Targets", TARGET, &mut broken, |text| Place::parse(text, own));
        let within = each(&mut fields, "Within", WITHIN, &mut broken, Pattern::of_target);
        let after = fields.optional("After").map(|text| (Place::parse(&text, own), text));
        if let Some((None, _)) = after {
            broken.push(Fault::new("/parameters/After", Code::InvalidFunction, TARGET));
        }
        let after = after.and_then(|(place, _)| place);
        let mut faults = fields.finish();
        faults.extend(broken);
        if faults.is_empty() { Ok(Self { targets: targets.unwrap_or_default(), within, after }) } else { Err(faults) }
    }

    /// Whether it is still to be looked at.
    pub(super) fn is_to_come(&self, place: &Place) -> bool {
        self.after.as_ref().is_none_or(|after| place > after)
    }

    /// Whether anything of it is still to be looked at.
    pub(super) fn has_to_come(&self, unit: &Unit) -> bool {
        self.after.as_ref().is_none_or(|after| *unit >= after.unit)
    }

    /// Whether no functions are left, but layers.
    pub(super) fn has_come_to_layers(&self) -> bool {
        self.after.as_ref().is_some_and(|after| after.unit.layer)
    }

    /// Whether the role can reach it.
    pub(super) fn reaches(&self, unit: &str) -> bool {
        self.within.as_ref().is_none_or(|within| within.iter().any(|pattern| pattern.matches(unit)))
    }

    /// The request for what comes behind a place.
    pub(super) fn behind(&self, place: &Place) -> Value {
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        let mut parameters = json!({ "Targets": targets, "After": place.to_string() });
        if let (Some(within), Some(parameters)) = (&self.within, parameters.as_object_mut()) {
            parameters.insert("Within".to_owned(), within.iter().map(|pattern| json!(pattern.as_str())).collect());
        }
        json!({ "operation": "Sweep", "parameters": parameters })
    }
}

/// The entries of a list, each parsed or noted as broken.
fn each<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    rule: &'static str,
    broken: &mut Vec<Fault>,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<Vec<T>> {
    let texts = fields.strings(name)?;
    let mut entries = Vec::with_capacity(texts.len());
    for (i, text) in texts.iter().enumerate() {
        match parse(text) {
            Some(entry) => entries.push(entry),
            None => broken.push(Fault {
                pointer: format!("/parameters/{name}/{i}").into(),
                code: Code::InvalidFunction,
                detail: rule.into(),
            }),
        }
    }
    Some(entries)
}
