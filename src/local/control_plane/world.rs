//! The world that the control plane knows: functions with versions and aliases, layers, policies.
//! Guarantees that a document which was read describes only policies of resources that exist, and that a saved
//! file is whole or not there at all. It applies no request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{error, fmt, fs, io};

use serde::{Deserialize, Serialize};

use super::answer::fresh_uuid;
use super::policy::Policy;
use super::schedule::Schedule;

/// One JSON document; member names are camelCase, everything but the place may be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct World {
    pub(super) partition: String,
    pub(super) region: String,
    pub(super) account: String,
    #[serde(default)]
    pub(super) functions: BTreeMap<String, Function>,
    /// Layer names with their versions.
    #[serde(default)]
    pub(super) layers: BTreeMap<String, BTreeSet<i64>>,
    /// Policies by the ARN of their resource.
    #[serde(default)]
    pub(super) policies: BTreeMap<String, Policy>,
    /// The groups that schedules can be in, beside `default`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) schedule_groups: BTreeSet<String>,
    /// Schedules by group and name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) schedules: BTreeMap<String, Schedule>,
    /// Users and roles that no longer exist; every other one is taken to exist.
    #[serde(default)]
    pub(super) deleted_principals: BTreeSet<String>,
}

impl World {
    /// The unique id takes the place of the ARN wherever a policy names it.
    pub(super) fn delete_principal(&mut self, arn: &str) {
        let kind = if arn.contains(":user/") { "AIDA" } else { "AROA" };
        let id = format!("{kind}{:0>17}", self.deleted_principals.len() + 1);
        for policy in self.policies.values_mut() {
            policy.rename_principal(arn, &id);
        }
        self.deleted_principals.extend([arn.to_owned(), id]);
    }
}

/// A function's published versions and its aliases.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Function {
    #[serde(default)]
    pub(super) versions: BTreeSet<u64>,
    #[serde(default)]
    pub(super) aliases: BTreeMap<String, Alias>,
}

/// An alias: `"1"` for short, or with the revision id that it has while it has no policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "AliasForm")]
pub(super) struct Alias {
    pub(super) version: String,
    pub(super) revision_id: String,
}

impl Alias {
    pub(super) fn to(version: &str) -> Self {
        Self { version: version.to_owned(), revision_id: fresh_uuid() }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AliasForm {
    Short(String),
    #[serde(rename_all = "camelCase")]
    Full {
        version: String,
        revision_id: String,
    },
}

impl From<AliasForm> for Alias {
    fn from(form: AliasForm) -> Self {
        match form {
            AliasForm::Short(version) => Self::to(&version),
            AliasForm::Full { version, revision_id } => Self { version, revision_id },
        }
    }
}

/// Why a world document could not be read.
#[derive(Debug)]
pub enum WorldError {
    /// The file could not be read.
    File(io::Error),
    /// The text is not the JSON document that was expected.
    Json(serde_json::Error),
    /// The document says something that cannot be.
    Content(String),
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "the world file cannot be read: {error}"),
            Self::Json(error) => write!(f, "the world document is not valid: {error}"),
            Self::Content(problem) => write!(f, "the world document is not valid: {problem}"),
        }
    }
}

impl error::Error for WorldError {}

impl World {
    pub(super) fn empty(partition: &str, region: &str, account: &str) -> Self {
        Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            functions: BTreeMap::new(),
            layers: BTreeMap::new(),
            policies: BTreeMap::new(),
            schedule_groups: BTreeSet::new(),
            schedules: BTreeMap::new(),
            deleted_principals: BTreeSet::new(),
        }
    }

    pub(super) fn from_json(json: &str) -> Result<Self, WorldError> {
        let mut world: Self = serde_json::from_str(json).map_err(WorldError::Json)?;
        let content = |problem: String| Err(WorldError::Content(problem));
        if world.account.len() != 12 || !world.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return content(format!("`{}` is not an account id", world.account));
        }
        if let Some(problem) = world.dangling_alias() {
            return content(problem);
        }
        let resources = world.resources();
        for (arn, policy) in &mut world.policies {
            if !resources.contains(arn) {
                return content(format!("{arn} has a policy but does not exist"));
            }
            if let Err(problem) = policy.settle() {
                return content(format!("the policy of {arn}: {problem}"));
            }
        }
        Ok(world)
    }

    pub(super) fn to_json(&self) -> Result<String, WorldError> {
        serde_json::to_string_pretty(self).map_err(WorldError::Json)
    }

    pub(super) fn read(path: &Path) -> Result<Self, WorldError> {
        Self::from_json(&fs::read_to_string(path).map_err(WorldError::File)?)
    }

    /// Written beside the file and moved over it, so that a reader never sees half a document.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let json = self.to_json().map_err(io::Error::other)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        fs::write(&beside, json + "\n")?;
        fs::rename(&beside, path)
    }

    fn dangling_alias(&self) -> Option<String> {
        self.functions.iter().find_map(|(name, function)| {
            let dangles = |alias: &Alias| alias.version != "$LATEST" && !function.has_version(&alias.version);
            let (alias, _) = function.aliases.iter().find(|(_, alias)| dangles(alias))?;
            Some(format!("alias {alias} of {name} points to no version"))
        })
    }

    /// Everything that can have a policy. `$LATEST` is missing: it takes none.
    fn resources(&self) -> BTreeSet<String> {
        let mut arns = BTreeSet::new();
        for (name, function) in &self.functions {
            arns.insert(self.function_arn(name, None));
            for version in &function.versions {
                arns.insert(self.function_arn(name, Some(&version.to_string())));
            }
            for alias in function.aliases.keys() {
                arns.insert(self.function_arn(name, Some(alias)));
            }
        }
        for (name, versions) in &self.layers {
            arns.extend(versions.iter().map(|version| self.layer_arn(name, *version)));
        }
        arns
    }

    pub(super) fn function_arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let mut arn = format!("arn:{}:lambda:{}:{}:function:{name}", self.partition, self.region, self.account);
        if let Some(qualifier) = qualifier {
            arn.push(':');
            arn.push_str(qualifier);
        }
        arn
    }

    pub(super) fn has_layer_version(&self, name: &str, version: i64) -> bool {
        self.layers.get(name).is_some_and(|versions| versions.contains(&version))
    }

    pub(super) fn layer_arn(&self, name: &str, version: i64) -> String {
        format!("arn:{}:lambda:{}:{}:layer:{name}:{version}", self.partition, self.region, self.account)
    }
}

impl Function {
    /// Compared as text: `01` is not a version, and it would not be the same resource.
    pub(super) fn has_version(&self, qualifier: &str) -> bool {
        self.versions.iter().any(|version| version.to_string() == qualifier)
    }
}
