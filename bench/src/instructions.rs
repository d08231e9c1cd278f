//! What the broker executes, counted by valgrind: the same on a busy machine, so that a commit which makes the broker
//! slower is noticed by CI. The counts are recorded in a file; whoever changes them on purpose records them again.

use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::callgrind::total;
use crate::count::COUNTS;
use crate::event::Door;
use crate::figures::shown;
use crate::lab::Lab;
use crate::program::{Program, here};
use crate::{Failure, markdown};

/// By how much a count may differ from its record: the compiler, the C library and the processor have a say, too.
const MOST: f64 = 0.15;

/// Counts, and compares with the record or replaces it.
pub(crate) fn run(broker: &Program, door: Door, record: bool) -> Result<(), Failure> {
    let lab = Lab::new()?;
    let counts = COUNTS.iter().map(|count| Ok((count.what, count.run(broker, &lab, door, total)?.each(|it| *it))));
    let counts = counts.collect::<Result<Vec<(&str, f64)>, Failure>>()?;
    let file = here("instructions.json");
    if record {
        let members = counts.iter().map(|(what, count)| ((*what).to_owned(), json!(count.round() as u64)));
        let mut document = Value::Object(members.collect::<Map<String, Value>>());
        document["counted with"] = format!("{}, {}", version("rustc")?, version("valgrind")?).into();
        std::fs::write(&file, format!("{document:#}\n"))?;
        print(&counts, &document);
        return Ok(());
    }
    let recorded: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    print(&counts, &recorded);
    judge(&counts, &recorded)
}

fn print(counts: &[(&str, f64)], recorded: &Value) {
    let row = |(what, count): &(&str, f64)| {
        let before = recorded[what].as_f64().unwrap_or(f64::NAN);
        vec![(*what).to_owned(), shown(*count), shown(before), format!("{:+.1} %", (count / before - 1.0) * 100.0)]
    };
    markdown::print(&["instructions", "now", "recorded", "change"], &counts.iter().map(row).collect::<Vec<_>>());
}

/// More is an error; less is worth a new record, so that it stays won.
fn judge(counts: &[(&str, f64)], recorded: &Value) -> Result<(), Failure> {
    let again = "cargo run --release --manifest-path bench/Cargo.toml -- instructions --record";
    let change = |&(what, count)| Some((what, count / recorded[what].as_f64()? - 1.0));
    let changes: Option<Vec<(&str, f64)>> = counts.iter().map(change).collect();
    let changes = changes.ok_or("bench/instructions.json lacks a count")?;
    let of = |changed: fn(f64) -> bool| -> String {
        let names = changes.iter().filter(|(_, change)| changed(*change)).map(|(what, _)| *what);
        names.collect::<Vec<_>>().join(", ")
    };
    let (less, more) = (of(|change| change < -MOST), of(|change| change > MOST));
    if !less.is_empty() {
        eprintln!("bench: more than 15 % fewer instructions: {less}. Keep it: {again}");
    }
    if more.is_empty() {
        return Ok(());
    }
    let with = recorded["counted with"].as_str().unwrap_or_default();
    let now = format!("{}, {}", version("rustc")?, version("valgrind")?);
    Err(format!("more than 15 % more instructions: {more} (recorded with {with}; now {now}). If it is meant: {again}")
        .into())
}

/// The first line that a tool says about itself.
fn version(tool: &str) -> Result<String, Failure> {
    let output = Command::new(tool).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{tool}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
