//! The `podium` command.
fn main() {}
