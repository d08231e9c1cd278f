//! `Principal` of `AddPermission`: the four forms that it has, and the many that could hide an account.

use super::Table;

pub(super) fn principal(table: &mut Table) {
    let name = "Principal";
    table.accepts(name, ["210987654321", "000000000000", "*"]);
    for partition in ["aws", "aws-cn", "aws-us-gov", "awsZ-"] {
        table.accepts(name, ["root", "user/x", "role/x"].map(|it| format!("arn:{partition}:iam::210987654321:{it}")));
    }
    table.accepts(name, ["user/team/a/x", "role/a+=,.@_-Z9"].map(|it| format!("arn:aws:iam::210987654321:{it}")));
    table.accepts(
        name,
        ["s3.amazonaws.com", "alexa-appkit.amazon.com", "logs.us-east-1.amazonaws.com", "a1.amazonaws.eu"],
    );
    table.accepts(name, ["s3.amazonaws.com.cn", "x.c2s.ic.gov", "x.sc2s.sgov.gov"]);
    let role = "arn:aws:iam::210987654321:role/";
    table.accepts(name, [format!("{role}{}", "r".repeat(2048 - role.len()))]);
    table.refuses(name, "invalid_principal", [format!("{role}{}", "r".repeat(2049 - role.len()))]);
    let no_account = ["", "21098765432", "2109876543210", "21098765432x", "+21098765432", "-21098765432", "1e11"];
    table.refuses(name, "invalid_principal", no_account);
    let look_alike = [
        "２１０９８７６５４３２１",
        "٣٣٣٣٣٣٣٣٣٣٣٣",
        "210987654321\u{200b}",
        "\u{202e}210987654321",
        "s3.аmazonaws.com",
    ];
    table.refuses(name, "invalid_principal", look_alike);
    // The pattern for layers accepts some of these when it is searched for instead of matched.
    let beside =
        [" 210987654321", "210987654321\n", "210987654321; DROP", "x*y", "**", "evil-arn:aws:iam::210987654321:root"];
    table.refuses(name, "invalid_principal", beside);
    no_identity(table);
    no_service(table);
}

/// Every form that could hide an account, or stand for more than one identity.
fn no_identity(table: &mut Table) {
    for resource in [
        "",
        "Root",
        "root/x",
        "user",
        "user/",
        "user/*",
        "user/a?",
        "role/a//b",
        "role/a/",
        "role//a",
        "role/a b",
        "role/a\n",
        "role/é",
        "role/${aws:username}",
        "group/x",
        "federated-user/x",
        "assumed-role/a/b",
        "root:x",
        "role/a:b",
    ] {
        table.refuses("Principal", "invalid_principal", [format!("arn:aws:iam::210987654321:{resource}")]);
    }
    let elsewhere = [
        "arn:aws:iam::*:root",
        "arn:aws:iam::21098765432:root",
        "arn:aws:iam::2109876543210:root",
        "arn:aws:iam::cloudfront:user/x",
        "arn:aws:iam:us-east-1:210987654321:root",
        "arn:aws:iam:210987654321:root",
        "arn:aws:sts::210987654321:assumed-role/a/b",
        "arn:aws1:iam::210987654321:root",
        "arn::iam::210987654321:root",
        "arn:*:iam::210987654321:root",
        "ARN:aws:iam::210987654321:root",
        "AROAEXAMPLEID",
        "o-a1b2c3d4e5",
    ];
    table.refuses("Principal", "invalid_principal", elsewhere);
}

fn no_service(table: &mut Table) {
    let none = [
        "invalid.nonaws.com",
        "amazonaws.com",
        ".amazonaws.com",
        "s3..amazonaws.com",
        ".s3.amazonaws.com",
        "s3amazonaws.com",
        "S3.AMAZONAWS.COM",
        "S3.amazonaws.com",
        "s3.amazonaws.com.evil.com",
        "s3.amazonaws.com.",
        "s3_x.amazonaws.com",
        "*.amazonaws.com",
        "s3.amazonaws.com\n",
        "s3 .amazonaws.com",
    ];
    table.refuses("Principal", "invalid_principal", none);
}
