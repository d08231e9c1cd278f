//! A connection that is lost between two invocations, as after a freeze: every grant must still be granted, once.

use std::time::Duration;

use crate::control_plane::{Manner, Seen};
use crate::event::{Door, Wish, event};
use crate::figures::{median, shown};
use crate::lab::Lab;
use crate::program::Program;
use crate::sandbox::Sandbox;
use crate::start::ms;
use crate::{Extent, Failure, markdown};

/// So long the function is idle between two events; time enough for a closed connection to be seen closed.
const IDLE: Duration = Duration::from_millis(20);

/// What happens to a connection, how it is done, and to how many events at most: some take seconds.
const FATES: [(&str, Manner, usize); 3] = [
    ("is kept", Manner::Prompt, usize::MAX),
    ("is closed by the other side", Manner::ThenClose, usize::MAX),
    ("is dead, and nobody says so", Manner::Lost, 3),
];

/// Plays each fate, and prints what became of the grants.
pub(crate) fn run(broker: &Program, door: Door, extent: &Extent) -> Result<(), Failure> {
    let lab = Lab::new()?;
    let header = [
        "the connection between two events",
        "granted",
        "calls",
        "connections",
        "statements",
        "warm grant, ms",
        "added, ms",
    ];
    let (mut rows, mut kept) = (Vec::new(), 0.0);
    for (fate, manner, most) in FATES {
        let grants = extent.events.min(most);
        let typical = median(play(broker, &lab, door, manner, grants)?);
        if manner == Manner::Prompt {
            kept = typical;
        }
        let (calls, connections, statements) = lab.control_plane.seen(counts);
        if statements != grants + 1 {
            return Err(format!("{statements} statements for {} grants", grants + 1).into());
        }
        let counts = [grants + 1, calls, connections, statements].map(|count| count.to_string());
        let row = [fate.to_owned()].into_iter().chain(counts);
        rows.push(row.chain([shown(typical), shown(typical - kept)]).collect());
    }
    markdown::print(&header, &rows);
    Ok(())
}

/// One grant, and then so many more, each after the connection has met its fate; their times.
fn play(broker: &Program, lab: &Lab, door: Door, manner: Manner, grants: usize) -> Result<Vec<f64>, Failure> {
    lab.control_plane.reset();
    let sandbox = Sandbox::start(broker, lab, &[])?;
    let mut times = Vec::new();
    for number in 0..=grants {
        // A lost connection is lost from the second event on; the others are told with each answer.
        if number > 0 || manner != Manner::Lost {
            lab.control_plane.behave(manner, 1);
        }
        let reply = sandbox.invoke(broker, event(door, Wish::Allowed, number))?;
        if reply.outcome().as_deref() != Some("granted") {
            return Err(format!("grant {number} ends as {}", reply.body).into());
        }
        if number > 0 {
            times.push(ms(reply.took));
        }
        std::thread::sleep(IDLE);
    }
    sandbox.stop()?;
    Ok(times)
}

fn counts(seen: &Seen) -> (usize, usize, usize) {
    (seen.calls.len(), seen.connections, seen.statements.len())
}
