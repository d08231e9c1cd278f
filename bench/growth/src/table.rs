//! The series as a table, with the exponent of each: 0 is flat, 1 is linear.

use crate::series::{Batch, Series};

/// Prints the table as the README has it.
pub(crate) fn print(all: &[Series]) {
    println!("| what grows | from | to | time at first | time at last | exponent |");
    println!("|---|---|---|---|---|---|");
    for Series { what, points } in all {
        if let (Some((from, first)), Some((to, last))) = (points.first(), points.last()) {
            let (from, to) = (thousands(*from), thousands(*to));
            println!("| {what} | {from} | {to} | {} | {} | {:.2} |", shown(*first), shown(*last), exponent(points));
        }
    }
}

/// Prints what a batch is worth, in words.
pub(crate) fn print_batch(batch: &Batch) {
    let (ten, one) = (shown(batch.ten_events), shown(batch.one_event));
    let share = batch.one_event / batch.ten_events;
    println!();
    println!("Ten messages of the queue, each granted and read back: as ten events {ten},");
    println!("as one event {one}, which is {share:.2} of it. That is CPU time of the library: what Lambda");
    println!("itself does for an invocation, ten times or once, is not in it, nor are the waits for AWS");
    println!("and the pauses before reading back, which are the same either way.");
}

/// The slope of the line through the logarithms, by least squares.
fn exponent(points: &[(usize, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(size, time)| ((*size as f64).ln(), time.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / logs.len() as f64;
    let (x, y) = (mean(|log| log.0), mean(|log| log.1));
    let covariance: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    let variance: f64 = logs.iter().map(|log| (log.0 - x).powi(2)).sum();
    covariance / variance
}

fn shown(microseconds: f64) -> String {
    match microseconds {
        time if time < 100.0 => format!("{time:.2} µs"),
        time if time < 1e4 => format!("{time:.0} µs"),
        time => format!("{:.1} ms", time / 1e3),
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}
