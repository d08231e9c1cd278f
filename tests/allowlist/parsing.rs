//! Reading an allowlist: what is right, and every problem at once with the place where it is.

use permission_broker::allowlist::Allowlist;
use serde_json::{Value, json};

use super::schema;

/// The places of the problems.
fn problems(text: &str) -> Vec<String> {
    schema::assert_agreed(text);
    let problems = Allowlist::parse(text).err().unwrap_or_default();
    assert!(problems.iter().all(|problem| !problem.detail.is_empty()), "{problems:?}");
    problems.into_iter().map(|problem| problem.pointer).collect()
}

fn assert_problems(allowlist: &Value, expected: &[&str]) {
    assert_eq!(problems(&allowlist.to_string()), expected, "{allowlist}");
}

#[test]
fn an_allowlist_is_a_rule_or_a_list_of_rules() {
    let smallest = r#"{"accounts": ["210987654321"], "organizations": ["o-a1b2c3d4e5"]}"#;
    for (text, rules) in [
        ("".to_owned(), 0),
        (" \t\r\n".to_owned(), 0),
        ("[]".to_owned(), 0),
        (" [ ] ".to_owned(), 0),
        ("{}".to_owned(), 1),
        ("[{}]".to_owned(), 1),
        (smallest.to_owned(), 1),
        (format!(" \n{smallest}\n"), 1),
        (format!("[{smallest},{smallest}, {{}}]"), 3),
    ] {
        let allowlist = Allowlist::parse(&text).unwrap();
        assert_eq!((allowlist.len(), allowlist.is_empty()), (rules, rules == 0), "{text}");
    }
}

#[test]
fn what_is_no_json_or_no_rule_is_refused() {
    for text in
        ["x", "{", "[", "[{}", "[{},]", "{,}", "[{}] x", "{} {}", "{}]", "[]{}", "\u{feff}{}", "{'accounts':[]}"]
    {
        assert_eq!(problems(text), [""], "{text}");
    }
    for text in ["null", "true", "7", r#""*""#, r#""{}""#] {
        assert_eq!(problems(text), [""], "{text}");
        assert_eq!(problems(&format!("[{{}},{text},{{}}]")), ["/1"], "{text}");
    }
    assert_eq!(problems("[[]]"), ["/0"]);
    assert_eq!(problems(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), ["/0"]);
}

#[test]
fn every_field_is_a_list_of_strings() {
    for name in ["accounts", "organizations", "services", "actions", "targets", "requesters"] {
        assert_problems(&json!({ name: [] }), &[]);
        for value in
            [json!(null), json!("210987654321"), json!(7), json!(true), json!({}), json!([null]), json!([["x"]])]
        {
            assert_problems(&json!({ name: value }), &[&format!("/{name}")]);
        }
        // A number has no leading zeroes to keep, so it is not taken for an account.
        assert_problems(&json!({ name: [210_987_654_321_u64] }), &[&format!("/{name}")]);
    }
}

#[test]
fn a_star_is_never_an_entry() {
    for name in ["accounts", "organizations", "services", "actions", "targets", "requesters"] {
        for star in ["*", "**", ""] {
            assert_problems(&json!({ name: [star] }), &[&format!("/{name}/0")]);
        }
    }
}

#[test]
fn each_entry_has_the_form_of_its_field() {
    let (o32, o33) = (format!("o-{}", "a".repeat(32)), format!("o-{}", "a".repeat(33)));
    let (requester, too_long) = ("r".repeat(2048), "r".repeat(2049));
    for (name, right, wrong) in [
        (
            "accounts",
            &["210987654321", "000000000000", "999999999999"][..],
            &[
                "21098765432",
                "2109876543210",
                "21098765432x",
                "21098765432*",
                "２１０９８７６５４３２１",
                " 210987654321",
                "210987654321\n",
            ][..],
        ),
        (
            "organizations",
            &["o-a1b2c3d4e5", &o32],
            &["o-a1b2c3d4e", &o33, "o-A1b2c3d4e5", "o-*", "a1b2c3d4e5f6", "o-a1b2c3d4e5 "],
        ),
        (
            "services",
            &["s3.amazonaws.com", "alexa-appkit.amazon.com", "logs.us-east-1.amazonaws.com", "s3.amazonaws.com.cn"],
            &[
                "*.amazonaws.com",
                "s3.*",
                "s3",
                "S3.amazonaws.com",
                "s3.amazonaws.com.evil.com",
                "210987654321",
                ".amazonaws.com",
            ],
        ),
        (
            "actions",
            &["lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:x"],
            &["lambda:*", "lambda:Invoke*", "InvokeFunction", "lambda:", "s3:GetObject", "lambda:Invoke2"],
        ),
        (
            "targets",
            &["function:orders", "layer:tools", "function:orders-*", "function:*", "layer:*", "function:a.b_c-D9"],
            &[
                "orders",
                "function:",
                "layer:",
                "func:orders",
                "function:*x",
                "function:a*b",
                "function:a**",
                "function:a?",
                "function:f:live",
                "Function:f",
                "function:é",
                " function:f",
            ],
        ),
        (
            "requesters",
            &["arn:aws:iam::123456789012:user/ci", "*a", "a*", "*user/*", "jwt:https://issuer#*", &requester],
            &[&too_long, "caf\u{e9}", "a\n", "\u{7f}", "***"],
        ),
    ] {
        for entry in right {
            assert_problems(&json!({ name: [entry] }), &[]);
        }
        for entry in wrong {
            assert_problems(&json!({ name: [right[0], entry] }), &[&format!("/{name}/1")]);
        }
    }
}

