//! The program: everything it does is a command of [`tessera::cli`].

use std::process::ExitCode;
use tessera::expression::worker::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    tessera::cli::main()
}
