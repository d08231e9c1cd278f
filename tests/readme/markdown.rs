//! Just enough Markdown to take the README apart: sections, fenced blocks and tables.

use crate::support::text;

/// A fenced block.
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
}

/// The README without the contents of its fenced blocks.
fn prose() -> Vec<String> {
    let mut fenced = false;
    let readme = text("README.md");
    let lines = readme.lines().filter(|line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    });
    lines.map(str::to_owned).collect()
}

/// The fenced blocks of a language, in order.
pub(super) fn blocks(language: &str) -> Vec<Block> {
    all_blocks().into_iter().filter(|block| block.language == language).collect()
}

/// Every fenced block, in order.
pub(super) fn all_blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in text("README.md").lines() {
        if let Some(language) = line.strip_prefix("```") {
            if !open {
                blocks.push(Block { language: language.to_owned(), text: String::new() });
            }
            open = !open;
        } else if open {
            let block = blocks.last_mut().unwrap();
            block.text += line;
            block.text.push('\n');
        }
    }
    assert!(!open, "a block is never closed");
    blocks
}

/// The titles of the sections.
pub(super) fn titles() -> Vec<String> {
    prose().iter().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect()
}

/// The lines of a section, without its blocks.
pub(super) fn section(title: &str) -> Vec<String> {
    let heading = format!("## {title}");
    let prose = prose();
    let start = prose.iter().position(|line| *line == heading).unwrap_or_else(|| panic!("no section {title}"));
    prose[start + 1..].iter().take_while(|line| !line.starts_with("## ")).cloned().collect()
}

/// The rows of the table that starts with this header, cell by cell.
pub(super) fn table(title: &str, header: &str) -> Vec<Vec<String>> {
    let section = section(title);
    let start = section.iter().position(|line| line == header).unwrap_or_else(|| panic!("{title} has no {header}"));
    let rows = section[start + 2..].iter().take_while(|line| line.starts_with('|'));
    rows.map(|row| cells(row)).collect()
}

/// The cells of one row; no cell has a bar in it.
pub(super) fn cells(row: &str) -> Vec<String> {
    let row = row.strip_prefix('|').and_then(|row| row.strip_suffix('|')).expect("a row");
    row.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What stands between backticks in a text.
pub(super) fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The single word in backticks that a cell consists of.
pub(super) fn word(cell: &str) -> String {
    match code(cell).as_slice() {
        [word] if format!("`{word}`") == cell => word.clone(),
        _ => panic!("{cell} is no single word in backticks"),
    }
}
