//! The broker against AWS's model on generated requests: it refuses what the model refuses, and otherwise exactly what
//! the list of deliberate strictness says. Set `PROPTEST_CASES` for more than the few thousand of a plain run.

use std::collections::BTreeSet;

use permission_broker::request::MOST_BYTES;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};

use super::model::{
    ADD_LAYER_VERSION_PERMISSION, ADD_PERMISSION, Constraint, Kind, names_two_qualifiers, refused_between,
};
use super::near::{change, good};
use super::strictness::LIST;
use crate::support::document::{add_layer_version_permission, add_permission, broken_rules};

fn constraints(operation: &Value) -> &'static [Constraint] {
    if operation == "AddPermission" { &ADD_PERMISSION } else { &ADD_LAYER_VERSION_PERMISSION }
}

/// What AWS's model refuses of a document.
pub(super) fn refused_by_model(document: &Value) -> Vec<&'static str> {
    let mut parameters = document["parameters"].as_object().unwrap().clone();
    let mut refused: Vec<&str> = constraints(&document["operation"])
        .iter()
        .filter(|constraint| !constraint.accepts(&parameters))
        .map(|constraint| constraint.parameter)
        .collect();
    remove(&mut parameters, &refused);
    refused.extend(refused_between(&parameters));
    refused
}

/// A rule between parameters is asked only of those that are right by themselves.
fn remove(parameters: &mut Map<String, Value>, refused: &[&'static str]) {
    parameters.retain(|name, _| !refused.contains(&name.as_str()));
}

/// What is to be refused: what the model refuses, what the list says, and at last two qualifiers that differ.
fn expected(document: &Value) -> BTreeSet<String> {
    let mut refused = refused_by_model(document);
    let mut parameters = document["parameters"].as_object().unwrap().clone();
    refused.extend(repeats_its_token(&parameters).then_some("EventSourceToken"));
    remove(&mut parameters, &refused);
    let applying = LIST.iter().filter(|item| document["operation"] == item.operation && (item.applies)(&parameters));
    refused.extend(applying.map(|item| item.parameter));
    remove(&mut parameters, &refused);
    if names_two_qualifiers(&parameters) {
        refused.push("Qualifier");
    }
    refused.into_iter().map(|parameter| format!("/parameters/{parameter}")).collect()
}

/// Whether another parameter, right or wrong, would show the token. One of fewer characters can be guessed, and is no secret.
fn repeats_its_token(parameters: &Map<String, Value>) -> bool {
    let token = parameters.get("EventSourceToken").and_then(Value::as_str).filter(|token| token.len() >= 8);
    let mut others = parameters.iter().filter(|(name, _)| *name != "EventSourceToken").map(|(_, value)| value);
    token.is_some_and(|token| others.any(|other| other.as_str().is_some_and(|text| text.contains(token))))
}

/// A parameter near what it may be, another type altogether, or left out.
fn value(constraint: &'static Constraint) -> BoxedStrategy<Option<Value>> {
    let other = prop::sample::select(vec![json!(null), json!(1), json!(true), json!("true"), json!(["x"]), json!({})]);
    let near = match constraint.kind {
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Long => prop::sample::select(vec![1, 2, i64::MAX, 0, -1, i64::MIN]).prop_map(Value::from).boxed(),
        _ => {
            let changes = prop::collection::vec(change(), 0..4);
            let text = (prop::sample::select(good(constraint.parameter)), changes).prop_map(|(text, changes)| {
                let apply = |text: String, (change, place): (super::near::Change, _)| {
                    change.apply(&text, place, constraint.parameter, constraint.most_chars())
                };
                changes.into_iter().fold(text.to_owned(), apply)
            });
            text.prop_map(Value::from).boxed()
        }
    };
    prop_oneof![12 => near.prop_map(Some), 1 => other.prop_map(Some), 1 => Just(None)].boxed()
}

/// A valid document in which one to four parameters are replaced.
pub(crate) fn document() -> impl Strategy<Value = Value> {
    let of = |valid: fn(&Value) -> Value, constraints: &'static [Constraint]| {
        let replaced = prop::sample::select((0..constraints.len()).collect::<Vec<_>>())
            .prop_flat_map(move |at| (Just(constraints[at].parameter), value(&constraints[at])));
        prop::collection::vec(replaced, 1..=4).prop_map(move |replaced| {
            let mut document = valid(&json!({}));
            let parameters = document["parameters"].as_object_mut().unwrap();
            for (name, value) in replaced {
                match value {
                    Some(value) => drop(parameters.insert(name.to_owned(), value)),
                    None => drop(parameters.remove(name)),
                }
            }
            document
        })
    };
    prop_oneof![
        2 => of(add_permission, &ADD_PERMISSION),
        1 => of(add_layer_version_permission, &ADD_LAYER_VERSION_PERMISSION),
    ]
}

/// Proptest's own settings, with more cases than its 256 unless the environment says how many.
pub(crate) fn config() -> ProptestConfig {
    let own = ProptestConfig::default();
    let given = |name: &str| std::env::var_os(name).is_some();
    let cases = if given("PROPTEST_CASES") { own.cases } else { 4_096 };
    // A plain run says something of the change that it is run for, so it tries the same each time; a long one looks for more.
    let plain = !given("PROPTEST_CASES") && !given("PROPTEST_RNG_SEED");
    let rng_seed = if plain { RngSeed::Fixed(1) } else { own.rng_seed };
    // A failing document is printed when it is at its smallest; it then belongs into a table.
    ProptestConfig { cases, rng_seed, failure_persistence: None, max_shrink_iters: 2_000, ..own }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_broker_refuses_what_the_model_or_the_list_refuses_and_nothing_else(document in document()) {
        let text = document.to_string();
        let refused: BTreeSet<String> = broken_rules(&text).into_iter().map(|(pointer, _)| pointer).collect();
        // Ten thousand control characters are six times as many bytes of JSON; then the whole is refused, not the part.
        let expected = if text.len() > MOST_BYTES { [String::new()].into() } else { expected(&document) };
        prop_assert_eq!(refused, expected, "{}", text);
    }
}

#[test]
fn a_repeated_token_is_told_beside_the_other_fault_of_what_repeats_it() {
    let (token, short) = ("aaaaaaaa", "aaaaaaa");
    let name = "a".repeat(257);
    let blamed = |token: &str| expected(&add_permission(&json!({ "FunctionName": name, "EventSourceToken": token })));
    let both = ["/parameters/EventSourceToken".to_owned(), "/parameters/FunctionName".to_owned()];
    assert_eq!(blamed(token), both.clone().into());
    assert_eq!(blamed(short), [both[1].clone()].into());
    for token in [token, short] {
        let text = add_permission(&json!({ "FunctionName": name, "EventSourceToken": token })).to_string();
        let refused: BTreeSet<String> = broken_rules(&text).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(refused, blamed(token), "{text}");
    }
}
