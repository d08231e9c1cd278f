//! Links the unwinder into the binary where the linker is GCC's, as `cargo lambda build` does with its own: a library less
//! to load is a twentieth of a start's CPU time. Where it is not to be had like that, it is loaded as it always is.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if let Some(folder) = folder_of("libgcc_eh.a").filter(|_| links_for_itself()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// For Linux with the GNU C library, on the machine itself, and with no other linker than the usual one.
fn links_for_itself() -> bool {
    let given = |name: &str| env::var(name).ok();
    let gnu = given("CARGO_CFG_TARGET_OS").as_deref() == Some("linux")
        && given("CARGO_CFG_TARGET_ENV").as_deref() == Some("gnu");
    gnu && given("TARGET") == given("HOST") && given("RUSTC_LINKER").is_none()
}

/// Where GCC has a library of its own; of one that it has not, it prints no more than the name.
fn folder_of(library: &str) -> Option<PathBuf> {
    let printed = Command::new("cc").arg(format!("-print-file-name={library}")).output().ok()?;
    let path = String::from_utf8(printed.stdout).ok()?;
    Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()).map(Path::to_owned)
}
