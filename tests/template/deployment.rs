//! The template as CloudFormation would read it: parsed, and resolved for a set of parameters.
//!
//! Only those functions are known that the template uses; another one, or a name that nothing has,
//! panics, so that a test never passes over something unread.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// What stands last in the stack's id, and in no other's.
pub(crate) const STACK: &str = "1c2fa620-982a-11e3-aff7-50e2416294e0";

/// The template with its functions in their long form.
pub(crate) fn template() -> &'static Value {
    // It takes a twentieth of a second to read, and hundreds of deployments are made of it.
    static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
        let documents = Yaml::load_from_str(include_str!("../../template.yaml")).expect("the template is YAML");
        let [document] = documents.as_slice() else { panic!("one document") };
        json_of(document)
    });
    &TEMPLATE
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(flag)) => json!(flag),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(members) => {
            let member = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
                (name.as_str().expect("a name is a text").to_owned(), json_of(value))
            };
            Value::Object(members.iter().map(member).collect())
        }
        Yaml::Tagged(tag, value) => {
            let name = match tag.suffix.as_str() {
                short @ ("Ref" | "Condition") => short.to_owned(),
                function => format!("Fn::{function}"),
            };
            json!({ name: json_of(value) })
        }
        other => panic!("nothing that a template holds: {other:?}"),
    }
}

/// The stack that one set of parameters makes.
pub(crate) struct Deployment {
    template: &'static Value,
    parameters: BTreeMap<String, String>,
}

impl Deployment {
    /// With these parameters, and the others at their defaults.
    pub(crate) fn with(parameters: &[(&str, &str)]) -> Self {
        let template = template();
        let defaults = members(&template["Parameters"]).map(|(name, parameter)| {
            let default = match &parameter["Default"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (name.clone(), default)
        });
        let mut all: BTreeMap<String, String> = defaults.collect();
        for (name, value) in parameters {
            assert!(all.insert((*name).to_owned(), (*value).to_owned()).is_some(), "{name} is a parameter");
        }
        Self { template, parameters: all }
    }

    /// The resources, each with everything resolved that is known before they are made. What is known
    /// only afterwards stays a marker: `<Requests.Arn>`.
    pub(crate) fn resources(&self) -> BTreeMap<String, Value> {
        self.made().map(|(name, resource)| (name.clone(), self.resolved(resource).expect("a resource"))).collect()
    }

    /// The resources whose conditions hold, as they stand in the template.
    fn made(&self) -> impl Iterator<Item = (&String, &Value)> {
        members(&self.template["Resources"]).filter(|(_, resource)| {
            let condition = resource.get("Condition").and_then(Value::as_str);
            condition.is_none_or(|condition| self.holds(&json!({"Condition": condition})))
        })
    }

    /// What the rules say against these parameters, before anything is made.
    pub(crate) fn refusals(&self) -> Vec<&str> {
        let rules = members(&self.template["Rules"]).map(|(_, rule)| rule);
        let rules = rules.filter(|rule| rule.get("RuleCondition").is_none_or(|condition| self.holds(condition)));
        let assertions = rules.flat_map(|rule| rule["Assertions"].as_array().expect("assertions"));
        let broken = assertions.filter(|assertion| !self.holds(&assertion["Assert"]));
        broken.map(|assertion| assertion["AssertDescription"].as_str().expect("what would be right")).collect()
    }

    /// The resources of a type.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<String, Value> {
        let made = self.made().filter(|(_, resource)| resource["Type"] == kind);
        made.map(|(name, resource)| (name.clone(), self.resolved(resource).expect("a resource"))).collect()
    }

    /// The properties of a resource.
    pub(crate) fn properties(&self, name: &str) -> Value {
        let (_, resource) = self.made().find(|(made, _)| *made == name).unwrap_or_else(|| panic!("{name} is made"));
        self.resolved(&resource["Properties"]).expect("properties")
    }

