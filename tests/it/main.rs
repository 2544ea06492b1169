//! Integration tests: a real server, real databases, and a client as strict as the document.

mod escalation;
mod groups;
mod harness;
mod permissions;
mod tokens;
mod users;

use std::process::ExitCode;

fn main() -> ExitCode {
    let tests = [tokens::all(), users::all(), groups::all(), permissions::all(), escalation::all()].concat();
    harness::main(tests, vec![], vec![])
}
