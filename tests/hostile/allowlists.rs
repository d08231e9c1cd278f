//! Hostile allowlists: a broken one stops the start and says where, and what starts allows no more than
//! it says.

use permission_broker::allowlist::Allowlist;
use permission_broker::grant::Grant;
use permission_broker::local::stage::FUNCTION_ARN;
use permission_broker::request::Request;
use permission_broker::requester::Requester;
use permission_broker::resource::Own;

use super::rows;

/// What every allowlist of the folder is asked for.
const GRANT: &str = r#"{"operation":"AddPermission","parameters":{
    "FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321"}}"#;

#[test]
fn a_hostile_allowlist_stops_the_start_or_denies() {
    for row in rows(&["allowlist"]) {
        // The configuration reads files as text; what is none does not get here.
        let text = String::from_utf8(row.bytes()).expect("an allowlist in UTF-8");
        match Allowlist::parse(&text) {
            Ok(allowlist) => {
                assert_eq!(row.codes, ["denies"], "{} starts", row.file);
                let grant = Grant::new(Request::read(GRANT).expect("a request")).expect("a grant");
                let own = Own::parse(FUNCTION_ARN).expect("an ARN");
                assert!(allowlist.decide(grant, &Requester::Direct, &own).is_err(), "{}", row.file);
            }
            Err(problems) => {
                let pointer = |pointer: &str| if pointer.is_empty() { "/".to_owned() } else { pointer.to_owned() };
                let pointers: Vec<String> = problems.iter().map(|problem| pointer(&problem.pointer)).collect();
                assert_eq!(pointers, row.codes, "{}", row.file);
                assert!(problems.iter().all(|problem| problem.to_string().is_ascii()), "{}", row.file);
            }
        }
    }
}
