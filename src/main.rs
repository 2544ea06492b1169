//! The program: everything it does is a command of [`tessera::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tessera::cli::main()
}
