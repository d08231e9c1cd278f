//! What a million grants cost: AWS's prices on durations measured here.
//!
//! Below one CPU, work takes as many times longer as the share is smaller; waiting for AWS does not. Init is not
//! throttled, but billed like everything else since August 2025.

use crate::event::{Door, Wish};
use crate::figures::typical;
use crate::lab::Lab;
use crate::program::Program;
use crate::share::MB_OF_ONE_CPU;
use crate::start::{Start, Task, measure};
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

/// The lines that Lambda writes about each invocation (start, done, report), in bytes. An assumption too.
const PLATFORM_LINES: f64 = 900.0;

const SIZES_MB: [f64; 3] = [128.0, 256.0, 512.0];

/// What is measured of the broker. Times are in milliseconds.
struct Measured {
    calls: usize,
    init: f64,
    first_cpu: f64,
    warm_cpu: f64,
    /// What it writes for a grant, in bytes.
    output: f64,
}

impl Measured {
    fn of(calls: usize, starts: &[Start]) -> Self {
        Self {
            calls,
            init: typical(starts, |it| it.init),
            first_cpu: typical(starts, |it| it.first_cpu),
            warm_cpu: typical(starts, |it| it.warm_cpu),
            output: typical(starts, |it| it.output),
        }
    }

    /// How long a warm and a cold grant take with so much memory.
    fn durations(&self, mb: f64) -> [f64; 2] {
        let slower = (MB_OF_ONE_CPU / mb).max(1.0);
        let waiting = AWS * self.calls as f64;
        [self.warm_cpu * slower + waiting, INIT_OF_LAMBDA + self.init + self.first_cpu * slower + waiting]
    }

    /// The logs of a million grants, in dollars.
    fn logs(&self) -> f64 {
        (self.output + PLATFORM_LINES) * 1e6 / 1e9 * price::GB_OF_LOGS
    }

    /// What a million grants cost besides their time.
    fn fixed(&self) -> f64 {
        price::REQUESTS + price::HTTP_API + self.logs()
    }
}

/// Measures the broker alone, as the template deploys it, and prints the bill.
pub(crate) fn run(broker: &Program, door: Door, extent: &Extent) -> Result<(), Failure> {
    let lab = Lab::new()?;
    let broker = &broker.as_deployed();
    let task = Task { door, wish: Wish::Allowed, events: extent.events };
    let starts = (0..extent.starts).map(|_| measure(broker, &lab, task, None)).collect::<Result<Vec<_>, _>>()?;
    let measured = Measured::of(broker.calls, &starts);
    explain(&measured);
    for (architecture, gb_second) in price::GB_SECOND {
        bill(&measured, architecture, gb_second);
    }
    Ok(())
}

/// Prints how the tables come about.
fn explain(measured: &Measured) {
    let Measured { calls, init, first_cpu, warm_cpu, output } = measured;
    let (log_price, logs) = (price::GB_OF_LOGS, measured.logs());
    let prices = price::GB_SECOND.map(|(architecture, dollars)| format!("${dollars:.10} on {architecture}"));
    println!("Per million grants: requests ${:.2}, HTTP API ${:.2},", price::REQUESTS, price::HTTP_API);
    println!("logs ({output:.0} + {PLATFORM_LINES}) bytes × 10⁶ × ${log_price:.2} a GB = ${logs:.2}:");
    println!("together ${:.2}. Their time: ms / 1000 × MB / 1024 × 10⁶ × the price of a GB-second,", measured.fixed());
    println!("which is {}. It is billed in whole milliseconds:", prices.join(" and "));
    println!("warm, CPU {warm_cpu:.2} ms × {MB_OF_ONE_CPU} / MB + {calls} × {AWS} ms of AWS;");
    println!("cold, {INIT_OF_LAMBDA} ms of Lambda + init {init:.1} ms");
    println!("+ CPU {first_cpu:.2} ms × {MB_OF_ONE_CPU} / MB + {calls} × {AWS} ms of AWS.");
    println!();
    confess(measured);
}

/// Prints which of those figures were not measured here.
fn confess(measured: &Measured) {
    let (output, here) = (measured.output, std::env::consts::ARCH);
    println!("Measured are the {output:.0} bytes that the broker logs, its init and its CPU time,");
    println!("on {here}, and taken for both architectures. Assumed, not measured, are");
    println!("{AWS} ms for each call to AWS, {PLATFORM_LINES} bytes of Lambda's own lines, and");
    println!("{INIT_OF_LAMBDA} ms of Lambda's own init, which others have published.");
    println!();
}

/// Prints the table of one architecture.
fn bill(measured: &Measured, architecture: &str, gb_second: f64) {
    let memory = format!("memory, {architecture}");
    let header = [&memory, "warm, ms", "time, warm", "all, warm", "cold, ms", "time, cold", "all, cold"];
    let row = |mb: f64| {
        let cells = measured.durations(mb).map(|milliseconds| {
            let billed = milliseconds.ceil();
            let time = billed / 1e3 * mb / 1024.0 * gb_second * 1e6;
            [format!("{billed}"), format!("${time:.2}"), format!("${:.2}", time + measured.fixed())]
        });
        [format!("{mb} MB")].into_iter().chain(cells.into_iter().flatten()).collect()
    };
    markdown::print(&header, &SIZES_MB.map(row));
}
