//! How far a long piece of work is, on standard error, for a person who waits at a terminal.
//!
//! One line that is written over and at the end taken away. Nothing is shown of what is done within two
//! seconds, and nothing at all where nobody looks.

use std::ffi::OsStr;
use std::io::Write;
use std::time::Duration;

use tokio::time::Instant;

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The least time between two lines: more often than anybody reads only costs time.
const EVERY: Duration = Duration::from_millis(100);

/// No terminal is narrower than this, and a line that is wrapped cannot be taken away.
const MOST_COLUMNS: usize = 79;

/// Whether to show anything: on a terminal that can take a line away.
pub fn is_wanted(terminal: bool, term: Option<&OsStr>) -> bool {
    terminal && term.is_none_or(|term| term != "dumb")
}

/// Shows how far the work is.
pub struct Progress<W: Write> {
    out: Option<W>,
    started: Instant,
    shown: Option<Instant>,
}

impl<W: Write> Progress<W> {
    /// Work that starts now.
    pub fn new(out: W, wanted: bool) -> Self {
        Self { out: wanted.then_some(out), started: Instant::now(), shown: None }
    }

    /// Work is at a point: so much is done, of so much if that is known.
    pub fn at(&mut self, what: &str, done: usize, all: Option<usize>) {
        let Some(out) = &mut self.out else { return };
        let now = Instant::now();
        let soon = now.duration_since(self.started) < PATIENCE;
        if soon || self.shown.is_some_and(|shown| now.duration_since(shown) < EVERY) {
            return;
        }
        self.shown = Some(now);
        // Whoever reads it may have gone; the work goes on.
        let _ = write!(out, "\r\u{1b}[2K{}", line(what, done, all, now.duration_since(self.started)));
        let _ = out.flush();
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        if let (Some(out), Some(_)) = (&mut self.out, self.shown) {
            let _ = write!(out, "\r\u{1b}[2K");
            let _ = out.flush();
        }
    }
}

/// One line: what, how much, how much longer at this pace.
fn line(what: &str, done: usize, all: Option<usize>, gone: Duration) -> String {
    const BAR: usize = 24;
    let line = match all {
        None => format!("{what}  {done}"),
        Some(all) => {
            let filled = (done * BAR).checked_div(all).unwrap_or(BAR).min(BAR);
            let bar = format!("{}{}", "#".repeat(filled), "-".repeat(BAR - filled));
            let left = all.saturating_sub(done);
            let left = gone.as_secs_f64() / f64::from(u32::try_from(done.max(1)).unwrap_or(u32::MAX)) * left as f64;
            let left = if done == 0 { String::new() } else { format!("  {} left", clock(left)) };
            format!("{what}  {bar}  {done} of {all}{left}")
        }
    };
    line.chars().take(MOST_COLUMNS).collect()
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn progress_is_for_a_terminal_that_can_take_it_away() {
        for (terminal, term, wanted) in [
            (true, Some("xterm-256color"), true),
            (true, None, true),
            (true, Some("dumb"), false),
            (false, Some("xterm"), false),
            (false, None, false),
        ] {
            assert_eq!(is_wanted(terminal, term.map(OsStr::new)), wanted, "{terminal} {term:?}");
        }
    }

    #[test]
    fn a_line_says_how_much_and_how_much_longer() {
        let seconds = Duration::from_secs;
        for (done, all, gone, shown) in [
            (50, None, 3, "reading policies  50"),
            (0, Some(10), 3, "reading policies  ------------------------  0 of 10"),
            (5, Some(10), 3, "reading policies  ############------------  5 of 10  0:03 left"),
            (1, Some(91), 2, "reading policies  ------------------------  1 of 91  3:00 left"),
            (10, Some(10), 3, "reading policies  ########################  10 of 10  0:00 left"),
            (0, Some(0), 3, "reading policies  ########################  0 of 0"),
        ] {
            assert_eq!(line("reading policies", done, all, seconds(gone)), shown);
        }
        assert_eq!(line(&"x".repeat(200), 1, None, seconds(3)).len(), MOST_COLUMNS);
    }

    /// Nothing for two seconds, then at most ten lines a second, and at the end nothing stays.
    #[tokio::test(start_paused = true)]
    async fn what_is_quick_shows_nothing_and_what_was_shown_is_taken_away() {
        let mut shown = Vec::new();
        let mut progress = Progress::new(&mut shown, true);
        for done in 0..40 {
            progress.at("reading", done, Some(40));
            tokio::time::advance(Duration::from_millis(51)).await;
        }
        drop(progress);
        assert_eq!(String::from_utf8_lossy(&shown), "");

        let mut progress = Progress::new(&mut shown, true);
        tokio::time::advance(PATIENCE).await;
        for done in 0..10 {
            progress.at("reading", done, None);
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        drop(progress);
        let clear = "\r\u{1b}[2K";
        let lines: String = [0, 2, 4, 6, 8].map(|done| format!("{clear}reading  {done}")).concat();
        assert_eq!(String::from_utf8_lossy(&shown), lines + clear);

        let mut unseen = Vec::new();
        let mut progress = Progress::new(&mut unseen, false);
        tokio::time::advance(PATIENCE).await;
        progress.at("reading", 1, None);
        drop(progress);
        assert_eq!(unseen, Vec::<u8>::new());
    }
}
