//! Tables as the README has them, to be pasted there as they are printed.

/// Prints a table.
pub(crate) fn print(header: &[&str], rows: &[Vec<String>]) {
    println!("{}", row(header));
    println!("|{}", "---|".repeat(header.len()));
    for cells in rows {
        println!("{}", row(cells));
    }
    println!();
}

fn row(cells: &[impl AsRef<str>]) -> String {
    let cells = cells.iter().map(|cell| format!(" {} |", cell.as_ref()).replace("|  |", "| |"));
    format!("|{}", cells.collect::<String>()).replace("|  |", "| |")
}
