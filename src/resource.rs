//! What is opened: a target is a function (with or without a qualifier) or a layer version.
//!
//! A target is given as a name or as an ARN. Forms that two readers could take differently are
//! refused, although AWS's own pattern accepts them: in `function:foo` the pattern sees a function
//! `foo`, or a function `function` with the alias `foo`.

use crate::arn::{self, AccountId};
use crate::asked::Given;
use crate::error::{Broken, Code};

/// Where a target says it is; what it leaves out is the broker's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    partition: Option<Box<str>>,
    region: Option<Box<str>>,
    account: Option<AccountId>,
}

/// A function, with the qualifier that names one of its versions or aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    place: Place,
    name: Box<str>,
    qualifier: Option<Qualifier>,
}

/// A version number or an alias; never `$LATEST`, which takes no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualifier(Box<str>);

/// One version of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerVersion {
    place: Place,
    name: Box<str>,
    version: i64,
}

/// The target of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A function, a version of it or an alias.
    Function(Function),
    /// A layer version.
    LayerVersion(LayerVersion),
}

/// The broker's own function, as Lambda names it on each invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    partition: Box<str>,
    region: Box<str>,
    account: AccountId,
    function: Box<str>,
}

impl Qualifier {
    /// Longest qualifier (Lambda API model).
    pub const MOST_CHARS: usize = 128;

    /// Parses `\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`, 1 to 128 characters (Lambda API model), without
    /// the two `$LATEST` forms: AWS answers "We currently do not support adding policies for $LATEST".
    pub fn parse(text: &str) -> Result<Self, Broken> {
        const fn rule(detail: &'static str) -> Broken {
            Broken::new(Code::InvalidQualifier, detail)
        }
        if matches!(text, "$LATEST" | "$LATEST.PUBLISHED") {
            return Err(rule("`$LATEST` takes no policy: name a published version or an alias, or no qualifier"));
        }
        if text.is_empty() || text.len() > Self::MOST_CHARS {
            return Err(rule("a qualifier has 1 to 128 characters; leave it out for the function itself"));
        }
        if !text.bytes().all(|b| is_word(b) || b == b'$') {
            return Err(rule("a qualifier is a version number or an alias: letters, digits, hyphens and underscores"));
        }
        Ok(Self(text.into()))
    }

    /// The version or alias.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Function {
    /// Longest function name, ARN and qualifier included (Lambda API model; 140 in older documents).
    pub const MOST_CHARS: usize = 256;

