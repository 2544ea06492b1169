//! Groups, their members and their roles (contract: authentik-core §4.1, authentik-rbac §6).

mod api;
mod entity;
pub mod escalation;
pub mod hierarchy;
pub mod membership;
pub mod service;
pub mod store;

pub use api::to_model;
pub use entity::{ActiveModel, Column, Entity, Model};

use uuid::Uuid;

/// The number some protocols want of a group: the first five decimal digits of its UUID as an integer.
#[must_use]
pub fn number(id: Uuid) -> i32 {
    let digits = id.as_u128().to_string();
    digits.get(..5).unwrap_or(&digits).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_groups() {
        // The contract's example (§4.1).
        assert_eq!(number("6fa459ea-ee8a-3ca4-894e-db77e160355e".parse().expect("a uuid")), 14839);
        assert_eq!(number(Uuid::nil()), 0);
    }
}
