//! An audit sink that remembers what was written when, and fails on demand.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use permission_broker::local::control_plane::ControlPlane;
use serde_json::Value;

use super::writes;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    /// Nothing of it is written.
    Failed,
    /// Half of it is written.
    Torn,
    /// All of it is written, but not known to have reached anything.
    NotFlushed,
    /// The sink panics.
    Panics,
}

/// A line that was written, and how many writes had reached AWS before.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) line: Value,
    pub(crate) writes_before: usize,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    written: Vec<Written>,
    fates: VecDeque<Fate>,
    flush_fails: bool,
    /// Whether a line could not be written since the last time somebody asked.
    failed: bool,
    in_a_line: bool,
}

/// The sink; clones share it.
#[derive(Clone)]
pub(crate) struct Sink {
    plane: ControlPlane,
    state: Arc<Mutex<State>>,
}

impl Sink {
    pub(crate) fn new(plane: &ControlPlane) -> Self {
        Self { plane: plane.clone(), state: Arc::default() }
    }

    /// The fates of the next lines; those after them are written.
    pub(crate) fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.state.lock().unwrap().fates = fates.into_iter().collect();
    }

    /// The records written since the last time.
    pub(crate) fn take(&self) -> Vec<Written> {
        std::mem::take(&mut self.state.lock().unwrap().written)
    }

    /// Whether a line could not be written since the last time.
    pub(crate) fn take_failed(&self) -> bool {
        std::mem::take(&mut self.state.lock().unwrap().failed)
    }

    /// The bytes written since the last time.
    pub(crate) fn take_text(&self) -> String {
        let mut state = self.state.lock().unwrap();
        state.written.clear();
        String::from_utf8(std::mem::take(&mut state.bytes)).unwrap()
    }

    /// Everything that was ever written, half lines included.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.state.lock().unwrap().bytes.clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writes_before = writes(&self.plane);
        let mut state = self.state.lock().unwrap();
        // What ends a torn line, and what follows the first half of one, belong to no record of its own.
        if bytes == b"\n" {
            state.in_a_line = false;
            state.bytes.push(b'\n');
            return Ok(1);
        }
        if state.in_a_line {
            return Err(io::Error::other("still failing"));
        }
        let fate = state.fates.pop_front().unwrap_or(Fate::Written);
        state.failed |= fate != Fate::Written;
        match fate {
            Fate::Written => state.flush_fails = false,
            Fate::NotFlushed => state.flush_fails = true,
            Fate::Failed => return Err(io::Error::other("no space")),
            Fate::Torn => {
                let half = bytes.len() / 2;
                state.bytes.extend_from_slice(&bytes[..half]);
                state.in_a_line = true;
                return Ok(half);
            }
            Fate::Panics => {
                drop(state);
                // As a panic, without the report of one.
                std::panic::resume_unwind(Box::new("the sink panics on purpose"));
            }
        }
        state.bytes.extend_from_slice(bytes);
        let line = serde_json::from_slice(bytes).unwrap();
        state.written.push(Written { line, writes_before });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.state.lock().unwrap().flush_fails { Err(io::Error::other("not flushed")) } else { Ok(()) }
    }
}