    /// Parses `FunctionName` in its documented forms: `name`, `name:qualifier`,
    /// `account:function:name[:qualifier]` with or without a region before it, and the full ARN.
    pub fn parse(text: &str) -> Result<Self, Broken> {
        const FORMS: Broken = Broken::new(
            Code::InvalidFunction,
            "a function is given as `name`, `name:qualifier`, `account:function:name` or its full ARN",
        );
        if text.is_empty() || text.len() > Self::MOST_CHARS {
            return Err(Broken::new(Code::InvalidFunction, "a function name has 1 to 256 characters, an ARN included"));
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (place, name, qualifier) = match parts.as_slice() {
            [name] => (Place::default(), *name, None),
            [name, qualifier] if !reads_as_prefix(name) => (Place::default(), *name, Some(*qualifier)),
            [account, "function", name] => (Place::of(None, None, account)?, *name, None),
            [account, "function", name, qualifier] => (Place::of(None, None, account)?, *name, Some(*qualifier)),
            [region, account, "function", name] => (Place::of(None, Some(*region), account)?, *name, None),
            [region, account, "function", name, qualifier] => {
                (Place::of(None, Some(*region), account)?, *name, Some(*qualifier))
            }
            ["arn", partition, "lambda", region, account, "function", name] => {
                (Place::of(Some(*partition), Some(*region), account)?, *name, None)
            }
            ["arn", partition, "lambda", region, account, "function", name, qualifier] => {
                (Place::of(Some(*partition), Some(*region), account)?, *name, Some(*qualifier))
            }
            _ => return Err(FORMS),
        };
        if name.is_empty() || !name.bytes().all(|b| is_word(b) || b == b'.') {
            return Err(Broken::new(
                Code::InvalidFunction,
                "a function name consists of letters, digits, hyphens, underscores and dots",
            ));
        }
        Ok(Self { place, name: name.into(), qualifier: qualifier.map(suffix).transpose()? })
    }

    /// Joins the qualifier of the parameter `Qualifier` to the one that the name may carry; AWS
    /// refuses two that differ.
    pub fn with_qualifier(mut self, given: Option<Qualifier>) -> Result<Self, Broken> {
        match (&self.qualifier, given) {
            (_, None) => {}
            (None, given) => self.qualifier = given,
            (Some(own), Some(given)) if *own == given => {}
            _ => {
                return Err(Broken::new(
                    Code::InvalidQualifier,
                    "the qualifier differs from the one that the function name ends with; give one of them",
                ));
            }
        }
        Ok(self)
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version or alias, if not the function itself.
    pub fn qualifier(&self) -> Option<&Qualifier> {
        self.qualifier.as_ref()
    }
}

impl LayerVersion {
    /// Longest layer name, an ARN included (Lambda API model; 140 in older documents).
    pub const MOST_CHARS: usize = 2048;

    /// Longest name of a layer without its ARN (Lambda API model).
    pub const MOST_NAME_CHARS: usize = 140;

    /// Parses `LayerName`: a name of 1 to 140 characters or the layer's ARN without a version (Lambda API
    /// model; older documents allow 140 characters with the ARN included).
    pub fn parse(text: &str, version: i64) -> Result<Self, Broken> {
        const RULE: Broken = Broken::new(
            Code::InvalidLayer,
            "a layer is given as its name, 1 to 140 letters, digits, hyphens and underscores, or as its ARN without a version",
        );
        // No partition or region is that long, but their patterns alone do not end.
        if text.len() > Self::MOST_CHARS {
            return Err(RULE);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (place, name) = match parts.as_slice() {
            [name] => (Place::default(), *name),
            ["arn", partition, "lambda", region, account, "layer", name] => {
                let place = Place::of(Some(*partition).filter(|p| !p.is_empty()), Some(*region), account);
                let mut place = place.map_err(|broken| Broken { code: Code::InvalidLayer, ..broken })?;
                // Lambda's pattern lets the partition of a layer ARN be empty; it is then no partition of ours.
                place.partition.get_or_insert_default();
                (place, *name)
            }
            _ => return Err(RULE),
        };
        if name.is_empty() || name.len() > Self::MOST_NAME_CHARS || !name.bytes().all(is_word) {
            return Err(RULE);
        }
        Ok(Self { place, name: name.into(), version })
    }

    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Target {
    /// The name of the function or layer.
    pub fn name(&self) -> &str {
        match self {
            Self::Function(function) => function.name(),
            Self::LayerVersion(layer) => layer.name(),
        }
    }

    /// `function` or `layer`: the word in ARNs and in the allowlist's `targets`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Function(_) => "function",
            Self::LayerVersion(_) => "layer",
        }
    }

    /// Parses `function:NAME`, `function:NAME:QUALIFIER` or `layer:NAME:VERSION`, as a sweep lists them.
    pub(crate) fn of_entry(text: &str) -> Option<(Self, Given)> {
        if let Some(name) = text.strip_prefix("function:") {
            let given = Given::Function { name: name.into(), qualifier: None };
            return Some((Self::Function(Function::parse(name).ok()?), given));
        }
        let (name, version) = text.strip_prefix("layer:")?.rsplit_once(':')?;
        let digits = version.bytes().all(|b| b.is_ascii_digit());
        let version = version.parse().ok().filter(|version| digits && *version >= 1)?;
        let given = Given::Layer { name: name.into(), version };
        Some((Self::LayerVersion(LayerVersion::parse(name, version).ok()?), given))
    }

    fn place(&self) -> &Place {
        match self {
            Self::Function(function) => &function.place,
            Self::LayerVersion(layer) => &layer.place,
        }
    }

    /// Whether it lies in the account, region and partition of the broker.
    pub fn is_beside(&self, own: &Own) -> bool {
        let place = self.place();
        place.partition.as_ref().is_none_or(|partition| *partition == own.partition)
            && place.region.as_ref().is_none_or(|region| *region == own.region)
            && place.account.is_none_or(|account| account == own.account)
    }

    /// Whether it is the broker's own function, under any qualifier.
    pub fn is_self(&self, own: &Own) -> bool {
        matches!(self, Self::Function(function) if function.name.eq_ignore_ascii_case(&own.function))
    }

    /// The ARN that the target's policy belongs to; what the target left out is taken from the broker.
    pub fn arn(&self, own: &Own) -> String {
        let place = self.place();
        let partition = place.partition.as_ref().unwrap_or(&own.partition);
        let region = place.region.as_ref().unwrap_or(&own.region);
        let account = place.account.unwrap_or(own.account);
        let (word, name) = (self.word(), self.name());
        let mut arn = format!("arn:{partition}:lambda:{region}:{account}:{word}:{name}");
        let end = match self {
            Self::Function(function) => function.qualifier().map(|qualifier| qualifier.as_str().to_owned()),
            Self::LayerVersion(layer) => Some(layer.version.to_string()),
        };
        if let Some(end) = end {
            arn.push(':');
            arn.push_str(&end);
        }
        arn
    }
}

impl Own {
    /// Parses the ARN that the invocation carries, with or without a qualifier.
    pub fn parse(arn: &str) -> Option<Self> {
        let function = Function::parse(arn).ok()?;
        let Place { partition, region, account } = function.place;
        Some(Self { partition: partition?, region: region?, account: account?, function: function.name })
    }

    /// The ARN of the function itself, without a qualifier.
    pub fn arn(&self) -> String {
        let Self { partition, region, account, function } = self;
        format!("arn:{partition}:lambda:{region}:{account}:function:{function}")
    }

    /// The partition, e.g. `aws`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The name of the broker's function.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The account that the broker runs in.
    pub fn account(&self) -> AccountId {
        self.account
    }
}

impl Place {
    fn of(partition: Option<&str>, region: Option<&str>, account: &str) -> Result<Self, Broken> {
        const fn rule(detail: &'static str) -> Broken {
            Broken::new(Code::InvalidFunction, detail)
        }
        if partition.is_some_and(|partition| !arn::is_partition(partition)) {
            return Err(rule("the partition of the ARN starts with `aws`, e.g. `aws` or `aws-cn`"));
        }
        if region.is_some_and(|region| !arn::is_region(region)) {
            return Err(rule("the region of the ARN is no region of AWS"));
        }
        let account = AccountId::parse(account).ok_or(rule("the account of the ARN has twelve digits"))?;
        Ok(Self { partition: partition.map(Into::into), region: region.map(Into::into), account: Some(account) })
    }
}

/// The suffix of a function name, `(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+)` (Lambda API model) without `$LATEST`:
/// narrower than the parameter `Qualifier`, and of no length of its own but that of the whole name.
fn suffix(text: &str) -> Result<Qualifier, Broken> {
    const RULE: Broken = Broken::new(Code::InvalidQualifier, "after a function name a qualifier has no `$`");
    if !text.is_empty() && text.bytes().all(is_word) {
        return Ok(Qualifier(text.into()));
    }
    Err(Qualifier::parse(text).err().unwrap_or(RULE))
}

/// Whether the first of two parts could be a prefix of an ARN instead of a function name.
fn reads_as_prefix(text: &str) -> bool {
    text == "function" || AccountId::parse(text).is_some() || arn::is_region(text)
}

/// `[a-zA-Z0-9-_]`
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
