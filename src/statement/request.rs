//! The request that would make a statement: what stands in a policy, asked of today's rules.

use serde_json::{Map, json};

use super::{Party, Statement, TOKEN_KEY};
use crate::asked::Given;
use crate::error::{Code, Fault};
use crate::expiry::Expiry;
use crate::grant::{Fingerprint, Grant, StatementId};
use crate::request::Request;

impl Statement {
    /// The grant on a target that would make this statement under a derived id; the faults if no grant would.
    pub(crate) fn as_grant(&self, given: &Given, target: &str) -> Result<Grant, Vec<Fault>> {
        const NO_GRANT: &str = "no grant makes a statement of this form";
        let document = self.request(given).filter(|_| self.resource == target);
        let document = document.ok_or_else(|| vec![Fault::new("", Code::ForeignStatement, NO_GRANT)])?;
        Grant::new(Request::read(&document).map_err(|fault| vec![fault])?)
    }

    /// The grant that would make this statement where it stands.
    pub(crate) fn as_its_grant(&self) -> Option<Grant> {
        let given = match self.resource.rsplit_once(':') {
            Some((layer, version)) if layer.contains(":layer:") => {
                Given::Layer { name: layer.into(), version: version.parse().ok()? }
            }
            _ => Given::Function { name: self.resource.as_str().into(), qualifier: None },
        };
        self.as_grant(&given, &self.resource).ok()
    }

    /// The grant of what this statement gives on one target, on another one: under the same id unless that was
    /// derived.
    ///
    /// What was given until a time ends on the new one at the same time.
    pub(crate) fn carried(&self, from: &str, to: &Given, until: Option<(&str, Expiry)>) -> Result<Grant, Vec<Fault>> {
        let grant = self.as_grant(to, from)?;
        let (sid, grant) = match until {
            Some((base, expiry)) => (base, grant.ending(expiry)),
            None => (self.sid.as_str(), grant),
        };
        let derived = sid.strip_prefix("broker-").is_some_and(|hex| hex.len() == Fingerprint::CHARS);
        match StatementId::parse(sid) {
            Ok(id) if !derived => Ok(grant.under(id)),
            _ => Ok(grant),
        }
    }

    fn request(&self, given: &Given) -> Option<String> {
        if !self.allow {
            return None;
        }
        let (operation, organization, mut parameters) = match given {
            Given::Function { name, qualifier } => {
                let mut parameters = Map::from_iter([("FunctionName".to_owned(), json!(name))]);
                parameters.extend(qualifier.as_ref().map(|it| ("Qualifier".to_owned(), json!(it.as_str()))));
                ("AddPermission", "PrincipalOrgID", parameters)
            }
            Given::Layer { name, version } => {
                let parameters = [("LayerName".to_owned(), json!(name)), ("VersionNumber".to_owned(), json!(version))];
                ("AddLayerVersionPermission", "OrganizationId", Map::from_iter(parameters))
            }
        };
        let principal = match &self.principal {
            Party::Everyone => "*".to_owned(),
            Party::Account(account) => account.to_string(),
            Party::Aws(text) | Party::Service(text) => text.clone(),
        };
        parameters.insert("Action".to_owned(), json!(self.action));
        parameters.insert("Principal".to_owned(), json!(principal));
        for ((operator, key), values) in &self.conditions {
            let [value] = values.as_slice() else { return None };
            let (name, value) = match (operator.as_str(), key.as_str()) {
                ("stringequals", "aws:sourceaccount") => ("SourceAccount", json!(value)),
                ("stringequals", "aws:principalorgid") => (organization, json!(value)),
                ("stringequals", "lambda:functionurlauthtype") => ("FunctionUrlAuthType", json!(value)),
                ("stringequals", TOKEN_KEY) => ("EventSourceToken", json!(value)),
                ("arnlike", "aws:sourcearn") => ("SourceArn", json!(value)),
                ("bool", "lambda:invokedviafunctionurl") if value == "true" => ("InvokedViaFunctionUrl", json!(true)),
                _ => return None,
            };
            parameters.insert(name.to_owned(), value);
        }
        Some(json!({ "operation": operation, "parameters": parameters }).to_string())
    }
}
