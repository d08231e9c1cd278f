//! A page of text for a terminal: labelled lines, wrapped at the edge, with colour only where it helps.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Write};

/// The width that lines are wrapped to.
const MOST_COLUMNS: usize = 100;

/// The column in which the text beside a label starts.
const TEXT_COLUMN: usize = 11;

/// What a text is painted in.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

/// Writes lines, to a terminal or a file.
pub(super) struct Page<W> {
    out: W,
    colour: bool,
}

/// Whether to use colour: on a terminal, unless `NO_COLOR` says otherwise (<https://no-color.org>).
pub fn wants_colour(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

impl<W: Write> Page<W> {
    pub(super) fn new(out: W, colour: bool) -> Self {
        Self { out, colour }
    }

    /// A line as it is, however long.
    pub(super) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// A title at the left edge.
    pub(super) fn title(&mut self, text: &str) -> io::Result<()> {
        let text = self.paint(Ink::Bold, text);
        self.line(text)
    }

    /// A label with its text beside it; further lines hang under the text.
    pub(super) fn labelled(&mut self, label: &str, ink: Ink, text: &str) -> io::Result<()> {
        self.wrapped(&format!("  {label:<9}"), TEXT_COLUMN, ink, text)
    }

    /// A list beside a label, one entry a line.
    pub(super) fn list(&mut self, label: &str, ink: Ink, entries: &[String]) -> io::Result<()> {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        for (label, entry) in labels.zip(entries) {
            self.labelled(label, ink, entry)?;
        }
        Ok(())
    }

    /// A text of which every line is indented, all but the first further.
    pub(super) fn indented(&mut self, columns: usize, ink: Ink, text: &str) -> io::Result<()> {
        self.wrapped(&" ".repeat(columns), columns + 2, ink, text)
    }

    fn wrapped(&mut self, first: &str, hang: usize, ink: Ink, text: &str) -> io::Result<()> {
        let mut before = first.to_owned();
        for part in wrap(text, MOST_COLUMNS - hang) {
            let part = self.paint(ink, &part);
            writeln!(self.out, "{before}{part}")?;
            before = " ".repeat(hang);
        }
        Ok(())
    }

    fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Green => "32",
            Ink::Yellow => "33",
            Ink::Red => "31",
            Ink::Plain => return text.to_owned(),
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Breaks a text at its spaces. A word that is too long stays whole: an ARN cut in two cannot be copied.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
