//! What is deployed: the binary, and the zip file that Lambda takes.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::Failure;

/// A zip file of one entry is the deflated file and so many bytes around it, with the name `bootstrap`.
const AROUND: usize = 30 + 46 + 22 + 2 * "bootstrap".len();

/// The size of a binary and of its zip file, in bytes.
pub(crate) fn sizes(binary: &Path) -> Result<(f64, f64), Failure> {
    let bytes = std::fs::read(binary)?;
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
    deflated.write_all(&bytes)?;
    Ok((bytes.len() as f64, (deflated.finish()?.len() + AROUND) as f64))
}
