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
    /// Calls to AWS for each event that is allowed.
    pub(crate) calls: usize,
    /// Audit lines for each event that is allowed.
    pub(crate) audit_lines: usize,
}

/// What the template switches on unless it is told otherwise: the policy is read before it is written, and the outcomes
/// carry metrics.
const SWITCHES: [(&str, &str); 2] = [("BROKER_POLICY_BUDGET", "on"), ("BROKER_METRICS", "on")];

impl Program {
    /// The broker with the template's switches: a read of the policy and a write for each grant.
    pub(crate) fn as_deployed(&self) -> Self {
        let mut environment = self.environment.clone();
        environment.extend(SWITCHES.map(|(name, value)| (name, value.to_owned())));
        Self { environment, calls: 2, ..self.clone() }
    }
}

/// Which binaries are measured.
#[derive(clap::Args)]
pub(crate) struct Binaries {
    /// Measure this binary as the broker, instead of building it.
    #[arg(long, global = true, value_name = "FILE")]
    broker: Option<PathBuf>,
    /// Measure what was built before.
    #[arg(long, global = true)]
    no_build: bool,
}

impl Binaries {
    /// The broker as it is deployed, or another binary in its place.
    pub(crate) fn broker(&self) -> Result<Program, Failure> {
        self.broker_with("broker", &[])
    }

    /// The same broker with the names of its functions, which say the types that a generic function was compiled for as
    /// well. It is built in a folder of its own, so that it never takes the place of what is measured.
    pub(crate) fn broker_with_names(&self) -> Result<Program, Failure> {
        self.broker_with(
            "profile",
            &[("CARGO_PROFILE_RELEASE_STRIP", "none"), ("RUSTFLAGS", "-C symbol-mangling-version=v0")],
        )
    }

    fn broker_with(&self, folder: &str, variables: &[(&str, &str)]) -> Result<Program, Failure> {
        let binary = match &self.broker {
            Some(file) => file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?,
            None => {
                let options = ["--no-default-features", "--bin", "permission-broker"];
                self.build(&here("../Cargo.toml"), folder, &options, variables)?.join("permission-broker")
            }
        };
        let environment = vec![("BROKER_ALLOWLIST", allowlist()), ("BROKER_SOURCES", "direct,api-gateway".to_owned())];
        Ok(Program { environment, calls: 1, audit_lines: 2, ..of("broker", binary) })
    }

    /// A Lambda function that does nothing.
    pub(crate) fn floor(&self) -> Result<Program, Failure> {
        Ok(of("floor", self.build(&here("rivals/floor/Cargo.toml"), "floor", &[], &[])?.join("floor")))
    }

    /// What is written first, with every default.
    pub(crate) fn naive(&self) -> Result<Program, Failure> {
        let binary = self.build(&here("rivals/naive/Cargo.toml"), "naive", &[], &[])?.join("naive");
        Ok(Program { calls: 1, ..of("naive", binary) })
    }

    /// Builds one package, and gives the folder of its binaries.
    fn build(
        &self,
        manifest: &Path,
        name: &str,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<PathBuf, Failure> {
        let target = here("target").join(name);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
        cargo.arg("--target-dir").arg(&target).args(options).envs(variables.iter().copied()).stdin(Stdio::null());
        without_package(&mut cargo);
        if !self.no_build && !cargo.status()?.success() {
            return Err(format!("{name} could not be built").into());
        }
        Ok(target.join("release"))
    }
}

fn of(name: &'static str, binary: PathBuf) -> Program {
    Program {
        name,
        command: vec![binary.clone().into()],
        environment: Vec::new(),
        binary: Some(binary),
        calls: 0,
        audit_lines: 0,
    }
}

/// Takes away what cargo tells the packages that it runs. Build scripts look at it, and everything would be built anew
/// each time that this program is started in another way.
pub(crate) fn without_package(cargo: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name.to_string_lossy().starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
}
