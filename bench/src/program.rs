//! The programs that are compared, each built here with cargo as it would be deployed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::event::allowlist;

/// A file or folder of the benchmark's own.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One of the programs.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The command that starts it.
    pub(crate) command: Vec<OsString>,
    /// Variables beyond those that every function has.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// What is deployed, where that is one file.
    pub(crate) binary: Option<PathBuf>,
    /// Whether it has the public certificate authorities built in.
    pub(crate) has_authorities: bool,
    /// Calls to AWS for each event that is allowed.
    pub(crate) calls: usize,
    /// Audit lines for each event that is allowed.
    pub(crate) audit_lines: usize,
}

/// The broker as it is deployed, or another binary in its place.
pub(crate) fn broker(given: Option<&Path>) -> Result<Program, Failure> {
    let binary = match given {
        Some(file) => file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?,
        None => {
            let options = ["--no-default-features", "--bin", "permission-broker"];
            build(&here("../Cargo.toml"), "broker", &options)?.join("permission-broker")
        }
    };
    let environment = vec![("BROKER_ALLOWLIST", allowlist()), ("BROKER_SOURCES", "direct,api-gateway".to_owned())];
    Ok(Program { environment, has_authorities: true, calls: 1, audit_lines: 2, ..of("broker", binary) })
}

/// A Lambda function that does nothing.
pub(crate) fn floor() -> Result<Program, Failure> {
    Ok(of("floor", build(&here("rivals/floor/Cargo.toml"), "floor", &[])?.join("floor")))
}

/// What is written first, with every default.
pub(crate) fn naive() -> Result<Program, Failure> {
    let binary = build(&here("rivals/naive/Cargo.toml"), "naive", &[])?.join("naive");
    Ok(Program { calls: 1, ..of("naive", binary) })
}

fn of(name: &'static str, binary: PathBuf) -> Program {
    Program {
        name,
        command: vec![binary.clone().into()],
        environment: Vec::new(),
        binary: Some(binary),
        has_authorities: false,
        calls: 0,
        audit_lines: 0,
    }
}

/// Builds one package, and gives the folder of its binaries.
fn build(manifest: &Path, name: &str, options: &[&str]) -> Result<PathBuf, Failure> {
    let target = here("target").join(name);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&target).args(options).stdin(Stdio::null());
    if !cargo.status()?.success() {
        return Err(format!("{name} could not be built").into());
    }
    Ok(target.join("release"))
}
