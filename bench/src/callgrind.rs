//! The broker under valgrind's callgrind, which counts what each function executes, and the file that it writes.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;

use crate::Failure;
use crate::event::{Door, Wish, event};
use crate::lab::Lab;
use crate::program::{Program, here};
use crate::sandbox::Sandbox;

/// A function, and the file that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function<'a> {
    pub(crate) object: &'a str,
    pub(crate) name: &'a str,
}

/// The instructions of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) own: f64,
    /// Those of everything that it called.
    pub(crate) called: f64,
}

/// What callgrind writes about a process that answers so many events.
pub(crate) fn run(broker: &Program, lab: &Lab, door: Door, wish: Wish, events: usize) -> Result<String, Failure> {
    let out = here("target/callgrind.out");
    let mut to = OsString::from("--callgrind-out-file=");
    to.push(&out);
    let valgrind = ["valgrind".into(), "--quiet".into(), "--tool=callgrind".into(), "--demangle=no".into(), to];
    lab.control_plane.reset();
    let sandbox = Sandbox::start(broker, lab, &valgrind)?;
    for number in 0..events {
        let reply = sandbox.invoke(broker, event(door, wish, number))?;
        let wanted = if wish == Wish::Allowed { "granted" } else { "denied" };
        if reply.outcome().as_deref() != Some(wanted) {
            return Err(format!("event {number} is not {wanted}: {}", reply.body).into());
        }
    }
    sandbox.stop()?;
    Ok(std::fs::read_to_string(&out)?)
}

/// The instructions of the whole process.
pub(crate) fn total(file: &str) -> Result<f64, Failure> {
    let total = file.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("callgrind gives no total")?;
    Ok(total.trim().parse()?)
}

/// The instructions of each function.
pub(crate) fn functions(file: &str) -> Result<BTreeMap<Function<'_>, Cost>, Failure> {
    let mut reader = Reader::default();
    file.lines().try_for_each(|line| reader.read(line))?;
    Ok(reader.costs)
}

/// Where in the file we are.
#[derive(Default)]
struct Reader<'a> {
    objects: Names<'a>,
    names: Names<'a>,
    object: &'a str,
    name: &'a str,
    /// The next cost is that of a call.
    call: bool,
    costs: BTreeMap<Function<'a>, Cost>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, line: &'a str) -> Result<(), Failure> {
        match line.split_once('=') {
            Some(("ob", text)) => self.object = self.objects.of(text),
            Some(("fn", text)) => self.name = self.names.of(text),
            // A callee may be named here first.
            Some(("cob", text)) => drop(self.objects.of(text)),
            Some(("cfn", text)) => drop(self.names.of(text)),
            Some(("calls", _)) => self.call = true,
            // The position, absolute or relative to the last one, and the cost.
            _ if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) => {
                let cost = line.split_ascii_whitespace().nth(1).ok_or("callgrind gives a line without a cost")?;
                self.add(cost.parse()?);
            }
            // Source files and the head.
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, instructions: f64) {
        let cost = self.costs.entry(Function { object: self.object, name: self.name }).or_default();
        let what = if std::mem::take(&mut self.call) { &mut cost.called } else { &mut cost.own };
        *what += instructions;
    }
}

/// Names are written once, as `(1) name`, and later as `(1)`. A function within itself is `name'2`.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    fn of(&mut self, text: &'a str) -> &'a str {
        match text.split_once(' ') {
            Some((number, name)) => {
                let name = name.split('\'').next().unwrap_or(name);
                self.0.insert(number, name);
                name
            }
            None => self.0.get(text).copied().unwrap_or(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\ncmd: a=b\npositions: line\nevents: Ir\n\nob=(1) /bin/broker\nfl=(1) ???\n\
        fn=(1) main\n0 5\ncob=(2) /lib/libc.so.6\ncfn=(2) malloc\ncalls=2 0\n* 40\n+3 7\n\n\
        fn=(3) grant'2\n0 1\ncfn=(1)\ncalls=1 0\n0 52\n\nob=(2)\nfn=(2)\n-3 40\n\ntotals: 53\n";

    #[test]
    fn what_is_called_is_counted_apart() -> Result<(), Failure> {
        let costs = functions(FILE)?;
        let (broker, libc) = ("/bin/broker", "/lib/libc.so.6");
        let of = |object, name| costs.get(&Function { object, name }).copied();
        assert_eq!(of(broker, "main"), Some(Cost { own: 12.0, called: 40.0 }));
        assert_eq!(of(broker, "grant"), Some(Cost { own: 1.0, called: 52.0 }));
        assert_eq!(of(libc, "malloc"), Some(Cost { own: 40.0, called: 0.0 }));
        assert_eq!(costs.values().map(|cost| cost.own).sum::<f64>(), total(FILE)?);
        Ok(())
    }
}
