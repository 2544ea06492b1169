//! The policy that lets passwords grow old (contract: authentik-core §5.5).
//!
//! This only decides, and nothing happens to a password by looking at it. A flow that lets somebody in has him
//! change it first ([`crate::flow`]).

use super::Outcome;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Default, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpirySettings {
    /// Days that a password is good for. None are left for a new one when it is 0 or negative.
    pub days: i32,
    /// Only refuse; the password stays what it is.
    #[serde(default)]
    pub deny_only: bool,
}

/// How old a password is, by the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fresh,
    Expired {
        /// Whole days since it expired; 0 on the first.
        days_over: i64,
    },
}

const MICROSECONDS_A_DAY: i128 = 86_400_000_000;

/// Compares whole days, rounded down, so that a password from the future is at least a day too young.
///
/// The original adds `days` to the date and fails where its calendar ends (the years 1 and 9999); here
/// any `days` has an answer.
#[must_use]
pub fn decide(settings: &ExpirySettings, password_change_date: DateTime<Utc>, now: DateTime<Utc>) -> Verdict {
    let age = i128::from(now.timestamp_micros()) - i128::from(password_change_date.timestamp_micros());
    // At most 2⁶⁴ µs, that is 2·10⁸ days.
    let elapsed = i64::try_from(age.div_euclid(MICROSECONDS_A_DAY)).unwrap_or(i64::MAX);
    match elapsed.saturating_sub(i64::from(settings.days)) {
        days_over @ 0.. => Verdict::Expired { days_over },
        _ => Verdict::Fresh,
    }
}

impl Verdict {
    #[must_use]
    pub fn outcome(self, settings: &ExpirySettings) -> Outcome {
        match self {
            Self::Fresh => Outcome::passed(),
            Self::Expired { .. } if settings.deny_only => Outcome::failed("Password has expired."),
            Self::Expired { days_over } => {
                Outcome::failed(format!("Password expired {days_over} days ago. Please update your password."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::corpus;
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use serde_json::json;

    const DAY: i64 = 86_400;

    fn now() -> DateTime<Utc> {
        "2026-11-22T05:58:00.068040Z".parse().expect("a time")
    }

    fn verdict(days: i32, age_seconds: i64) -> Verdict {
        decide(&ExpirySettings { days, deny_only: false }, now() - TimeDelta::seconds(age_seconds), now())
    }

    #[test]
    fn a_day_begins_where_the_last_one_ends() {
        assert_eq!(verdict(30, 30 * DAY - 1), Verdict::Fresh);
        assert_eq!(verdict(30, 30 * DAY), Verdict::Expired { days_over: 0 });
        assert_eq!(verdict(30, 31 * DAY - 1), Verdict::Expired { days_over: 0 });
        assert_eq!(verdict(30, 31 * DAY), Verdict::Expired { days_over: 1 });
        assert_eq!(verdict(0, -1), Verdict::Fresh);
        assert_eq!(verdict(-1, -1), Verdict::Expired { days_over: 0 });
        assert_eq!(verdict(-1, -DAY - 1), Verdict::Fresh);
    }

    #[test]
    fn any_number_of_days_has_an_answer() {
        assert_eq!(verdict(i32::MAX, 0), Verdict::Fresh);
        assert_eq!(verdict(i32::MIN, 0), Verdict::Expired { days_over: 1 << 31 });
        let all = [DateTime::<Utc>::MIN_UTC, DateTime::UNIX_EPOCH, now(), DateTime::<Utc>::MAX_UTC];
        for (changed, now) in all.into_iter().flat_map(|a| all.map(|b| (a, b))) {
            for days in [i32::MIN, -1, 0, 1, i32::MAX] {
                let _ = decide(&ExpirySettings { days, deny_only: true }, changed, now);
            }
        }
    }

    /// The cases that ask the policy itself. In four of them the original fails on its calendar; what is
    /// expected there instead is here.
    #[test]
    fn the_recorded_cases_are_answered_alike() {
        let mut replayed = 0;
        for case in corpus::cases("password_expiry") {
            let name = case["case"].as_str().expect("a name");
            let (settings, age) = if name.starts_with("password_expiry.test.") {
                let request = case["request"].clone();
                let age = request["age_seconds"].as_i64().expect("seconds");
                (serde_json::from_value(request).expect("settings"), age)
            } else if name.starts_with("password_expiry.twice.") && case["request"]["json"].get("password").is_none() {
                (ExpirySettings { days: 30, deny_only: false }, 45 * DAY)
            } else {
                continue;
            };
            replayed += 1;
            // Some time went by between making the password old and asking.
            let changed = now() - TimeDelta::seconds(age);
            let verdict = decide(&settings, changed, now() + TimeDelta::milliseconds(100));
            let outcome = verdict.outcome(&settings);
            let body = case["body"].get("test").unwrap_or(&case["body"]);
            let expected = match (case["status"].as_i64(), name) {
                (Some(200), _) => (body["passing"].clone(), body["messages"].clone()),
                (_, "password_expiry.test.days=3000000.deny=True.age=fresh") => (json!(true), json!([])),
                (_, "password_expiry.test.days=-2147483648.deny=True.age=fresh")
                | (_, "password_expiry.test.days=-800000.deny=True.age=fresh") => {
                    (json!(false), json!(["Password has expired."]))
                }
                (_, "password_expiry.test.days=-800000.deny=False.age=fresh") => {
                    (json!(false), json!(["Password expired 800000 days ago. Please update your password."]))
                }
                _ => panic!("{name}"),
            };
            assert_eq!((json!(outcome.passing), json!(outcome.messages)), expected, "{name}");
        }
        assert_eq!(replayed, 33);
    }

    proptest! {
        #[test]
        fn once_expired_stays_expired(days: i32, age in -4_000_000_000_i64..4_000_000_000, later in 0..4_000_000_000_i64) {
            if let Verdict::Expired { days_over } = verdict(days, age) {
                let Verdict::Expired { days_over: then } = verdict(days, age + later) else { panic!("younger") };
                prop_assert!(then >= days_over);
            }
        }

        #[test]
        fn the_boundary_is_the_date_plus_days(days in -10_000..10_000_i32, offset in -3 * DAY..3 * DAY) {
            let expected = if offset < 0 { Verdict::Fresh } else { Verdict::Expired { days_over: offset / DAY } };
            prop_assert_eq!(verdict(days, i64::from(days) * DAY + offset), expected);
        }
    }
}
