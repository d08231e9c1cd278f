//! `AddPermission`, parameter by parameter: every branch of every pattern, both edges of every length.

use serde_json::json;

use super::Table;
use super::function_name::{function_name, qualifier};
use super::function_principal::principal;
use crate::support::document::add_permission;

pub(super) fn table() -> Table {
    let mut table = Table::new(add_permission);
    table.requires(&["FunctionName", "Action", "Principal"]);
    function_name(&mut table);
    qualifier(&mut table);
    statement_id(&mut table);
    action(&mut table);
    principal(&mut table);
    source_arn(&mut table);
    source_account(&mut table);
    event_source_token(&mut table);
    organization(&mut table);
    function_url(&mut table);
    revision_id(&mut table);
    table
}

/// Both operations have the same rule.
pub(super) fn statement_id(table: &mut Table) {
    let name = "StatementId";
    table.lets_go_without(name);
    table.accepts(name, ["a", "A-b_9", "-", "_", "0"]);
    table.accepts(name, ["s".repeat(100)]);
    table.refuses(name, "invalid_statement_id", ["s".repeat(101)]);
    table.refuses(name, "invalid_statement_id", ["", "a.b", "a b", "a:b", "a\n", "\ta", "a/b", "a$", "é", "１"]);
}

fn action(table: &mut Table) {
    let name = "Action";
    // The last two can be written down; no allowlist grants them.
    table.accepts(name, ["lambda:InvokeFunction", "lambda:x", "lambda:Z", "lambda:*", "*"]);
    table.accepts(name, [format!("lambda:{}", "a".repeat(9_993))]);
    table.refuses(name, "invalid_action", [format!("lambda:{}", "a".repeat(9_994))]);
    table.refuses(name, "invalid_action", ["", "lambda", "lambda:", "lambda:Invoke*", "lambda:**", "**", "lambda:*x"]);
    table.refuses(name, "invalid_action", ["Lambda:InvokeFunction", "LAMBDA:*", "s3:GetObject", "InvokeFunction"]);
    table.refuses(name, "invalid_action", ["lambda:Invoke2", "lambda:Get-Policy", "lambda: x", "lambda:x\n", " *"]);
    table.refuses(
        name,
        "invalid_action",
        ["l\u{0430}mbda:InvokeFunction", "lambda:Invok\u{0435}Function", "lambda:a:b"],
    );
}

fn source_arn(table: &mut Table) {
    let name = "SourceArn";
    table.accepts(name, ["arn:aws:s3:::bucket", "arn:aws:s3:::", "arn:aws:sns:us-east-1:210987654321:topic"]);
    table
        .accepts(name, ["arn:aws:execute-api:us-east-1:210987654321:api/$default/*", "arn:aws:iot::210987654321:r/?*"]);
    table.accepts(
        name,
        ["arn:aws9-Z:A-9:us-gov-west-1::x", "arn:aws:s:eusc-de-east-1::a b~!{}$", "arn:aws:s:us-isob-east-1::x"],
    );
    let arn = "arn:aws:s3:::";
    table.accepts(name, [format!("{arn}{}", "b".repeat(10_000 - arn.len()))]);
    table.refuses(name, "invalid_source_arn", [format!("{arn}{}", "b".repeat(10_001 - arn.len()))]);
    for (partition, service, region, account) in [
        ("", "sns", "us-east-1", "210987654321"),
        ("aw", "sns", "us-east-1", "210987654321"),
        ("AWS", "sns", "us-east-1", "210987654321"),
        ("aws_", "sns", "us-east-1", "210987654321"),
        ("aws", "", "us-east-1", "210987654321"),
        ("aws", "s_s", "us-east-1", "210987654321"),
        ("aws", "*", "us-east-1", "210987654321"),
        ("aws", "sns", "us-east", "210987654321"),
        ("aws", "sns", "us-east-10", "210987654321"),
        ("aws", "sns", "*", "210987654321"),
        ("aws", "sns", "us-east-1", "21098765432"),
        ("aws", "sns", "us-east-1", "2109876543210"),
        ("aws", "sns", "us-east-1", "*"),
        ("aws", "sns", "us-east-1", "21098765432?"),
        ("aws", "sns", "us-east-1", "${aws:PrincipalAccount}"),
        ("aws", "sns", "us-east-1", "２１０９８７６５４３２１"),
    ] {
        table.refuses(name, "invalid_source_arn", [format!("arn:{partition}:{service}:{region}:{account}:topic")]);
    }
    table.refuses(
        name,
        "invalid_source_arn",
        ["", "arn", "arn:aws:s3::", "ARN:aws:s3:::b", "xarn:aws:s3:::b", " arn:aws:s3:::b"],
    );
    // Stricter than AWS: what stands in the resource is printable and literal.
    let unprintable =
        ["arn:aws:s3:::b\n", "arn:aws:s3:::b\u{7f}", "arn:aws:s3:::\u{1f}", "arn:aws:s3:::é", "arn:aws:s3:::\u{202e}b"];
    table.refuses(name, "invalid_source_arn", unprintable);
    table.refuses(
        name,
        "invalid_source_arn",
        ["arn:aws:s3:::${aws:username}", "arn:aws:s3:::${*}", "arn:aws:s3:::a${"],
    );
    wildcard_source(table);
}

