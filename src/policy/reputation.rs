//! The policy that asks whether a caller's reputation is bad (contract: authentik-core §5.7).
//!
//! Its score is the sum over the rows whose `ip` is the client's address (when `check_ip` is on) **or** whose
//! `identifier` is the user's name (when `check_username` is on). A row that is both counts once, a row that
//! has expired does not count, and without rows the score is 0.

use super::Outcome;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReputationSettings {
    pub check_ip: bool,
    pub check_username: bool,
    pub threshold: i32,
}

impl Default for ReputationSettings {
    fn default() -> Self {
        Self { check_ip: true, check_username: true, threshold: -5 }
    }
}

/// Passes when the reputation is as bad as the threshold, or worse: what is bound is meant for suspects,
/// for instance a captcha.
#[must_use]
pub fn evaluate(settings: &ReputationSettings, score: i64) -> Outcome {
    Outcome { passing: score <= i64::from(settings.threshold), ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_at_the_threshold_and_below() {
        let settings = ReputationSettings::default();
        for (score, passing) in [(i64::MIN, true), (-6, true), (-5, true), (-4, false), (0, false), (i64::MAX, false)] {
            assert_eq!(evaluate(&settings, score), Outcome { passing, ..Outcome::default() }, "{score}");
        }
    }

    #[test]
    fn defaults_are_the_contract_s() {
        let settings: ReputationSettings = serde_json::from_str("{}").expect("defaults");
        assert_eq!(settings, ReputationSettings { check_ip: true, check_username: true, threshold: -5 });
    }
}
