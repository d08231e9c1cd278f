//! Medians, which a busy moment does not move, and figures as they are printed.

use crate::start::Start;

/// The value in the middle; not a number if there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The median of a figure over the starts of a program.
pub(crate) fn typical(starts: &[Start], figure: impl Fn(&Start) -> f64) -> f64 {
    median(starts.iter().map(figure))
}

/// The median over the rounds of one program's figure divided by another's in the same round.
pub(crate) fn ratio(of: &[Start], to: &[Start], figure: impl Fn(&Start) -> f64) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| figure(of) / figure(to)))
}

/// A figure with about three digits.
pub(crate) fn shown(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "–".to_owned(),
        _ if value == value.trunc() && value.abs() < 1000.0 => format!("{value}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        size if size < 1000.0 => format!("{value:.0}"),
        _ => thousands(value),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
