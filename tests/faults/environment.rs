//! F25b: what the environment says about the SDK's retries and endpoints has no say here.

use std::process::Command;

/// An SDK that read these would panic at the first, and call a stranger at the last.
const HOSTILE: [(&str, &str); 6] = [
    ("AWS_MAX_ATTEMPTS", "0"),
    ("AWS_RETRY_MODE", "for ever"),
    ("AWS_NEW_RETRIES_2026", "true"),
    ("AWS_DEFAULTS_MODE", "none such"),
    ("AWS_PROFILE", "none such"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
];

#[test]
fn a_hostile_sdk_environment_changes_nothing() {
    let play = |variables: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_broker"))
            .args(["invoke", "events/direct-grant-account.json", "--audit"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = play(&HOSTILE);
    assert!(shown.contains("granted") && shown.contains(r#""attempts":1"#), "{shown}");
}
