//! Figures in the project's form: what, how much, how much is wanted, and the verdict.

#![expect(clippy::print_stdout, reason = "figures are for the one who runs it")]

use std::fmt::Display;

/// What a figure must be.
pub enum At<T> {
    Least(T),
    Most(T),
}

/// One line.
pub fn bar<T: Copy + Display + PartialOrd>(name: &str, value: T, target: &At<T>) -> String {
    let (target, passes) = match target {
        At::Least(least) => (format!(">={least}"), value >= *least),
        At::Most(most) => (most.to_string(), value <= *most),
    };
    let verdict = if passes { "pass" } else { "miss" };
    format!("bar {name} {value} {target} {verdict}\n")
}

/// Writes the lines where the Makefile looks for them, to print them last, or prints them.
pub fn show(variable: &str, bars: &[String]) {
    match std::env::var_os(variable) {
        Some(path) => std::fs::write(path, bars.concat()).unwrap(),
        None => print!("{}", bars.concat()),
    }
}