#[test]
fn an_entry_stands_once() {
    for (name, entry) in [
        ("accounts", "210987654321"),
        ("organizations", "o-a1b2c3d4e5"),
        ("services", "s3.amazonaws.com"),
        ("actions", "lambda:InvokeFunction"),
        ("targets", "function:orders"),
        ("requesters", "sqs:sender"),
    ] {
        assert_problems(&json!({ name: [entry, entry] }), &[&format!("/{name}")]);
        assert_problems(&json!([{ name: [entry] }, { name: [entry] }]), &[]);
    }
    assert_eq!(problems(r#"{"accounts":["210987654321","21098765432\u0031"]}"#), ["/accounts"]);
}

#[test]
fn a_field_stands_once_and_is_known() {
    for text in [
        r#"{"accounts":["210987654321"],"accounts":[]}"#,
        r#"{"accounts":[],"\u0061ccounts":["210987654321"]}"#,
        r#"{"account":["210987654321"]}"#,
        r#"{"Accounts":["210987654321"]}"#,
        r#"{"comment":"x"}"#,
        r#"{"":[]}"#,
    ] {
        assert_eq!(problems(text), [""], "{text}");
        assert_eq!(problems(&format!("[{{}},{text}]")), ["/1"], "{text}");
    }
    let many: Vec<String> = (0..100).map(|i| format!(r#""a{i}":[]"#)).collect();
    assert_eq!(problems(&format!("{{{}}}", many.join(","))), [""]);
}

#[test]
fn an_id_is_a_short_word_and_taken_once() {
    for id in ["a", "team-a_1.B", &"i".repeat(64)] {
        assert_problems(&json!({ "id": id }), &[]);
    }
    for id in ["", "a b", "a/b", "é", "a\n", "*", &"i".repeat(65)] {
        assert_problems(&json!({ "id": id }), &["/id"]);
    }
    for id in [json!(null), json!(7), json!(["a"])] {
        assert_problems(&json!({ "id": id }), &["/id"]);
    }
    assert_problems(&json!([{ "id": "a" }, { "id": "b" }, { "id": "A" }]), &[]);
    assert_problems(&json!([{ "id": "a" }, { "id": "b" }, { "id": "a" }, { "id": "a" }]), &["/2/id", "/3/id"]);
    // A rule without an id is called by its position.
    assert_problems(&json!([{ "id": "1" }, {}]), &["/1/id"]);
    assert_problems(&json!([{ "id": "7" }, {}]), &[]);
}

#[test]
fn all_problems_are_told_at_once() {
    let allowlist = json!([
        { "id": "", "accounts": ["210987654321", "1", "*"], "organizations": "o-a1b2c3d4e5", "colour": "red" },
        7,
        { "id": "x", "services": ["s3.amazonaws.com", "s3.amazonaws.com"], "actions": ["lambda:*"] },
        { "id": "x", "targets": ["orders", "function:orders"], "requesters": ["*"] },
    ]);
    let mut expected =
        ["/0", "/0/id", "/0/accounts/1", "/0/accounts/2", "/0/organizations", "/1"].map(str::to_owned).to_vec();
    expected.extend(["/2/services", "/2/actions/0", "/3/targets/0", "/3/requesters/0", "/3/id"].map(str::to_owned));
    let mut found = problems(&allowlist.to_string());
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_problem_reads_as_place_and_sentence() {
    let problems = Allowlist::parse(r#"[{"accounts":["210987654321","7"]}]"#).unwrap_err();
    assert_eq!(problems[0].to_string(), "/0/accounts/1: an account is twelve digits");
    let problems = Allowlist::parse("{}{}").unwrap_err();
    assert!(problems[0].to_string().starts_with("/: the allowlist is one JSON object"), "{}", problems[0]);
}
