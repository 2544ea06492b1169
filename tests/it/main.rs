//! Integration tests: a real server, real databases, and a client as strict as the document.

mod harness;
mod tokens;

use std::process::ExitCode;

fn main() -> ExitCode {
    let tests = [tokens::all()].concat();
    harness::main(tests, vec![], vec![])
}
