//! The policy that waits and says what it is told to (contract: authentik-core §5.7).

use super::{Fault, Outcome};
use crate::ctx::Entropy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DummySettings {
    pub result: bool,
    /// Shortest wait, in seconds.
    pub wait_min: i32,
    /// The wait is shorter than this, in seconds.
    pub wait_max: i32,
}

impl Default for DummySettings {
    fn default() -> Self {
        Self { result: false, wait_min: 5, wait_max: 30 }
    }
}

/// Waits, then gives the result that is set, with the message `dummy`.
///
/// # Errors
/// [`Fault::Other`] when no whole number of seconds lies in the interval, or a negative one was drawn.
pub async fn evaluate(settings: &DummySettings, entropy: &dyn Entropy) -> Result<Outcome, Fault> {
    let wait = wait(settings, entropy)?;
    // A sleep of nothing would last until the next tick.
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    Ok(Outcome { passing: settings.result, messages: vec!["dummy".to_owned()], log: Vec::new() })
}

/// A random whole number of seconds in [`wait_min`, `wait_max`); the errors are in Python's words.
fn wait(settings: &DummySettings, entropy: &dyn Entropy) -> Result<Duration, Fault> {
    let (min, max) = (settings.wait_min, settings.wait_max);
    // Up to u32::MAX wide: from the least to the greatest i32.
    let width = u64::try_from(i64::from(max) - i64::from(min)).unwrap_or(0);
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    let drawn = u64::from_le_bytes(bytes)
        .checked_rem(width)
        .ok_or_else(|| Fault::Other(format!("empty range in randrange({min}, {max})")))?;
    u64::try_from(i64::from(min) + drawn.cast_signed())
        .map(Duration::from_secs)
        .map_err(|_| Fault::Other("sleep length must be non-negative".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::SeededEntropy;
    use proptest::prelude::*;

    fn drawn(wait_min: i32, wait_max: i32, seed: u64) -> Result<Duration, Fault> {
        wait(&DummySettings { result: true, wait_min, wait_max }, &SeededEntropy::new(seed))
    }

    #[tokio::test]
    async fn says_what_is_set() {
        for result in [true, false] {
            let settings = DummySettings { result, wait_min: 0, wait_max: 1 };
            let outcome = evaluate(&settings, &SeededEntropy::new(1)).await.expect("answers");
            assert_eq!((outcome.passing, outcome.messages), (result, vec!["dummy".to_owned()]));
        }
    }

    #[test]
    fn an_empty_interval_is_a_fault() {
        for (min, max) in [(5, 5), (6, 5), (i32::MAX, i32::MIN)] {
            let text = format!("empty range in randrange({min}, {max})");
            assert_eq!(drawn(min, max, 1), Err(Fault::Other(text)));
        }
        assert_eq!(drawn(-5, -4, 1), Err(Fault::Other("sleep length must be non-negative".to_owned())));
    }

    #[test]
    fn defaults_are_the_contract_s() {
        let settings: DummySettings = serde_json::from_str("{}").expect("defaults");
        assert_eq!(settings, DummySettings { result: false, wait_min: 5, wait_max: 30 });
    }

    proptest! {
        #[test]
        fn waits_are_whole_seconds_within(min in 0..i32::MAX, width in 1_i64.., seed: u64) {
            let max = i32::try_from((i64::from(min).saturating_add(width)).min(i64::from(i32::MAX))).expect("fits");
            let wait = drawn(min, max, seed).expect("not empty");
            prop_assert_eq!(wait.subsec_nanos(), 0);
            let seconds = i64::try_from(wait.as_secs()).expect("fits");
            prop_assert!((i64::from(min)..i64::from(max)).contains(&seconds));
        }

        #[test]
        fn never_panics(min: i32, max: i32, seed: u64) {
            let _ = drawn(min, max, seed);
        }
    }
}
