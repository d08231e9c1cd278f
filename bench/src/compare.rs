//! The broker beside its rivals in one run: what each costs, and how far the broker keeps its goals.

use crate::event::{Door, Wish};
use crate::figures::{ratio, shown, typical};
use crate::goals::Goal;
use crate::lab::Lab;
use crate::program::{Binaries, Program};
use crate::share::{MB_OF_ONE_CPU, Share};
use crate::size::sizes;
use crate::start::{Start, Task, measure};
use crate::{Extent, Failure, markdown, python};

/// The memory size at which a slow start hurts most.
const SMALLEST_MB: f64 = 128.0;

/// A program with what it is asked for, and its starts: one for each round.
struct Contestant<'a> {
    program: Program,
    task: Task,
    share: Option<&'a Share>,
    starts: Vec<Start>,
}

/// Builds the rivals, runs everything, and prints the tables. A goal that must be met and is not is an error.
pub(crate) fn run(binaries: &Binaries, door: Door, extent: &Extent, with_python: bool) -> Result<(), Failure> {
    let broker = binaries.broker()?;
    let denied = Program { name: "broker, denied", ..broker.clone() };
    let python = if with_python { Some(python::python()?) } else { None };
    let rivals: Vec<Program> = [binaries.floor()?, broker, binaries.naive()?].into_iter().chain(python).collect();
    let share = Share::of(SMALLEST_MB);
    let task = Task { door, wish: Wish::Allowed, events: extent.events };
    let with = |task, share| move |program| Contestant { program, task, share, starts: Vec::new() };
    let mut all: Vec<Contestant<'_>> = rivals.iter().cloned().map(with(task, None)).collect();
    all.push(with(Task { wish: Wish::Denied, ..task }, None)(denied));
    let slow = share.as_ref().map(|share| with(Task { events: 1, ..task }, Some(share)));
    let mut slow: Vec<Contestant<'_>> = slow.map(|slow| rivals.into_iter().map(slow).collect()).unwrap_or_default();

    let lab = Lab::new()?;
    rounds(&mut all.iter_mut().chain(&mut slow).collect::<Vec<_>>(), &lab, extent.starts)?;
    print_programs(&all, &slow)?;
    print_goals(&all, &slow)
}

