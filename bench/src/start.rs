//! One start of one program, from its process to its last event, in figures.

use std::time::Duration;

use crate::Failure;
use crate::event::{Door, Wish, event};
use crate::figures::median;
use crate::lab::Lab;
use crate::process::peak_memory;
use crate::program::Program;
use crate::sandbox::{Reply, Sandbox};
use crate::share::Share;

/// What is asked of a program.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub(crate) door: Door,
    pub(crate) wish: Wish,
    pub(crate) events: usize,
}

/// What one start came to. Times are in milliseconds, memory in bytes.
pub(crate) struct Start {
    /// Until the process asks for its first event.
    pub(crate) init: f64,
    pub(crate) init_cpu: f64,
    /// The first event.
    pub(crate) first: f64,
    pub(crate) first_cpu: f64,
    /// An event after it: the median, and the mean of the CPU time.
    pub(crate) warm: f64,
    pub(crate) warm_cpu: f64,
    pub(crate) peak_memory: f64,
    pub(crate) calls_in_init: f64,
    pub(crate) connections: f64,
    /// What it wrote for each event, in bytes.
    pub(crate) output: f64,
}

impl Start {
    /// What whoever asks first waits for.
    pub(crate) fn cold(&self) -> f64 {
        self.init + self.first
    }

    pub(crate) fn cold_cpu(&self) -> f64 {
        self.init_cpu + self.first_cpu
    }
}

/// Starts a program and gives it its events; from the first event on it has only a share, if there is one.
pub(crate) fn measure(program: &Program, lab: &Lab, task: Task, share: Option<&Share>) -> Result<Start, Failure> {
    lab.control_plane.reset();
    let sandbox = Sandbox::start(program, lab, &[])?;
    let init_cpu = sandbox.cpu()?;
    let calls_in_init = lab.control_plane.seen(|seen| seen.calls.len());
    share.map_or(Ok(()), |share| share.limit(sandbox.pid()))?;
    let ask = |number| -> Result<Duration, Failure> {
        let reply = sandbox.invoke(program, event(task.door, task.wish, number))?;
        check(program, task.wish, &reply)?;
        Ok(reply.took)
    };
    let first = ask(0)?;
    let cold_cpu = sandbox.cpu()?;
    let warm = (1..task.events).map(ask).collect::<Result<Vec<Duration>, Failure>>()?;
    let warm_cpu = sandbox.cpu()? - cold_cpu;
    let peak_memory = peak_memory(sandbox.pid())?;
    let init = sandbox.init;
    let lines = sandbox.stop()?;
    count(program, lab, task, &lines)?;
    Ok(Start {
        init: ms(init),
        init_cpu: ms(init_cpu),
        first: ms(first),
        first_cpu: ms(cold_cpu - init_cpu),
        warm: median(warm.iter().copied().map(ms)),
        warm_cpu: ms(warm_cpu) / warm.len().max(1) as f64,
        peak_memory,
        calls_in_init: calls_in_init as f64,
        connections: lab.control_plane.seen(|seen| seen.connections) as f64,
        output: lines.iter().map(|line| line.len() + 1).sum::<usize>() as f64 / task.events as f64,
    })
}

/// A program that does not do its work is not measured.
fn check(program: &Program, wish: Wish, reply: &Reply) -> Result<(), Failure> {
    let wanted = match wish {
        _ if program.calls == 0 => "",
        Wish::Allowed => "granted",
        Wish::Denied => "denied",
    };
    let done = reply.succeeded && reply.body.contains(wanted);
    if done { Ok(()) } else { Err(format!("{} answers {}", program.name, reply.body).into()) }
}

/// As many calls, statements and audit lines as the events make.
fn count(program: &Program, lab: &Lab, task: Task, lines: &[String]) -> Result<(), Failure> {
    let audit = lines.iter().filter(|line| line.contains(r#""type":"audit""#)).count();
    let (calls, statements) = lab.control_plane.seen(|seen| (seen.calls.len(), seen.statements.len()));
    let wanted = match task.wish {
        // One of the calls is the write.
        Wish::Allowed => (program.calls, program.calls.min(1), program.audit_lines),
        // One line says why not.
        Wish::Denied => (0, 0, program.audit_lines.min(1)),
    };
    if (calls, statements, audit) == (wanted.0 * task.events, wanted.1 * task.events, wanted.2 * task.events) {
        return Ok(());
    }
    let what = format!("{calls} calls, {statements} statements and {audit} audit lines for {} events", task.events);
    Err(format!("{}: {what}", program.name).into())
}

/// A time in milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