    /// A value without its functions; `None` stands for `AWS::NoValue`.
    fn resolved(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => Some(items.iter().filter_map(|item| self.resolved(item)).collect()),
            Value::Object(object) => match function(object) {
                Some((name, argument)) => self.applied(name, argument),
                None => {
                    let member = |(name, value): (&String, &Value)| Some((name.clone(), self.resolved(value)?));
                    Some(Value::Object(object.iter().filter_map(member).collect()))
                }
            },
            plain => Some(plain.clone()),
        }
    }

    fn applied(&self, name: &str, argument: &Value) -> Option<Value> {
        match (name, argument) {
            ("Ref", Value::String(name)) if name == "AWS::NoValue" => None,
            ("Ref", Value::String(name)) => Some(self.reference(name)),
            ("Fn::GetAtt", Value::String(path)) => Some(json!(self.attribute(path))),
            ("Fn::Sub", Value::String(text)) => Some(json!(self.substituted(text))),
            ("Fn::If", Value::Array(parts)) => {
                let [condition, then, or_else] = parts.as_slice() else { panic!("Fn::If has three parts") };
                self.resolved(if self.holds(&json!({"Condition": condition})) { then } else { or_else })
            }
            ("Fn::Join", Value::Array(parts)) => {
                let list = self.resolved(&parts[1])?;
                let texts: Vec<&str> = list.as_array()?.iter().filter_map(Value::as_str).collect();
                Some(json!(texts.join(parts[0].as_str()?)))
            }
            ("Fn::Split", Value::Array(parts)) => {
                let text = self.resolved(&parts[1])?;
                Some(text.as_str()?.split(parts[0].as_str()?).collect())
            }
            ("Fn::Select", Value::Array(parts)) => {
                let position = usize::try_from(parts[0].as_u64()?).ok()?;
                self.resolved(&parts[1])?.get(position).cloned()
            }
            other => panic!("not known here: {other:?}"),
        }
    }

    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::StackName" => json!("broker"),
            "AWS::StackId" => json!(format!("arn:aws:cloudformation:us-east-1:123456789012:stack/broker/{STACK}")),
            "AWS::AccountId" => json!("123456789012"),
            "AWS::Region" => json!("us-east-1"),
            "AWS::Partition" => json!("aws"),
            name => match self.parameters.get(name) {
                Some(value) if self.template["Parameters"][name]["Type"] == "CommaDelimitedList" => {
                    value.split(',').collect()
                }
                Some(value) => json!(value),
                None => json!(self.attribute(name)),
            },
        }
    }

    /// The marker of something that a resource has; SAM makes a rule out of the event of a function.
    fn attribute(&self, path: &str) -> String {
        let name = path.split('.').next().expect("a resource");
        let of_event = members(&self.template["Resources"]["Broker"]["Properties"]["Events"])
            .any(|(event, _)| name == format!("Broker{event}"));
        assert!(of_event || self.template["Resources"].get(name).is_some(), "{name} is a resource");
        format!("<{path}>")
    }

    fn substituted(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let mut whole = parts.next().expect("a text before the first variable").to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').expect("a variable has an end");
            let value = if name.contains('.') { json!(self.attribute(name)) } else { self.reference(name) };
            whole += value.as_str().expect("a variable is a text");
            whole += rest;
        }
        whole
    }

    fn holds(&self, condition: &Value) -> bool {
        let (name, argument) = function(condition.as_object().expect("a function")).expect("a function");
        let all = || argument.as_array().expect("conditions").iter();
        match name {
            "Condition" => {
                let named = &self.template["Conditions"][argument.as_str().expect("a name")];
                assert!(!named.is_null(), "{argument} is a condition");
                self.holds(named)
            }
            "Fn::Equals" => self.resolved(&argument[0]) == self.resolved(&argument[1]),
            "Fn::Contains" => {
                let list = self.resolved(&argument[0]).expect("a list");
                list.as_array().expect("a list").contains(&self.resolved(&argument[1]).expect("a text"))
            }
            "Fn::Not" => !self.holds(&argument[0]),
            "Fn::And" => all().all(|one| self.holds(one)),
            "Fn::Or" => all().any(|one| self.holds(one)),
            other => panic!("not known here: {other}"),
        }
    }
}

/// The function that an object stands for, with its argument.
fn function(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = object.iter();
    let (Some((name, argument)), None) = (members.next(), members.next()) else { return None };
    let condition = name == "Condition" && argument.is_string();
    (name == "Ref" || name.starts_with("Fn::") || condition).then_some((name.as_str(), argument))
}

/// The members of an object.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A text or a list of texts, as policies have them.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().expect("a text")).collect(),
        one => vec![one.as_str().expect("a text")],
    }
}
