//! Where audit lines go: each line whole, or known not to be.

use std::io::{self, ErrorKind, Write};

/// A writer of lines. What failed in the middle of a line is kept apart from the line after it, so
/// that one lost record does not spoil the next.
pub(super) struct Sink {
    to: Box<dyn Write + Send>,
    /// Whether the last line has a beginning but no end.
    torn: bool,
}

impl Sink {
    pub(super) fn new(to: impl Write + Send + 'static) -> Self {
        Self { to: Box::new(to), torn: false }
    }

    /// Writes one line, which ends with a newline, and flushes it.
    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.write_all(b"\n")?;
        }
        self.write_all(line)?;
        self.to.flush()
    }

    /// As [`Write::write_all`], which does not say whether anything was written before an error.
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.to.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or_default();
                    self.torn = !bytes.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
