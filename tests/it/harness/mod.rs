//! What the tests stand on: a server of their own each, on SQLite or PostgreSQL, a client that checks
//! every answer against the document, and shorthands for people, grants and events.

mod answer;
mod browser;
mod client;
pub mod document;
mod events;
mod pats;
mod people;
mod place;
mod runner;
mod server;
mod sql;
mod tap;
mod visitor;

pub use answer::Answer;
pub use browser::Browser;
pub use client::{Client, raw};
pub use events::Entry;
pub use pats::Pat;
pub use people::Person;
pub use place::{Place, clean_up};
pub use runner::{Afterwards, Plain, Test, main};
pub use server::{BOOTSTRAP_PASSWORD, BOOTSTRAP_TOKEN, SECRET_KEY, Server};
pub use tap::Calls;
pub use visitor::{CSRF, CSRF_HEADER, Flow, SESSION, Visitor};

/// The databases that every test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Lists the tests of a module: `tests![creates, deletes];`
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub fn all() -> Vec<crate::harness::Test> {
            vec![$(crate::harness::Test {
                module: module_path!(),
                name: stringify!($name),
                run: |server| Box::pin($name(server)),
            }),+]
        }
    };
}
pub(crate) use tests;
