//! `AddLayerVersionPermission`, parameter by parameter: every branch of every pattern, both edges of every length.

use serde_json::json;

use super::Table;
use super::function::{organization_ids, revision_id, statement_id};
use crate::support::document::add_layer_version_permission;

pub(super) fn table() -> Table {
    let mut table = Table::new(add_layer_version_permission);
    table.requires(&["LayerName", "VersionNumber", "Action", "Principal"]);
    layer_name(&mut table);
    version_number(&mut table);
    statement_id(&mut table);
    action(&mut table);
    principal(&mut table);
    organization(&mut table);
    revision_id(&mut table);
    table
}

pub(super) fn layer_name(table: &mut Table) {
    let name = "LayerName";
    table.accepts(name, ["l", "my-layer_1", "Z9", "layer", "123456789012"]);
    table.accepts(name, ["l".repeat(140)]);
    table.refuses(name, "invalid_layer", ["l".repeat(141)]);
    for (partition, region) in [
        ("aws", "us-east-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-eusc", "eusc-de-east-1"),
        ("", "us-east-1"),
    ] {
        let arn = format!("arn:{partition}:lambda:{region}:123456789012:layer:");
        table.accepts(name, [format!("{arn}l"), format!("{arn}{}", "l".repeat(140))]);
        table.refuses(name, "invalid_layer", [format!("{arn}{}", "l".repeat(141)), arn]);
    }
    // Only a partition or a region without end makes an ARN that long.
    let of = |length: usize| {
        let (start, end) = ("arn:aws-", ":lambda:us-east-1:123456789012:layer:tools");
        format!("{start}{}{end}", "a".repeat(length - start.len() - end.len()))
    };
    table.accepts(name, [of(2048)]);
    table.refuses(name, "invalid_layer", [of(2049)]);
    table.refuses(name, "invalid_layer", ["", "l.x", "l x", "l\n", "l:1", "l/x", "l$", "l*", "é", "１", "layer:l"]);
    no_layer_arn(table);
}

/// One part of an ARN at a time that is not what the pattern wants there.
fn no_layer_arn(table: &mut Table) {
    let parts = ["arn", "aws", "lambda", "us-east-1", "123456789012", "layer", "tools"];
    for (place, wrong) in [
        (0, "ARN"),
        (0, "xarn"),
        (1, "foo"),
        (1, "aws1"),
        (1, "*"),
        (2, "s3"),
        (2, ""),
        (3, ""),
        (3, "anywhere"),
        (3, "us-east-10"),
        (3, "us-govx-east-1"),
        (3, "*"),
        (4, ""),
        (4, "12345678901"),
        (4, "1234567890123"),
        (4, "１２３４５６７８９０１２"),
        (4, "*"),
        (5, "function"),
        (5, "Layer"),
        (6, "tools:3"),
        (6, "to.ols"),
        (6, "tools\n"),
    ] {
        let mut parts = parts;
        parts[place] = wrong;
        table.refuses("LayerName", "invalid_layer", [parts.join(":")]);
    }
}

pub(super) fn version_number(table: &mut Table) {
    let name = "VersionNumber";
    table.accepts(name, [1, 2, i64::MAX]);
    table.refuses(name, "invalid_version_number", [0, -1, i64::MIN]);
    table.refuses(name, "wrong_type", [9_223_372_036_854_775_808_u64]);
    // JSON tells no whole number from one with a fraction of nothing.
    table.accepts(name, [1.0, 2e3]);
    table.refuses(name, "wrong_type", [0.5, 1.5]);
    table.refuses(name, "wrong_type", ["3", "1", ""]);
}

fn action(table: &mut Table) {
    table.accepts("Action", ["lambda:GetLayerVersion"]);
    table.refuses(
        "Action",
        "invalid_action",
        ["", "*", "lambda:*", "lambda:GetLayerVersio", "lambda:GetLayerVersions"],
    );
    table.refuses(
        "Action",
        "invalid_action",
        ["lambda:getLayerVersion", "lambda:InvokeFunction", "lambda:GetLayerVersion\n"],
    );
}

fn principal(table: &mut Table) {
    let name = "Principal";
    table.accepts(name, ["210987654321", "000000000000", "*"]);
    table.accepts(name, ["aws", "aws-cn", "aws-us-gov", "awsZ-"].map(|it| format!("arn:{it}:iam::210987654321:root")));
    let none = [
        "",
        "21098765432",
        "2109876543210",
        "２１０９８７６５４３２１",
        "210987654321\n",
        "210987654321; DROP",
        "x*y",
        "**",
        "evil-arn:aws:iam::210987654321:root",
        "arn:aws:iam::210987654321:root ",
        "arn:aws:iam::210987654321:rooted",
        "arn:aws:iam::210987654321:user/x",
        "arn:aws:iam::210987654321:role/x",
        "arn:aws:iam::21098765432:root",
        "arn:aws:iam::*:root",
        "arn::iam::210987654321:root",
        "arn:aws1:iam::210987654321:root",
        "arn:aws:sts::210987654321:root",
        "s3.amazonaws.com",
    ];
    table.refuses(name, "invalid_principal", none);
    // No valid principal comes near the model's 10,000 characters; one that does is refused for its form.
    table.refuses(name, "invalid_principal", ["2".repeat(10_000), "2".repeat(10_001)]);
}

fn organization(table: &mut Table) {
    let name = "OrganizationId";
    organization_ids(table, name);
    for account in ["210987654321", "arn:aws:iam::210987654321:root"] {
        table.case(name, &json!({ name: "o-a1b2c3d4e5", "Principal": account }), &[]);
    }
}
