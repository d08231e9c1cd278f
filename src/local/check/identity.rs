//! The shapes of the identities that AWS stamps on events, and whether a pattern can match any of them.
//! Sources: the ARNs of IAM's identifiers and of STS's sessions (IAM User Guide), and [`Requester::id`].
//!
//! [`Requester::id`]: crate::requester::Requester::id

use std::collections::HashSet;

use crate::allowlist::Pattern;

/// How every identity begins: an ARN, or the kind of requester.
const STARTS: [&str; 5] = ["arn:", "jwt:", "authorizer:", "eventbridge:", "sqs:"];

/// The shapes. `0` is a digit, `-` none or more characters of a partition, `/` of a role's name, `:` of a user's or a
/// session's (a path could have a colon by the letter, and nobody's has), `.` any one character and `+` none or more;
/// what stands in quotes is meant as it is.
const SHAPES: [&str; 8] = [
    "'arn:aws'-':iam::'000000000000':root'",
    "'arn:aws'-':iam::'000000000000':user/':",
    "'arn:aws'-':sts::'000000000000':assumed-role/'/'/':",
    "'arn:aws'-':sts::'000000000000':federated-user/':",
    "'jwt:'.+'#'.+",
    "'authorizer:'.+",
    "'eventbridge:'000000000000':'.+",
    "'sqs:'.+",
];

/// One step of a shape.
#[derive(Clone, Copy)]
enum Step {
    Exactly(u8),
    Digit,
    Any,
    /// None or more of these.
    Many(fn(u8) -> bool),
}

/// Why no identity can match a pattern, if none can, and what was probably meant.
pub(super) fn why_nobody(pattern: &Pattern) -> Option<String> {
    let text = pattern.as_str();
    if SHAPES.iter().any(|shape| meets(text.as_bytes(), &steps(shape))) {
        return None;
    }
    Some(match (text.contains(":assumed-role/"), text.split_once(":role/")) {
        (true, _) => {
            "a session's ARN is arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, without the role's path: end it in `/*`"
                .to_owned()
        }
        (false, Some((_, role))) => {
            let name = role.rsplit('/').find(|name| !name.is_empty()).unwrap_or("ROLE");
            format!("a role asks as one of its sessions: arn:aws:sts::ACCOUNT:assumed-role/{name}/*")
        }
        (false, None) if text.starts_with("arn:") => {
            "who asks with IAM is a user (arn:aws:iam::ACCOUNT:user/NAME), a session of a role \
             (arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION), a federated user or the root"
                .to_owned()
        }
        (false, None) if text.starts_with("eventbridge:") => {
            "an event is asked for by eventbridge:ACCOUNT:SOURCE, with the twelve digits of its account".to_owned()
        }
        (false, None) if text.starts_with("jwt:") => "the subject of a token is jwt:ISSUER#SUBJECT".to_owned(),
        (false, None) => {
            format!("no identity looks like this: they begin with {}, with more behind it", STARTS.join(", "))
        }
    })
}

fn steps(shape: &str) -> Vec<Step> {
    let mut quoted = false;
    let mut steps = Vec::new();
    for byte in shape.bytes() {
        match byte {
            b'\'' => quoted = !quoted,
            _ if quoted => steps.push(Step::Exactly(byte)),
            b'0' => steps.push(Step::Digit),
            b'-' => steps.push(Step::Many(|b| b.is_ascii_lowercase() || b == b'-')),
            b'/' => steps.push(Step::Many(|b| b != b'/')),
            b':' => steps.push(Step::Many(|b| b != b':')),
            b'.' => steps.push(Step::Any),
            _ => steps.push(Step::Many(|_| true)),
        }
    }
    steps
}

