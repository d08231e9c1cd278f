//! Playing event files through the broker and showing what came of each.

use std::io;
use std::path::{Path, PathBuf};

use super::show::Show;
use super::stage::Stage;

/// What a player shows beside replies and policies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Audit lines whole, as they are written, instead of what a person looks for in them.
    pub raw_audit: bool,
}

/// The event files of a folder, by name. A folder without any is an error: nothing would be shown.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let of = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(of)? {
        let path = entry.map_err(of)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(of(io::Error::new(io::ErrorKind::NotFound, "no event files (*.json)")));
    }
    files.sort();
    Ok(files)
}

/// Plays files one after the other, then shows the policies that came of it.
pub async fn play(
    stage: &Stage,
    files: &[PathBuf],
    options: Options,
    show: &mut Show<impl io::Write>,
) -> io::Result<()> {
    play_and_tell(stage, files, options, show, |_| {}).await
}

/// The same, and tells before each file how many were played.
pub async fn play_and_tell(
    stage: &Stage,
    files: &[PathBuf],
    options: Options,
    show: &mut Show<impl io::Write>,
    mut played: impl FnMut(usize),
) -> io::Result<()> {
    for (i, file) in files.iter().enumerate() {
        played(i);
        let event = std::fs::read(file)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let reply = stage.invoke(&format!("local-{:04}", i + 1), &event).await;
        show.event(&name, &reply, &stage.audit(), options.raw_audit)?;
        show.results(&stage.results())?;
    }
    show.policies(&stage.control_plane.policies())?;
    show.summary()
}
