//! `FunctionName` and `Qualifier` of `AddPermission`: every form of the name, and what could be read as two of them.

use serde_json::json;

use super::Table;

pub(super) fn function_name(table: &mut Table) {
    let name = "FunctionName";
    table.accepts(name, ["f", "my-function_1.v2", "F0", "f:live", "f:1", "f:a-b_C9"]);
    // Alone these are names; only in front of something else they could be read as its prefix.
    table.accepts(name, ["function", "123456789012", "us-east-1", "arn", "arn:live"]);
    table.accepts(name, ["123456789012:function:f", "123456789012:function:f:live"]);
    table.accepts(name, ["us-east-1:123456789012:function:f", "us-east-1:123456789012:function:f:1"]);
    for (partition, region) in [
        ("aws", "us-east-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-eusc", "eusc-de-east-1"),
        ("awsZ", "us-gov-1"),
    ] {
        let arn = format!("arn:{partition}:lambda:{region}:123456789012:function:f");
        table.accepts(name, [format!("{arn}:live"), arn]);
    }
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:";
    let rest = 256 - arn.len();
    table.accepts(name, ["f".repeat(256), format!("f:{}", "a".repeat(254)), format!("{arn}{}", "f".repeat(rest))]);
    let too_long = ["f".repeat(257), format!("f:{}", "a".repeat(255)), format!("{arn}{}", "f".repeat(rest + 1))];
    table.refuses(name, "invalid_function", too_long);
    table.refuses(
        name,
        "invalid_function",
        ["", " f", "f ", "f\n", "f g", "f/g", "f$", "f*", "f,g", "fé", "\u{200b}f"],
    );
    two_readings(table);
    no_function_arn(table);
    let no_suffix = ["f:", "f:$LATEST", "f:$LATEST.PUBLISHED", "f:$latest", "f:a$b", "f:a.b", "f:a b", "f:１", "f:a\n"];
    table.refuses(name, "invalid_qualifier", no_suffix);
}

/// What AWS's pattern accepts and two readers could take for different functions.
fn two_readings(table: &mut Table) {
    let ambiguous = [
        "function:foo",
        "function:foo:live",
        "function:function:foo",
        "123456789012:foo",
        "123456789012:foo:live",
        "us-east-1:foo",
        "us-east-1:function:foo",
        "us-east-1:123456789012:foo",
        "arn:aws:lambda:foo",
        "arn:aws:lambda:function:foo",
        "arn:aws:lambda:123456789012:function:foo",
        "arn:aws:lambda:us-east-1:foo",
        "arn:aws:lambda:us-east-1:123456789012:foo",
        "arn:aws:lambda:us-east-1:123456789012:function",
        "arn:aws:lambda:us-east-1:123456789012:layer:foo",
        "arn::lambda:foo",
        "arn::lambda:us-east-1:123456789012:function:foo",
    ];
    table.refuses("FunctionName", "invalid_function", ambiguous);
}

/// One part of an ARN at a time that is not what the pattern wants there.
fn no_function_arn(table: &mut Table) {
    let wrong = |partition: &str, service: &str, region: &str, account: &str, resource: &str| {
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    };
    let (region, account, resource) = ("us-east-1", "123456789012", "function:f");
    for partition in ["aw", "AWS", "aws1", "aws_", "awś", "*"] {
        table.refuses("FunctionName", "invalid_function", [wrong(partition, "lambda", region, account, resource)]);
    }
    for region in [
        "",
        "us-east",
        "us-east-",
        "us-east-10",
        "us-east-x",
        "us--1",
        "u-east-1",
        "usa-east-1",
        "US-east-1",
        "us-EAST-1",
        "us-e4st-1",
        "us-govx-east-1",
        "us-isoab-east-1",
        "us-isoB-east-1",
        "us-iso1-east-1",
        "us-gov-iso-east-1",
        "eusc-eusc-de-east-1",
        "eusc-1",
        "eu-de-east-1-1",
        "us-east-１",
        "*",
    ] {
        table.refuses("FunctionName", "invalid_function", [wrong("aws", "lambda", region, account, resource)]);
    }
    for account in ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２", "*", "+12345678901"]
    {
        table.refuses("FunctionName", "invalid_function", [wrong("aws", "lambda", region, account, resource)]);
        table.refuses("FunctionName", "invalid_function", [format!("{account}:function:f")]);
    }
    for resource in ["function:", "function:f:a:b", "Function:f", "function/f", "function::a", ""] {
        table.refuses("FunctionName", "invalid_function", [wrong("aws", "lambda", region, account, resource)]);
    }
    table.refuses("FunctionName", "invalid_function", [wrong("aws", "s3", region, account, resource)]);
    table.refuses(
        "FunctionName",
        "invalid_function",
        ["ARN:aws:lambda:us-east-1:123456789012:function:f", ":f", "a:b:c"],
    );
}

pub(super) fn qualifier(table: &mut Table) {
    let name = "Qualifier";
    table.accepts(name, ["1", "live", "a-b_C9", "$", "a$b", "$latest", "$LATESTx", "$LATES"]);
    table.accepts(name, ["a".repeat(128)]);
    table.refuses(name, "invalid_qualifier", ["a".repeat(129)]);
    table.refuses(name, "invalid_qualifier", ["", "$LATEST", "$LATEST.PUBLISHED", "$LATEST.", "$LATEST.PUBLISHEDx"]);
    table.refuses(name, "invalid_qualifier", ["a.b", "a b", "a:b", "a\n", "a/b", "a?b", "１", "é"]);
    for (function, given, broken) in [
        ("f:live", "live", &[][..]),
        ("f:1", "1", &[]),
        ("123456789012:function:f:live", "live", &[]),
        ("f:live", "prod", &[(name, "invalid_qualifier")]),
        ("f:live", "Live", &[(name, "invalid_qualifier")]),
        ("f:1", "01", &[(name, "invalid_qualifier")]),
        ("f:live", "$LATEST", &[(name, "invalid_qualifier")]),
        // A name that is refused has no qualifier that could differ.
        ("f:$LATEST", "live", &[("FunctionName", "invalid_qualifier")]),
    ] {
        table.case(name, &json!({ "FunctionName": function, name: given }), broken);
    }
}
