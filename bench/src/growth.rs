//! How the broker's work grows with its input is measured inside the library, by a program of its own: the others
//! need nothing of the broker but its binary, and so compile in no time.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::program::{here, without_package};

/// Builds that program with the profile that the broker is deployed with, and runs it.
pub(crate) fn run() -> Result<(), Failure> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--profile", "deployed", "--locked", "--package", "growth", "--manifest-path"]);
    cargo.arg(here("Cargo.toml")).stdin(Stdio::null());
    without_package(&mut cargo);
    if cargo.status()?.success() { Ok(()) } else { Err("growth could not be measured".into()) }
}
