//! The commands: run here, or where they need AWS looked through for files, options and outputs that are not there.

use super::markdown::{blocks, table};
use crate::support::process::{SIGNED, Served, broker, http, scratch, written};
use crate::support::{json, path, string, text};

/// What happens to a command.
enum Check {
    /// `cargo run` with arguments: the command line runs with the same ones, and shows this.
    Run(&'static str),
    /// The servers are started, on free ports instead of the ones given.
    Serve,
    /// The report of an example is made; of an account its options have to exist.
    Report,
    /// What checks the page in a browser: it has to exist, and CI runs it.
    Page,
    /// Sent to the API that was served.
    Grant,
    /// Asked of the control plane that was served.
    Policy,
    /// This very test run.
    Test,
    /// More cases of a test that this run has too: the test and the variable have to exist.
    LongRun,
    /// A test that prints figures: it has to exist.
    Figures,
    /// A fuzz target has to exist.
    Fuzz,
    /// The files to mutate have to exist.
    Mutants,
    /// A script of its own, which CI runs.
    Script,
    /// The benchmark takes minutes: `speed` looks for its commands, and CI runs one of them.
    Benchmark,
    /// Needs an AWS account: files and outputs it names have to exist. `tests/deploy` runs it in an emulator.
    NeedsAws,
}

fn check(command: &str) -> Check {
    match command.split_once(' ').unwrap_or((command, "")) {
        ("cargo", "run") => Check::Run("direct-grant-account.json\n"),
        ("cargo", "test") => Check::Test,
        ("cargo", rest) if rest.starts_with("test ") && rest.contains(" --release ") => Check::Figures,
        ("cargo", rest) if rest.starts_with("fuzz run ") => Check::Fuzz,
        ("cargo", "mutants") => Check::Mutants,
        ("cargo", rest) if rest.starts_with("run --release --manifest-path bench/Cargo.toml") => Check::Benchmark,
        (variable, rest) if variable.contains('=') && rest.starts_with("cargo test ") => Check::LongRun,
        ("cargo", rest) if rest.starts_with("run -- serve") => Check::Serve,
        ("cargo", rest) if rest.starts_with("run -- report") => Check::Report,
        ("tests/page/run", "") => Check::Page,
        ("cargo", "run -- --help") => Check::Run("Usage: broker"),
        ("cargo", rest) if rest.starts_with("run -- check ") => Check::Run("0 mistakes"),
        ("cargo", rest) if rest.starts_with("run -- ") => Check::Run("outcome"),
        ("tests/openapi/schemathesis.sh" | "tests/deploy/run" | "tests/clients/run", "") => Check::Script,
        ("curl", rest) if rest.contains("http://127.0.0.1:8080/") => Check::Grant,
        ("aws", rest) if rest.contains("--endpoint-url http://127.0.0.1:8081") => Check::Policy,
        ("sam" | "aws" | "curl", _) => Check::NeedsAws,
        _ => panic!("nobody knows how to check {command}"),
    }
}

#[test]
fn every_command_does_what_it_says() {
    let blocks = blocks("sh");
    let commands: Vec<&str> = blocks.iter().flat_map(|block| block.text.lines()).collect();
    assert_eq!(commands.len(), 42);
    let mut served = None;
    for command in commands {
        match check(command) {
            Check::Run(shows) => run(command, shows),
            Check::Serve => served = Some(serve(command)),
            Check::Report => report(command),
            Check::Page => {
                assert!(text(".ci/run").lines().any(|line| line.trim() == command) && path(command).exists())
            }
            Check::Grant => grant(command, served.as_ref().expect("serve comes first")),
            Check::Policy => policy(command, served.as_ref().expect("serve comes first")),
            Check::Test => assert!(text(".ci/run").lines().any(|line| line == format!("{command} --locked"))),
            Check::LongRun => long_run(command),
            Check::Figures => assert_is_a_test(command),
            Check::Fuzz => {
                let target = command.split_once("-s none ").unwrap().1.split(' ').next().unwrap();
                assert!(path(&format!("fuzz/fuzz_targets/{target}.rs")).exists(), "{command}");
            }
            Check::Mutants => {
                let config = text(".cargo/mutants.toml");
                let files: Vec<&str> = config.split('"').filter(|word| word.starts_with("src/")).collect();
                assert!(!files.is_empty() && files.iter().all(|file| path(file).exists()), "{files:?}");
            }
            Check::Script => {
                assert!(text(".ci/run").lines().any(|line| line.trim() == command) && path(command).exists())
            }
            Check::Benchmark => assert!(path("bench/Cargo.toml").exists(), "{command}"),
            Check::NeedsAws => needs_aws(command),
        }
    }
}

fn long_run(command: &str) {
    let variable = command.split('=').next().unwrap();
    assert!(["BROKER_TEST_CASES", "PROPTEST_CASES"].contains(&variable), "{command}");
    assert_is_a_test(command);
}

fn assert_is_a_test(command: &str) {
    let filter = command.split_once("cargo test ").unwrap().1.split(' ').next().unwrap();
    let executable = std::env::current_exe().unwrap();
    let listed = std::process::Command::new(executable).args(["--list", filter]).output().unwrap();
    assert!(written(&listed).0.contains(": test"), "{command}: no such test");
}

fn run(command: &str, shows: &str) {
    let arguments: Vec<&str> = command.split(' ').skip(3).collect();
    let output = broker(&arguments).output().unwrap();
    let (shown, errors) = written(&output);
    assert!(output.status.success(), "{command}: {errors}");
    assert!(shown.contains(shows), "{command}: {shown}");
}

/// Every option that is written down has to be one.
fn serve(command: &str) -> Served {
    let (help, _) = written(&broker(&["serve", "--help"]).output().unwrap());
    for option in command.split(' ').skip(4).filter(|word| word.starts_with("--")) {
        assert!(help.contains(&format!("{option} <")), "{option}: {help}");
    }
    for default in ["8080", "8081", "broker-state.json"] {
        assert!(command.contains(default) && help.contains(&format!("[default: {default}]")), "{default}");
    }
    Served::start(&scratch("readme-state.json"))
}

fn report(command: &str) {
    let (help, _) = written(&broker(&["report", "--help"]).output().unwrap());
    for option in command.split(' ').filter(|word| word.len() > 2 && word.starts_with("--")) {
        assert!(help.contains(option), "{option}: {help}");
    }
    if command.contains("--demo") {
        let output = scratch("readme-report.html");
        let arguments = ["report", "--demo", "--output", output.to_str().unwrap()];
        assert!(written(&broker(&arguments).output().unwrap()).0.contains(" statements on "), "{command}");
        assert!(output.exists());
    }
}

fn grant(command: &str, served: &Served) {
    let target = command.split_once("127.0.0.1:8080").unwrap().1.split(' ').next().unwrap();
    let file = command.split_once("-d @").unwrap().1;
    let (status, reply) = http(&served.api, "POST", target, "", &text(file));
    assert_eq!((status, string(&json(&reply), "outcome")), (201, "granted"));
}

/// What the AWS CLI sends for this command.
fn policy(command: &str, served: &Served) {
    let option = |name: &str| command.split_once(name).unwrap().1.split(' ').nth(1).unwrap();
    let (function, qualifier) = (option("--function-name"), option("--qualifier"));
    let target = format!("/2015-03-31/functions/{function}/policy?Qualifier={qualifier}");
    let (status, reply) = http(&served.control_plane, "GET", &target, SIGNED, "");
    assert_eq!(status, 200, "{reply}");
    assert!(string(&json(&reply), "Policy").contains("partner-invoke"));
}

fn needs_aws(command: &str) {
    for word in command.split([' ', '"']) {
        if let Some(file) = ["@", "file://", "fileb://"].iter().find_map(|start| word.strip_prefix(start)) {
            // `entries.json` is the block below the command, and `allowlist.json` whoever deploys has.
            let shown = file == "entries.json" && text("README.md").contains("where `entries.json` holds");
            let shown = shown || file == "allowlist.json";
            assert!(shown || path(file).exists(), "{command}: {file}");
        }
        for variable in word.split('$').skip(1) {
            let name = variable.split(':').next().unwrap();
            let credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
            let outputs = table("Deploy", "| output | what for |");
            let output = outputs.iter().any(|row| row[0].contains(&format!("`{name}`")));
            assert!(output || credentials.contains(&name), "{command}: {name}");
        }
    }
    assert!(path("template.yaml").exists(), "what `sam` reads");
}