/// A wildcard stands for the resources of every account, unless one is named beside it.
fn wildcard_source(table: &mut Table) {
    let name = "SourceArn";
    for wild in ["arn:aws:s3:::*", "arn:aws:s3:::b?cket", "arn:aws:sns:us-east-1::t*"] {
        table.refuses(name, "invalid_source_arn", [wild]);
        table.case(name, &json!({ name: wild, "SourceAccount": "210987654321" }), &[]);
        let both = [(name, "invalid_source_arn"), ("SourceAccount", "invalid_source_account")];
        table.case(name, &json!({ name: wild, "SourceAccount": "*" }), &both);
    }
}

fn source_account(table: &mut Table) {
    let name = "SourceAccount";
    table.accepts(name, ["210987654321", "000000000000", "999999999999"]);
    table.refuses(
        name,
        "invalid_source_account",
        ["", "21098765432", "2109876543210", "21098765432x", "*", " 21098765432"],
    );
    table.refuses(
        name,
        "invalid_source_account",
        ["210987654321\n", "２１０９８７６５４３２１", "٣٣٣٣٣٣٣٣٣٣٣٣", "${aws:x}", "+21098765432"],
    );
}

fn event_source_token(table: &mut Table) {
    let name = "EventSourceToken";
    table.accepts(name, ["a", "amzn1.ask.skill.A-b_9", ".", "-", "_"]);
    table.accepts(name, ["t".repeat(256)]);
    table.refuses(name, "invalid_event_source_token", ["t".repeat(257)]);
    table.refuses(name, "invalid_event_source_token", ["", "a b", "a\n", "a$", "a:b", "a*", "a/b", "é", "１"]);
}

fn organization(table: &mut Table) {
    organization_ids(table, "PrincipalOrgID");
    // With an account, a service or an identity both have to hold; AWS's documents say so for functions.
    let id = "o-a1b2c3d4e5";
    table.case("PrincipalOrgID", &json!({ "PrincipalOrgID": id, "Principal": "*" }), &[]);
    table.case("PrincipalOrgID", &json!({ "PrincipalOrgID": id, "Principal": "s3.amazonaws.com" }), &[]);
}

/// Both operations have the same rule under two names.
pub(super) fn organization_ids(table: &mut Table, name: &'static str) {
    let everyone = |id: &str| json!({ name: id, "Principal": "*" });
    let longest = format!("o-{}", "z".repeat(32));
    for id in ["o-a1b2c3d4e5", "o-0000000000", longest.as_str()] {
        table.case(name, &everyone(id), &[]);
    }
    let (short, long) = (format!("o-{}", "z".repeat(9)), format!("o-{}", "z".repeat(33)));
    for id in [
        "",
        "o-",
        short.as_str(),
        long.as_str(),
        "o-A1b2c3d4e5",
        "O-a1b2c3d4e5",
        "a1b2c3d4e5f6",
        "x-a1b2c3d4e5",
        "o-a1b2c3d4e_",
        "o-a1b2c3d4e5\n",
        " o-a1b2c3d4e5",
        "o-a1b2c3d4e*",
        "*",
        "o-a1b2c3d4é",
        "o-１１１１１１１１１１",
        "r-ab12",
    ] {
        table.case(name, &everyone(id), &[(name, "invalid_organization")]);
    }
}

fn function_url(table: &mut Table) {
    let (auth, via) = ("FunctionUrlAuthType", "InvokedViaFunctionUrl");
    let with = |name: &str, value: serde_json::Value, action: &str| json!({ name: value, "Action": action });
    for value in ["AWS_IAM", "NONE"] {
        table.case(auth, &with(auth, value.into(), "lambda:InvokeFunctionUrl"), &[]);
        for action in ["lambda:InvokeFunction", "lambda:*", "*", "lambda:invokefunctionurl"] {
            table.case(auth, &with(auth, value.into(), action), &[(auth, "invalid_function_url_auth_type")]);
        }
    }
    for value in ["", "none", "aws_iam", "AWS_IAM ", "AWS-IAM", "IAM", "*"] {
        let changes = with(auth, value.into(), "lambda:InvokeFunctionUrl");
        table.case(auth, &changes, &[(auth, "invalid_function_url_auth_type")]);
    }
    table.accepts(via, [true]);
    table.case(via, &json!({ via: false }), &[(via, "invalid_invoked_via_function_url")]);
    for value in [true, false] {
        for action in ["lambda:InvokeFunctionUrl", "lambda:*", "*", "lambda:GetPolicy"] {
            table.case(via, &with(via, value.into(), action), &[(via, "invalid_invoked_via_function_url")]);
        }
    }
    // Which action would be right cannot be said of one that is none.
    table.case(via, &with(via, true.into(), "s3:GetObject"), &[("Action", "invalid_action")]);
}

/// Both operations have the same rule.
pub(super) fn revision_id(table: &mut Table) {
    let name = "RevisionId";
    table.accepts(name, ["b8b5d8a0-2f1c-4a8e-9d7f-0123456789ab", "x", "!~"]);
    table.accepts(name, ["r".repeat(256)]);
    table.refuses(name, "invalid_revision_id", ["r".repeat(257)]);
    table.refuses(name, "invalid_revision_id", ["", " ", "a b", "a\n", "\u{7f}", "é"]);
}
