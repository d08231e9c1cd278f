//! Patterns by what they begin with, so that those which may cover a text are found without a look at all the others.

use std::collections::HashMap;

use crate::allowlist::Pattern;

/// Patterns of one kind, each with a number of its owner's.
#[derive(Default)]
pub(super) struct Patterns<'a> {
    /// Without a `*`: they match their own text alone.
    exact: HashMap<&'a str, Vec<usize>>,
    /// By what stands before their first `*`: they match nothing that begins otherwise.
    wild: HashMap<&'a str, Vec<usize>>,
    longest: usize,
}

impl<'a> Patterns<'a> {
    /// Patterns, each with its position as its number.
    pub(super) fn of(patterns: &'a [Pattern]) -> Self {
        let mut all = Self::default();
        patterns.iter().enumerate().for_each(|(position, pattern)| all.add(pattern, position));
        all
    }

    /// Adds a pattern.
    pub(super) fn add(&mut self, pattern: &'a Pattern, number: usize) {
        let text = pattern.as_str();
        let numbers = match text.split_once('*') {
            None => self.exact.entry(text).or_default(),
            Some((start, _)) => {
                self.longest = self.longest.max(start.len());
                self.wild.entry(start).or_default()
            }
        };
        if numbers.last() != Some(&number) {
            numbers.push(number);
        }
    }

    /// The numbers of the patterns that may match a text, and of all that do; a `*` in the text is a character like
    /// any other. Not in order, and some twice.
    pub(super) fn near(&self, text: &str) -> impl Iterator<Item = usize> {
        let starts = (0..=text.len().min(self.longest)).filter_map(|end| self.wild.get(text.get(..end)?));
        self.exact.get(text).into_iter().chain(starts).flatten().copied()
    }
}
