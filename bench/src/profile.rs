//! Where the broker's instructions go, and its size: which part of it stands in the way of a goal.
//!
//! Valgrind plays a processor without instructions for SHA-256 and for the long sums of key exchanges: digests and TLS
//! weigh more here than on Lambda.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::count::{COUNTS, Taken};
use crate::event::Door;
use crate::figures::shown;
use crate::lab::Lab;
use crate::parts::{PARTS, part, path};
use crate::program::Program;
use crate::{Failure, callgrind, markdown};

/// Functions that are shown with everything that they call, which may be of other parts, and one within another.
const WHOLE: [(&str, &str); 9] = [
    ("TLS: signatures checked", "webpki::signed_data::verify_signature"),
    ("TLS: a key made for the exchange", "ring::ec::suite_b::curve::p256_public_from_private"),
    ("TLS: the exchange", "ring::ec::suite_b::ecdh::p256_ecdh"),
    (
        "AWS's SDK: its table of partitions",
        "<aws_sdk_lambda::endpoint_lib::partition::PartitionResolver>::new_from_json",
    ),
    ("AWS's SDK: calls, signing included", "permission_broker::policy::call::within::{closure#0}"),
    ("AWS's SDK: signing", "aws_smithy_runtime::client::orchestrator::auth::sign_request"),
    ("the event's envelope and request taken apart", "permission_broker::event::open"),
    ("how full the policy is, and advice on it", "<permission_broker::policy::fill::Fill>::of"),
    ("the handler: all but Lambda's runtime", "<permission_broker::broker::Broker>::handle_under::{closure#0}"),
];

/// The smallest section that is shown by itself, in bytes.
const SMALL: f64 = 20e3;

/// The instructions of a process.
struct Figures {
    total: f64,
    parts: BTreeMap<&'static str, f64>,
    /// Not a number for a function that was never called.
    whole: [f64; WHOLE.len()],
}

/// Counts, and prints the tables.
pub(crate) fn run(broker: &Program, door: Door) -> Result<(), Failure> {
    let code = Code::of(broker.binary.as_deref().ok_or("the broker is not one file")?)?;
    let lab = Lab::new()?;
    let taken = COUNTS.iter().map(|count| count.run(broker, &lab, door, figures));
    let taken = taken.collect::<Result<Vec<Taken<Figures>>, Failure>>()?;
    print_parts(&taken, &code);
    print_whole(&taken);
    print_sections(&code);
    Ok(())
}

fn figures(file: &str) -> Result<Figures, Failure> {
    let mut figures =
        Figures { total: callgrind::total(file)?, parts: BTreeMap::new(), whole: [f64::NAN; WHOLE.len()] };
    for (function, cost) in callgrind::functions(file)? {
        *figures.parts.entry(part(function.object, function.name)).or_default() += cost.own;
        let path = path(function.name);
        if let Some(at) = WHOLE.iter().position(|(_, name)| *name == path) {
            figures.whole[at] = figures.whole[at].max(0.0) + cost.own + cost.called;
        }
    }
    Ok(figures)
}

fn print_parts(taken: &[Taken<Figures>], code: &Code) {
    let of = |what: &str, figure: &dyn Fn(&Figures) -> f64, size: f64| {
        let mut row = row(what, taken, figure);
        row.push(shown((size / 1e3).round()));
        row
    };
    let in_part = |part: &&str| {
        let size = code.parts.get(part).copied().unwrap_or_default();
        of(part, &|it: &Figures| it.parts.get(part).copied().unwrap_or_default(), size)
    };
    let mut rows: Vec<Vec<String>> = PARTS.iter().map(in_part).collect();
    rows.push(of("all", &|it| it.total, code.total));
    let header = header("thousand instructions").chain(["code, kB"]).collect::<Vec<_>>();
    markdown::print(&header, &rows);
}

fn print_whole(taken: &[Taken<Figures>]) {
    let rows = WHOLE.iter().enumerate().map(|(at, (what, _))| row(what, taken, &|it| it.whole[at]));
    let header = header("thousand instructions, with all that is called").collect::<Vec<_>>();
    markdown::print(&header, &rows.collect::<Vec<_>>());
}

fn print_sections(code: &Code) {
    let (large, small): (Vec<_>, Vec<_>) = code.sections.iter().partition(|(_, size)| *size >= SMALL);
    let sum = |of: &[&(String, f64)]| of.iter().map(|(_, size)| size).sum::<f64>();
    let row = |what: &str, size: f64| vec![what.to_owned(), shown((size / 1e3).round())];
    let mut rows: Vec<Vec<String>> = large.iter().map(|(name, size)| row(&format!("`{name}`"), *size)).collect();
    rows.extend([row("smaller ones", sum(&small)), row("all", sum(&large) + sum(&small))]);
    markdown::print(&["section", "kB"], &rows);
}

fn header(of: &'static str) -> impl Iterator<Item = &'static str> {
    [of].into_iter().chain(COUNTS.iter().map(|count| count.what))
}

/// A figure of one event in each count; what is added makes a nothing below zero a plain one.
fn row(what: &str, taken: &[Taken<Figures>], figure: &dyn Fn(&Figures) -> f64) -> Vec<String> {
    let cells = taken.iter().map(|taken| shown((taken.each(figure) / 1e3).round() + 0.0));
    [what.to_owned()].into_iter().chain(cells).collect()
}
