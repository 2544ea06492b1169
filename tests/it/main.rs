//! Integration tests: a real server, real databases, and a client as strict as the document.
//!
//! `cargo test --test it` runs every test on SQLite; with `TESSERA_TEST_POSTGRES=postgres://…` on
//! PostgreSQL too, each in a database of its own.

mod applications;
mod architecture;
mod audit;
mod bindings;
mod cli;
mod concurrency;
mod coverage;
mod damage;
mod engine;
mod escalation;
mod events;
mod expressions;
mod flows;
mod groups;
mod harness;
mod input;
mod lease;
mod login;
mod metrics;
mod pats;
mod permissions;
mod policies;
mod rbac;
mod rotation;
mod secrets;
mod settings;
mod stages;
mod startup;
mod sweep;
mod system;
mod tokens;
mod usage;
mod users;

use std::process::ExitCode;

fn main() -> ExitCode {
    let tests = [
        tokens::all(),
        users::all(),
        groups::all(),
        pats::all(),
        permissions::all(),
        rbac::all(),
        escalation::all(),
        system::all(),
        input::all(),
        secrets::all(),
        audit::all(),
        events::all(),
        policies::all(),
        settings::all(),
        stages::all(),
        flows::all(),
        bindings::all(),
        applications::all(),
        engine::all(),
        login::all(),
        rotation::all(),
        usage::all(),
        sweep::all(),
        lease::all(),
        metrics::all(),
        concurrency::all(),
        startup::all(),
        damage::all(),
        expressions::all(),
        coverage::all(),
        coverage::others::all(),
    ]
    .concat();
    let plain: Vec<harness::Plain> = vec![
        ("architecture::the_reader_reads", architecture::the_reader_reads),
        ("architecture::only_the_edge_speaks_http", architecture::only_the_edge_speaks_http),
        ("architecture::layers_look_down", architecture::layers_look_down),
        ("architecture::resources_respect_each_other", architecture::resources_respect_each_other),
        ("architecture::leaves_are_leaves", architecture::leaves_are_leaves),
        ("cli::the_first_command_shows_the_first_secrets", cli::the_first_command_shows_the_first_secrets),
        ("cli::grants_are_given_and_taken", cli::grants_are_given_and_taken),
        ("cli::tokens_and_accounts_are_managed", cli::tokens_and_accounts_are_managed),
        ("cli::bad_arguments_are_refused", cli::bad_arguments_are_refused),
        ("cli::grants_are_on_objects_that_exist", cli::grants_are_on_objects_that_exist),
        ("cli::doctor_makes_nothing", cli::doctor_makes_nothing),
        ("cli::an_environment_that_is_not_text", cli::an_environment_that_is_not_text),
        ("cli::an_empty_master_key_is_refused", cli::an_empty_master_key_is_refused),
        ("pats::secrets::the_log_holds_no_secret", pats::secrets::the_log_holds_no_secret),
        ("pats::program::tokens_are_made_and_revoked", pats::program::tokens_are_made_and_revoked),
        ("pats::program::bad_arguments_are_refused", pats::program::bad_arguments_are_refused),
        ("pats::program::the_key_is_rotated", pats::program::the_key_is_rotated),
        ("login::secrets::the_log_holds_no_secret", login::secrets::the_log_holds_no_secret),
        ("events::hidden::verify_makes_nothing", events::hidden::verify_makes_nothing),
        ("coverage::the_table_is_the_document", coverage::the_table_is_the_document),
    ];
    let afterwards: Vec<harness::Afterwards> = vec![
        ("coverage::every_operation_is_called", coverage::every_operation_is_called),
        ("coverage::every_operation_fails_in_its_ways", coverage::every_operation_fails_in_its_ways),
    ];
    harness::main(tests, plain, afterwards)
}