/// Whether some text matches a pattern and has a shape: both are walked at once, a `*` and a repeated step each
/// taking one character more, or ending.
fn meets(pattern: &[u8], shape: &[Step]) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(0, 0)];
    while let Some((at, step)) = open.pop() {
        if !seen.insert((at, step)) {
            continue;
        }
        let (byte, next) = (pattern.get(at), shape.get(step));
        if byte.is_none() && next.is_none() {
            return true;
        }
        if byte == Some(&b'*') {
            open.push((at + 1, step));
        }
        if matches!(next, Some(Step::Many(_))) {
            open.push((at, step + 1));
        }
        let (Some(byte), Some(next)) = (byte, next) else { continue };
        let taken = match (byte, next) {
            (b'*', _) => true,
            (byte, Step::Exactly(it)) => byte == it,
            (byte, Step::Digit) => byte.is_ascii_digit(),
            (_, Step::Any) => true,
            (byte, Step::Many(fits)) => fits(*byte),
        };
        if taken {
            let (stays, repeats) = (*byte == b'*', matches!(next, Step::Many(_)));
            // Where both go on, staying says nothing new.
            match (stays, repeats) {
                (true, true) => {}
                (true, false) => open.push((at, step + 1)),
                (false, true) => open.push((at + 1, step)),
                (false, false) => open.push((at + 1, step + 1)),
            }
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::{meets, steps, why_nobody};
    use crate::allowlist::Allowlist;

    fn why(text: &str) -> Option<String> {
        let rule = serde_json::json!({ "requesters": [text] }).to_string();
        why_nobody(&Allowlist::parse(&rule).unwrap().rules[0].requesters.as_ref().unwrap()[0])
    }

    #[test]
    fn a_pattern_is_of_some_shape_or_it_is_said_what_the_shape_is() {
        for pattern in [
            "arn:aws:iam::123456789012:user/ci",
            "arn:aws-us-gov:iam::123456789012:user/team/ci",
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::*",
            "arn:aws:sts::123456789012:assumed-role/deployer/*",
            "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0a1b/jo@example.com",
            "arn:aws:sts::*:assumed-role/deploy*",
            "arn:aws:sts::123456789012:federated-user/jo",
            "*/ci",
            "*:root",
            "*c*i*",
            "a*",
            "*1*2*3*",
            "jwt:https://issuer.example#42",
            "jwt:*",
            "jwt:*#42",
            "authorizer:jo",
            "eventbridge:123456789012:com.example",
            "eventbridge:*",
            "eventbridge:*:ci",
            "eventbridge:1234*",
            "sqs:AROADBQP57FF2AEXAMPLE:session",
        ] {
            assert_eq!(why(pattern), None, "{pattern}");
        }
        for (pattern, says) in [
            ("arn:aws:iam::123456789012:role/deployer", "assumed-role/deployer/*"),
            ("arn:aws:iam::123456789012:role/team/deployer", "assumed-role/deployer/*"),
            ("arn:aws:iam::*:role/*", "assumed-role/*/*"),
            ("arn:aws:sts::123456789012:assumed-role/deployer", "end it in `/*`"),
            ("arn:aws:iam::123456789012:assumed-role/deployer/x", "arn:aws:sts::"),
            ("arn:aws:iam::12345:user/ci", "a user (arn:aws:iam::ACCOUNT:user/NAME)"),
            ("arn:aws:iam::123456789012:group/ops", "a user ("),
            ("arn:aws:s3:::bucket", "a user ("),
            ("ARN:*", "they begin with arn:"),
            ("user/ci", "they begin with arn:"),
            ("ci*", "they begin with arn:"),
            ("123456789012:*", "they begin with arn:"),
            ("jwt:https://issuer.example", "jwt:ISSUER#SUBJECT"),
            ("jwt:#42", "jwt:ISSUER#SUBJECT"),
            ("eventbridge:com.example", "eventbridge:ACCOUNT:SOURCE"),
            ("eventbridge:123456789012", "eventbridge:ACCOUNT:SOURCE"),
            ("eventbridge:1234567890123*", "eventbridge:ACCOUNT:SOURCE"),
            ("authorizer:", "with more behind it"),
            ("sqs:", "with more behind it"),
        ] {
            assert!(why(pattern).is_some_and(|why| why.contains(says)), "{pattern}: {:?}", why(pattern));
        }
    }

    #[test]
    fn a_pattern_and_a_shape_meet_in_some_text_or_in_none() {
        for (pattern, shape, meet) in [
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("", "'a'", false),
            ("a*c", "'abc'", true),
            ("a*d", "'abc'", false),
            ("*", "00", true),
            ("*1", "00", true),
            ("1*2", "00", true),
            ("1*2*3", "00", false),
            ("*", ".", true),
            ("*x*x*", ".", false),
            ("ab", "+", true),
            ("b-a", "-", true),
            ("B", "-", false),
            ("a/b", "/'/'/", true),
            ("a/b/c", "/'/'/", false),
            ("a*c", "/'/'/", true),
        ] {
            assert_eq!(meets(pattern.as_bytes(), &steps(shape)), meet, "{pattern} {shape}");
        }
    }
}
