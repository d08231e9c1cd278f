//! The report's settings: the environment of whoever runs it, with the options of the command line over it.

use std::path::PathBuf;

use crate::config::Config;
use crate::local::stage::ALLOWLIST;

/// What the page calls the allowlist that nobody gave.
pub const NAME_OF_EXAMPLES: &str = "the allowlist of the examples";

/// What the environment and the options come to.
pub struct Chosen {
    /// What the broker itself would read.
    pub config: Config,
    /// Where the allowlist comes from, for the reader of the page.
    pub allowlist_name: String,
}

/// Reads the variables that the broker reads, so that a report judges as the deployed broker does.
pub fn read(
    variables: impl IntoIterator<Item = (String, String)>,
    allowlist: Option<PathBuf>,
    endpoint: Option<String>,
) -> Result<Chosen, String> {
    let mut variables: Vec<(String, String)> = variables.into_iter().collect();
    let has = |variables: &[(String, String)], name: &str| {
        variables.iter().any(|(key, value)| key == name && !value.is_empty())
    };
    for (name, hint) in [("AWS_ACCESS_KEY_ID", CREDENTIALS), ("AWS_SECRET_ACCESS_KEY", CREDENTIALS)] {
        if !has(&variables, name) {
            return Err(format!("{name} is not set: {hint}"));
        }
    }
    if !has(&variables, "AWS_REGION") {
        let default = variables.iter().find(|(key, value)| key == "AWS_DEFAULT_REGION" && !value.is_empty());
        let region = default.map(|(_, value)| value.clone()).ok_or("AWS_REGION is not set: name the region to read")?;
        variables.retain(|(key, _)| key != "AWS_REGION");
        variables.push(("AWS_REGION".to_owned(), region));
    }
    let mut set = |name: &str, value: String| {
        variables.retain(|(key, _)| key != name);
        variables.push((name.to_owned(), value));
    };
    if let Some(endpoint) = endpoint {
        set("AWS_ENDPOINT_URL_LAMBDA", endpoint);
    }
    if let Some(file) = &allowlist {
        set("BROKER_ALLOWLIST_FILE", file.to_string_lossy().into_owned());
        variables.retain(|(key, _)| key != "BROKER_ALLOWLIST");
    }
    let allowlist_name = match allowlist {
        Some(file) => file.display().to_string(),
        None if has(&variables, "BROKER_ALLOWLIST_FILE") => "BROKER_ALLOWLIST_FILE".to_owned(),
        None if has(&variables, "BROKER_ALLOWLIST") => "BROKER_ALLOWLIST".to_owned(),
        None => {
            variables.push(("BROKER_ALLOWLIST".to_owned(), ALLOWLIST.to_owned()));
            NAME_OF_EXAMPLES.to_owned()
        }
    };
    let config = Config::read(variables).map_err(|problems| problems.to_string())?;
    Ok(Chosen { config, allowlist_name })
}

const CREDENTIALS: &str = "the report reads with the credentials of the environment; \
     of a profile, eval \"$(aws configure export-credentials --format env)\" puts them there, \
     and --demo needs none";
