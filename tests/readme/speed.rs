//! The section on speed: its commands exist, its goals are those of the benchmark, and what it calls met is met.

use super::markdown::{blocks, cells, code, section, table};
use crate::support::text;

/// The commands of the benchmark that the README names, without what they have in common.
fn named() -> Vec<String> {
    let blocks = blocks("sh");
    let commands = blocks.iter().flat_map(|block| block.text.lines());
    let rest =
        commands.filter_map(|command| command.strip_prefix("cargo run --release --manifest-path bench/Cargo.toml"));
    rest.map(|rest| rest.trim_start_matches(" -- ").to_owned()).collect()
}

/// The commands that the benchmark has.
fn known() -> Vec<String> {
    let source = text("bench/src/main.rs");
    let variants = source.split_once("\nenum Command {\n").unwrap().1.split_once("\n}\n").unwrap().0;
    let variants = variants
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_alphabetic));
    variants.map(|line| line.trim_end_matches([',', ' ', '{']).to_lowercase()).collect()
}

#[test]
fn every_command_of_the_benchmark_is_named_once() {
    let mut named = named();
    named.sort();
    let mut all = known();
    all.push(String::new());
    all.sort();
    assert_eq!(named, all);
    let counts = "cargo run --release --locked --manifest-path bench/Cargo.toml -- instructions";
    assert!(text(".ci/run").lines().any(|line| line.starts_with(counts)));
}

/// What a goal must be and is to be, in the source of the benchmark.
fn bounds(source: &str, goal: &str) -> (f64, f64) {
    let named = |call: &&str| call.trim_start().starts_with(&format!("\"{goal}\""));
    let call = source.split("goal(").find(named).expect(goal).split("];").next().unwrap();
    let numbers = call.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|number| number.parse().ok());
    let numbers: Vec<f64> = numbers.collect();
    let [.., must, aim] = numbers[..] else { panic!("no bounds: {goal}") };
    (must, aim)
}

/// A goal as its bounds say: at most, or at least.
fn keeps(measured: f64, bound: &str) -> bool {
    let (sign, bound) = bound.split_once(' ').unwrap();
    let bound: f64 = bound.parse().unwrap();
    if sign == "≥" { measured >= bound } else { measured <= bound }
}

#[test]
fn the_goals_are_the_benchmarks_and_met_as_they_say() {
    let source = text("bench/src/compare.rs");
    let rows = table("How fast", "| goal | measured | must | aim | |");
    assert_eq!(rows.len(), source.matches(" goal(\"").count() + source.matches("goal(\n").count());
    for row in rows {
        let (must, aim) = bounds(&source, &row[0]);
        let bound = |bound: f64| if aim > must { format!("≥ {bound}") } else { format!("≤ {bound}") };
        assert_eq!(row[2..4], [bound(must), bound(aim)], "{}", row[0]);
        let measured: f64 = row[1].replace(',', "").parse().unwrap();
        let state = match (keeps(measured, &row[2]), keeps(measured, &row[3])) {
            (_, true) => "aim met",
            (true, false) => "must met",
            (false, false) => "**not met**",
        };
        // The benchmark judges what it measured, of which the table has three digits: at a bound they may differ.
        let at = |bound: &str, worse: &str| bound.ends_with(&format!(" {measured}")) && row[4] == worse;
        assert!(row[4] == state || at(&row[2], "**not met**") || at(&row[3], "must met"), "{}", row[0]);
    }
}

/// The memory size of the template is one of those that the bill has, and the one that the text chooses.
#[test]
fn the_bill_has_the_templates_memory_size() {
    let template = text("template.yaml");
    let size = template.lines().find_map(|line| line.trim().strip_prefix("MemorySize: ")).unwrap();
    let section = section("How fast");
    let bill = section.iter().position(|line| line.starts_with("| memory, arm64 |")).unwrap();
    let sizes: Vec<String> =
        section[bill + 2..].iter().take_while(|line| line.starts_with('|')).map(|row| cells(row).remove(0)).collect();
    assert!(sizes.contains(&format!("{size} MB")), "{sizes:?}");
    assert!(section.join(" ").contains(&format!("The template takes {size} MB")), "{size}");
    assert!(template.contains("Architectures: [arm64]"));
}

/// Whatever of a price is chosen in `Cargo.toml` is what the table of choices says.
#[test]
fn the_choices_are_those_of_the_manifest() {
    let rows = table("Choices and their price", "| choice | reason | price |");
    let manifest = text("Cargo.toml");
    for choice in rows.iter().flat_map(|row| code(&row[0])).filter(|choice| choice.contains(" = ")) {
        assert!(manifest.lines().any(|line| line == choice), "{choice}");
    }
}

/// What `growth` measures is built as what is deployed.
#[test]
fn growth_is_built_like_the_deployed_binary() {
    let settings = |file: &str, profile: &str| -> Vec<String> {
        let source = text(file);
        let sections = source.split("\n[").filter(|section| section.starts_with(profile));
        let lines = sections.flat_map(str::lines).filter(|line| line.contains(" = ") && !line.starts_with("inherits"));
        lines.map(str::to_owned).collect()
    };
    let deployed = settings("Cargo.toml", "profile.release");
    assert!(deployed.len() > 8, "{deployed:?}");
    assert_eq!(settings("bench/Cargo.toml", "profile.deployed"), deployed);
}
