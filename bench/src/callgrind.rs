//! The broker under valgrind's callgrind, which counts what each function executes, and the file that it writes.

use std::ffi::OsString;

use crate::Failure;
use crate::event::{Door, Wish, event};
use crate::lab::Lab;
use crate::program::{Program, here};
use crate::sandbox::Sandbox;

/// What callgrind writes about a process that answers so many events.
pub(crate) fn run(broker: &Program, lab: &Lab, door: Door, wish: Wish, events: usize) -> Result<String, Failure> {
    let out = here("target/callgrind.out");
    let mut to = OsString::from("--callgrind-out-file=");
    to.push(&out);
    let valgrind = ["valgrind".into(), "--quiet".into(), "--tool=callgrind".into(), to];
    lab.control_plane.reset();
    let sandbox = Sandbox::start(broker, lab, &valgrind)?;
    for number in 0..events {
        let reply = sandbox.invoke(broker, event(door, wish, number))?;
        let wanted = if wish == Wish::Allowed { "granted" } else { "denied" };
        if reply.outcome().as_deref() != Some(wanted) {
            return Err(format!("event {number} is not {wanted}: {}", reply.body).into());
        }
    }
    sandbox.stop()?;
    Ok(std::fs::read_to_string(&out)?)
}

/// The instructions of the whole process.
pub(crate) fn total(file: &str) -> Result<f64, Failure> {
    let total = file.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("callgrind gives no total")?;
    Ok(total.trim().parse()?)
}
