//! A control plane that answers late, in drips or never: what the caller is told, and after which time.

use std::time::Duration;

use crate::control_plane::{Manner, Seen};
use crate::event::{Door, Wish, event};
use crate::figures::shown;
use crate::lab::Lab;
use crate::program::Program;
use crate::sandbox::Sandbox;
use crate::start::ms;
use crate::{Failure, markdown};

/// What the control plane does, and to how many calls of the process.
const CASES: [(&str, Manner, usize); 7] = [
    ("answers at once", Manner::Prompt, 0),
    ("answers after 500 ms", Manner::After(Duration::from_millis(500)), usize::MAX),
    ("answers after 1.9 s", Manner::After(Duration::from_millis(1900)), usize::MAX),
    ("does the first call and never answers it", Manner::Never, 1),
    ("answers the first call a byte every 200 ms", Manner::Drip, 1),
    ("does every call and never answers", Manner::Never, usize::MAX),
    ("answers every call a byte every 200 ms", Manner::Drip, usize::MAX),
];

/// Plays each case in a process of its own, and prints what its caller sees.
pub(crate) fn run(broker: &Program, door: Door) -> Result<(), Failure> {
    let lab = Lab::new()?;
    let header = ["the control plane", "the caller sees", "after, ms", "writes", "reads", "statements"];
    let mut rows = Vec::new();
    for (case, manner, calls) in CASES {
        lab.control_plane.reset();
        lab.control_plane.behave(manner, calls);
        let sandbox = Sandbox::start(broker, &lab, &[])?;
        let reply = sandbox.invoke(broker, event(door, Wish::Allowed, 0))?;
        sandbox.stop()?;
        let (writes, reads, statements) = lab.control_plane.seen(counts);
        if statements != 1 {
            return Err(format!("{case}: {statements} statements").into());
        }
        let seen = reply.outcome().ok_or_else(|| format!("{case}: {}", reply.body))?;
        let row = [case.to_owned(), format!("`{seen}`"), shown(ms(reply.took))];
        rows.push(row.into_iter().chain([writes, reads, statements].map(|count| count.to_string())).collect());
    }
    markdown::print(&header, &rows);
    Ok(())
}

fn counts(seen: &Seen) -> (usize, usize, usize) {
    let of = |kind| seen.calls.iter().filter(|call| **call == kind).count();
    (of("add"), of("read"), seen.statements.len())
}
