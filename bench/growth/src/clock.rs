//! Medians of many repetitions, in CPU time: a busy machine takes long work off the CPU more often than short work,
//! and would bend every curve.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::Failure;

/// So long is each thing repeated, and at least so often.
const TIME: Duration = Duration::from_millis(400);
const LEAST: usize = 15;

/// The median time of a piece of work, in microseconds. What `prepare` makes for it is not timed.
pub(crate) fn time<T>(
    mut prepare: impl FnMut() -> Result<T, Failure>,
    mut work: impl FnMut(T) -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let (mut times, begun) = (Vec::new(), Instant::now());
    while times.len() < LEAST || begun.elapsed() < TIME {
        let made = prepare()?;
        let start = cpu()?;
        work(made)?;
        times.push(cpu()? - start);
    }
    Ok(median(times))
}

/// The same for work that waits.
pub(crate) async fn time_async(
    mut prepare: impl FnMut(),
    mut work: impl AsyncFnMut() -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let (mut times, begun) = (Vec::new(), Instant::now());
    while times.len() < LEAST || begun.elapsed() < TIME {
        prepare();
        let start = cpu()?;
        work().await?;
        times.push(cpu()? - start);
    }
    Ok(median(times))
}

/// What this thread has used.
fn cpu() -> Result<Duration, Failure> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}
