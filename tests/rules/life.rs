//! The operations that take away, look, and grant for a URL: the same rules, and those of their own.

use serde_json::json;

use super::Table;
use super::function::revision_id;
use super::function_name::{function_name, qualifier};
use super::layer::{layer_name, version_number};
use crate::support::document::{
    broken_rules, get_layer_version_policy, get_policy, grant_function_url, remove_layer_version_permission,
    remove_permission,
};

pub(super) fn tables() -> [Table; 5] {
    [function_url(), remove(), remove_of_layer(), read(), read_of_layer()]
}

fn function_url() -> Table {
    let mut table = Table::new(grant_function_url);
    table.requires(&["FunctionName", "Principal", "FunctionUrlAuthType"]);
    function_name(&mut table);
    qualifier(&mut table);
    let name = "StatementId";
    table.lets_go_without(name);
    // The second statement gets seven characters more.
    table.accepts(name, ["s".to_owned(), "A-b_9".to_owned(), "s".repeat(93)]);
    table.refuses(name, "invalid_statement_id", ["s".repeat(94), "s".repeat(100), "s".repeat(101)]);
    table.refuses(name, "invalid_statement_id", ["", "a.b", "a b", "é"]);
    let name = "Principal";
    table.accepts(name, ["210987654321", "arn:aws:iam::210987654321:role/r", "*", "sns.amazonaws.com"]);
    table.refuses(name, "invalid_principal", ["", "21098765432", "2109876543210", "arn:aws:iam::210987654321:group/g"]);
    let name = "FunctionUrlAuthType";
    // The first can be written down; no allowlist grants it.
    table.accepts(name, ["NONE", "AWS_IAM"]);
    table.refuses(name, "invalid_function_url_auth_type", ["", "none", "AWS-IAM", "AWS_IAM "]);
    super::function::organization_ids(&mut table, "PrincipalOrgID");
    for other in ["Action", "InvokedViaFunctionUrl", "SourceArn", "SourceAccount", "RevisionId"] {
        table.case(other, &json!({ other: "x" }), &[(other, "unknown_field")]);
    }
    table
}

fn remove() -> Table {
    let mut table = Table::new(remove_permission);
    table.requires(&["FunctionName", "StatementId"]);
    function_name(&mut table);
    qualifier(&mut table);
    revision_id(&mut table);
    let name = "StatementId";
    // Functions once took dots, and what was named then can still be removed.
    table.accepts(name, ["a", "A-b_9", "-", "_", "0", "a.b", ".", "..."]);
    table.accepts(name, ["s".repeat(100), ".".repeat(100)]);
    table.refuses(name, "invalid_statement_id", ["s".repeat(101)]);
    table.refuses(name, "invalid_statement_id", ["", "a b", "a:b", "a\n", "a/b", "a$", "a%2e", "é", "１"]);
    not_of_a_revoke(&mut table);
    table
}

fn remove_of_layer() -> Table {
    let mut table = Table::new(remove_layer_version_permission);
    table.requires(&["LayerName", "VersionNumber", "StatementId"]);
    layer_name(&mut table);
    version_number(&mut table);
    revision_id(&mut table);
    let name = "StatementId";
    table.accepts(name, ["a".to_owned(), "A-b_9".to_owned(), "s".repeat(100)]);
    table.refuses(name, "invalid_statement_id", ["s".repeat(101)]);
    table.refuses(name, "invalid_statement_id", ["", "a.b", ".", "a b", "é"]);
    not_of_a_revoke(&mut table);
    table
}

/// What a revoke has no use for might be meant to narrow it, which nothing does.
fn not_of_a_revoke(table: &mut Table) {
    for other in ["Principal", "Action", "PrincipalOrgID", "fingerprint"] {
        table.case(other, &json!({ other: "x" }), &[(other, "unknown_field")]);
    }
}

fn read() -> Table {
    let mut table = Table::new(get_policy);
    table.requires(&["FunctionName"]);
    function_name(&mut table);
    qualifier(&mut table);
    for other in ["StatementId", "RevisionId"] {
        table.case(other, &json!({ other: "x" }), &[(other, "unknown_field")]);
    }
    table
}

fn read_of_layer() -> Table {
    let mut table = Table::new(get_layer_version_policy);
    table.requires(&["LayerName", "VersionNumber"]);
    layer_name(&mut table);
    version_number(&mut table);
    table.case("Qualifier", &json!({ "Qualifier": "live" }), &[("Qualifier", "unknown_field")]);
    table
}

/// A fingerprint is what a reply shows, and belongs to a revoke alone.
#[test]
fn a_fingerprint_is_thirty_two_digits_of_a_revoke() {
    let named = |mut document: serde_json::Value, fingerprint: serde_json::Value| {
        document["fingerprint"] = fingerprint;
        broken_rules(&document.to_string())
    };
    for valid in [remove_permission(&json!({})), remove_layer_version_permission(&json!({}))] {
        for good in ["0".repeat(32), "07f7f80cc251b65b11c8c78dd158cc8f".to_owned()] {
            assert_eq!(named(valid.clone(), json!(good)), []);
        }
        for bad in ["", "0", &"0".repeat(31), &"0".repeat(33), &"F".repeat(32), &"g".repeat(32), &"０".repeat(32)] {
            assert_eq!(named(valid.clone(), json!(bad)), [("/fingerprint".to_owned(), "invalid_fingerprint")], "{bad}");
        }
        for other in [json!(null), json!(7), json!(["0"])] {
            assert_eq!(named(valid.clone(), other), [("/fingerprint".to_owned(), "wrong_type")]);
        }
    }
    for other in [grant_function_url(&json!({})), get_policy(&json!({})), get_layer_version_policy(&json!({}))] {
        assert_eq!(named(other, json!("0".repeat(32))), [("/fingerprint".to_owned(), "unknown_field")]);
    }
}
