//! What a binary is made of.

use std::collections::BTreeMap;
use std::path::Path;

use object::{File, Object, ObjectSection, ObjectSymbol, SymbolKind};

use crate::Failure;
use crate::parts::{nameless, part};

/// Sizes in bytes.
pub(crate) struct Code {
    /// Of the functions of each part.
    pub(crate) parts: BTreeMap<&'static str, f64>,
    /// Of all code.
    pub(crate) total: f64,
    /// Of each section that is still there without names, the largest first.
    pub(crate) sections: Vec<(String, f64)>,
}

impl Code {
    pub(crate) fn of(binary: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(binary)?;
        let file = File::parse(bytes.as_slice())?;
        let sections = sections(&file)?;
        let total = sections.iter().find(|(name, _)| name == ".text").ok_or("the binary has no code")?.1;
        let functions = functions(&file);
        if functions.is_empty() {
            return Err("the binary has no names: it was stripped".into());
        }
        let mut parts = BTreeMap::new();
        for (name, size) in functions.into_values() {
            *parts.entry(part("", name)).or_default() += size;
        }
        let named: f64 = parts.values().sum();
        *parts.entry(nameless()).or_default() += total - named;
        Ok(Self { parts, total, sections })
    }
}

/// What is loaded has an address; what is only zeros is not in the file.
fn sections(file: &File<'_>) -> Result<Vec<(String, f64)>, Failure> {
    let loaded = file.sections().filter(|section| section.address() != 0 && section.file_range().is_some());
    let sections = loaded.map(|section| Ok((section.name()?.to_owned(), section.size() as f64)));
    let mut sections = sections.collect::<Result<Vec<_>, Failure>>()?;
    sections.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    Ok(sections)
}

/// Name and size of each function by its address: one with two names counts once.
fn functions<'a>(file: &File<'a>) -> BTreeMap<u64, (&'a str, f64)> {
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
    functions.filter_map(|symbol| Some((symbol.address(), (symbol.name().ok()?, symbol.size() as f64)))).collect()
}
