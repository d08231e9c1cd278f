//! What a million grants cost: AWS's prices on durations measured here.
//!
//! Below one CPU, work takes as many times longer as the share is smaller; waiting for AWS does not. Init is not
//! throttled, but billed like everything else since August 2025.

use crate::event::{Door, Wish};
use crate::figures::typical;
use crate::lab::Lab;
use crate::program::Program;
use crate::share::MB_OF_ONE_CPU;
use crate::start::{Task, measure};
use crate::{Extent, Failure, markdown};

/// AWS's price lists for us-east-1 as published in November 2026, on demand, without the free tier, in dollars.
mod price {
    /// AWS Lambda pricing: a million requests.
    pub(super) const REQUESTS: f64 = 0.20;
    /// AWS Lambda pricing, first tier: a GB-second.
    pub(super) const GB_SECOND: [(&str, f64); 2] = [("arm64", 0.000_013_333_4), ("x86_64", 0.000_016_666_7)];
    /// Amazon CloudWatch pricing, standard class: a GB of logs taken in.
    pub(super) const GB_OF_LOGS: f64 = 0.50;
    /// Amazon API Gateway pricing, first tier: a million calls of an HTTP API.
    pub(super) const HTTP_API: f64 = 1.00;
}

/// How long AWS takes to answer a call, in milliseconds. An assumption: it was not measured here.
const AWS: f64 = 60.0;

/// What Lambda adds to the init of an empty function, in milliseconds: published measurements of a Rust function that
/// does nothing report 15, of which its own process takes two.
const INIT_OF_LAMBDA: f64 = 13.0;

/// The lines that Lambda writes about each invocation (start, done, report), in bytes.
const PLATFORM_LINES: f64 = 900.0;

const SIZES_MB: [f64; 3] = [128.0, 256.0, 512.0];

/// Measures the broker alone, as the template deploys it, and prints the bill.
pub(crate) fn run(broker: &Program, door: Door, extent: &Extent) -> Result<(), Failure> {
    let lab = Lab::new()?;
    let broker = &broker.as_deployed();
    let (calls, waiting) = (broker.calls, AWS * broker.calls as f64);
    let task = Task { door, wish: Wish::Allowed, events: extent.events };
    let starts = (0..extent.starts).map(|_| measure(broker, &lab, task, None)).collect::<Result<Vec<_>, _>>()?;
    let (init, first, warm) =
        (typical(&starts, |it| it.init), typical(&starts, |it| it.first_cpu), typical(&starts, |it| it.warm_cpu));
    let lines = typical(&starts, |it| it.output) + PLATFORM_LINES;
    let logs = lines * 1e6 / 1e9 * price::GB_OF_LOGS;
    let fixed = price::REQUESTS + price::HTTP_API + logs;

    println!("Per million grants: requests ${:.2}, HTTP API ${:.2},", price::REQUESTS, price::HTTP_API);
    println!("logs {lines:.0} bytes × 10⁶ × ${:.2} a GB = ${logs:.2}: together ${fixed:.2}.", price::GB_OF_LOGS);
    println!(
        "The time is billed in whole milliseconds: warm, CPU {warm:.2} ms × {MB_OF_ONE_CPU} / MB + {calls} × {AWS} ms of AWS;"
    );
    println!(
        "cold, {INIT_OF_LAMBDA} ms of Lambda + init {init:.1} ms + CPU {first:.2} ms × {MB_OF_ONE_CPU} / MB + {calls} × {AWS} ms."
    );
    println!();
    for (architecture, gb_second) in price::GB_SECOND {
        let header = [
            &format!("memory, {architecture}"),
            "warm, ms",
            "time, warm",
            "all, warm",
            "cold, ms",
            "time, cold",
            "all, cold",
        ];
        let row = |mb: f64| {
            let slower = (MB_OF_ONE_CPU / mb).max(1.0);
            let of = |milliseconds: f64| {
                let billed = milliseconds.ceil();
                let time = billed / 1e3 * mb / 1024.0 * gb_second * 1e6;
                [format!("{billed}"), format!("${time:.2}"), format!("${:.2}", time + fixed)]
            };
            let cells = [of(warm * slower + waiting), of(INIT_OF_LAMBDA + init + first * slower + waiting)];
            [format!("{mb} MB")].into_iter().chain(cells.into_iter().flatten()).collect()
        };
        markdown::print(&header, &SIZES_MB.map(row));
    }
    Ok(())
}