/// Every contestant once a round, each round in another order. The first round only warms the disk's cache.
fn rounds(contestants: &mut [&mut Contestant<'_>], lab: &Lab, rounds: usize) -> Result<(), Failure> {
    for round in 0..=rounds {
        for i in 0..contestants.len() {
            // Turned round every other time, so that nobody always comes after the same one.
            let at = (i + round / 2) % contestants.len();
            let at = if round % 2 == 0 { at } else { contestants.len() - 1 - at };
            let contestant = &mut contestants[at];
            let start = measure(&contestant.program, lab, contestant.task, contestant.share)?;
            if round > 0 {
                contestant.starts.push(start);
            }
        }
        eprint!("\rround {round} of {rounds} ");
    }
    eprintln!();
    Ok(())
}

/// A cold start on the smallest share of a CPU as its CPU time has it: init at full speed, all that follows so many
/// times slower. A quota is kinder: what fits into the time that it gives at once does not wait.
fn by_cpu_time(start: &Start) -> f64 {
    start.init + start.first_cpu * MB_OF_ONE_CPU / SMALLEST_MB
}

fn print_programs(all: &[Contestant<'_>], slow: &[Contestant<'_>]) -> Result<(), Failure> {
    let header: Vec<&str> = [""].into_iter().chain(all.iter().map(|it| it.program.name)).collect();
    let of = |what: &str, figure: &dyn Fn(&Start) -> f64| {
        let cells = all.iter().map(|it| shown(typical(&it.starts, figure)));
        [what.to_owned()].into_iter().chain(cells).collect::<Vec<String>>()
    };
    let mut rows = vec![
        of("init, ms", &|it| it.init),
        of("first event, ms", &|it| it.first),
        of("cold start: both, ms", &Start::cold),
        of("cold start at 128 MB by its CPU time, ms", &by_cpu_time),
        of("CPU of init, ms", &|it| it.init_cpu),
        of("CPU of the first event, ms", &|it| it.first_cpu),
        of("CPU of both, ms", &Start::cold_cpu),
        of("warm event, µs", &|it| it.warm * 1e3),
        of("CPU of a warm event, µs", &|it| it.warm_cpu * 1e3),
        of("peak memory, MB", &|it| it.peak_memory / 1e6),
        of("calls to AWS in init", &|it| it.calls_in_init),
        of("connections to AWS", &|it| it.connections),
    ];
    let under_quota = (0..all.len()).map(|i| slow.get(i).map_or(f64::NAN, |it| typical(&it.starts, Start::cold)));
    let what = "cold start at 128 MB under a quota, ms".to_owned();
    rows.insert(3, [what].into_iter().chain(under_quota.map(shown)).collect());
    let (mut binary, mut zip) = (vec!["binary, MB".to_owned()], vec!["zip, MB".to_owned()]);
    for contestant in all {
        let (bytes, zipped) = contestant.program.binary.as_deref().map_or(Ok((f64::NAN, f64::NAN)), sizes)?;
        binary.push(shown(bytes / 1e6));
        zip.push(shown(zipped / 1e6));
    }
    rows.extend([binary, zip]);
    markdown::print(&header, &rows);
    Ok(())
}

fn print_goals(all: &[Contestant<'_>], slow: &[Contestant<'_>]) -> Result<(), Failure> {
    let of = |name: &str| all.iter().position(|it| it.program.name == name).ok_or("a program is missing");
    let (floor, broker, naive, denied) = (of("floor")?, of("broker")?, of("naive")?, of("broker, denied")?);
    let starts = |at: usize| all[at].starts.as_slice();
    let to_floor = |figure: &dyn Fn(&Start) -> f64| ratio(starts(broker), starts(floor), figure);
    // Left open without a quota, which takes root.
    let below_naive = match (slow.get(naive), slow.get(broker)) {
        (Some(naive), Some(broker)) => ratio(&naive.starts, &broker.starts, Start::cold),
        _ => f64::NAN,
    };
    let (binary, zip) = all[broker].program.binary.as_deref().map_or(Ok((f64::NAN, f64::NAN)), sizes)?;
    let goal = |what, measured, must, aim| Goal { what, measured, must, aim };
    let goals = [
        goal("CPU of start and first grant, to the floor", to_floor(&Start::cold_cpu), 2.6, 1.6),
        goal("cold start, to the floor", to_floor(&Start::cold), 3.0, 2.0),
        goal("init with the connection opened, to the floor", to_floor(&|it| it.init), 2.6, 2.0),
        goal("first grant, to the floor", to_floor(&|it| it.first), 5.0, 3.0),
        goal("cold start at 128 MB, times below naive Rust", below_naive, 40.0, 110.0),
        goal("CPU of a warm grant, to naive Rust", ratio(starts(broker), starts(naive), |it| it.warm_cpu), 0.6, 0.4),
        goal(
            "CPU of a denied warm request, to the floor",
            ratio(starts(denied), starts(floor), |it| it.warm_cpu),
            2.0,
            1.3,
        ),
        goal("peak memory, to the floor", to_floor(&|it| it.peak_memory), 2.6, 1.8),
        goal("binary, MB", binary / 1e6, 5.5, 3.5),
        goal("zip, MB", zip / 1e6, 2.5, 1.6),
        goal("calls to AWS in init", typical(starts(broker), |it| it.calls_in_init), 0.0, 0.0),
    ];
    markdown::print(&["goal", "measured", "must", "aim", ""], &goals.iter().map(Goal::row).collect::<Vec<_>>());
    let missed: Vec<&str> = goals.iter().filter(|goal| !goal.is_kept()).map(|goal| goal.what).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("not met: {}", missed.join("; ")).into()) }
}
