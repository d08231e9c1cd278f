//! Medians of many repetitions.

use std::time::{Duration, Instant};

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
        let start = Instant::now();
        work(made)?;
        times.push(start.elapsed());
    }
    Ok(median(times))
}

/// The same for work that waits.
pub(crate) async fn time_async(mut work: impl AsyncFnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let (mut times, begun) = (Vec::new(), Instant::now());
    while times.len() < LEAST || begun.elapsed() < TIME {
        let start = Instant::now();
        work().await?;
        times.push(start.elapsed());
    }
    Ok(median(times))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}
