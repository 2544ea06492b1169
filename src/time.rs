//! Times and durations as text: `hours=3;minutes=1` (contract: authentik-core §1.9), and the way the
//! contract spells a moment inside a sentence.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use std::str::FromStr;

/// A duration that was written as text; may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(TimeDelta);

/// The text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is not in the format of 'hours=3;minutes=1'")]
pub struct NotADuration;

const UNITS: [(&str, f64); 7] = [
    ("microseconds", 1.0),
    ("milliseconds", 1e3),
    ("seconds", 1e6),
    ("minutes", 6e7),
    ("hours", 3.6e9),
    ("days", 8.64e10),
    ("weeks", 6.048e11),
];

/// Longest duration, either way: 10,000 years, in microseconds.
const LONGEST: f64 = 3.2e17;

impl Duration {
    #[must_use]
    pub const fn delta(self) -> TimeDelta {
        self.0
    }

    /// The moment this long after `from`; at the ends of what a calendar can say, that end.
    #[must_use]
    pub fn after(self, from: DateTime<Utc>) -> DateTime<Utc> {
        let end = if self.0 < TimeDelta::zero() { earliest() } else { latest() };
        from.checked_add_signed(self.0).filter(|t| (earliest()..=latest()).contains(t)).unwrap_or(end)
    }
}

/// The first moment of the year 1, as far back as databases and the wire format go.
fn earliest() -> DateTime<Utc> {
    DateTime::from_timestamp(-62_135_596_800, 0).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The last moment of the year 9999, which every part of the wire format can write.
fn latest() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A moment inside a sentence: `2024-09-16 12:00:00.123456+00:00`, without decimals when they are zero.
#[must_use]
pub fn spelled(t: DateTime<Utc>) -> String {
    let decimals = if t.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
    t.format(&format!("%Y-%m-%d %H:%M:%S{decimals}+00:00")).to_string()
}

/// A moment as in ISO 8601 (RFC 3339): with an offset, or in UTC without one. `None` also for years that the wire formats
/// cannot write.
#[must_use]
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let with_offset = || DateTime::parse_from_rfc3339(text).ok().map(|t| t.with_timezone(&Utc));
    let without = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|t| t.and_utc());
    // Longer ones hold more than nine decimals, which nobody sends.
    let parsed = if text.len() <= 40 { with_offset().or_else(without) } else { None };
    let wanted = |t: &DateTime<Utc>| {
        // A leap second has no place in a database.
        (earliest()..=latest() + TimeDelta::milliseconds(999)).contains(t) && t.timestamp_subsec_nanos() < 1_000_000_000
    };
    parsed.filter(wanted)
}

/// The first moment (UTC) of a date as in ISO 8601, such as `2026-11-28`.
#[must_use]
pub fn day(text: &str) -> Option<DateTime<Utc>> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)?;
    date.and_hms_opt(0, 0, 0).map(|t| t.and_utc()).filter(|t| (earliest()..=latest()).contains(t))
}

impl FromStr for Duration {
    type Err = NotADuration;

    /// Pairs of a unit and a number, joined by `;`. Units are the same in any case, unknown ones are
    /// skipped, and of a repeated one the last counts; but one at least must be known.
    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let mut amounts = [None; UNITS.len()];
        for pair in text.split(';') {
            let (unit, number) = pair.split_once('=').ok_or(NotADuration)?;
            let unit = unit.to_lowercase();
            let Some((slot, (_, factor))) = amounts.iter_mut().zip(UNITS).find(|(_, (name, _))| *name == unit) else {
                continue;
            };
            let number: f64 = number.trim().parse().map_err(|_| NotADuration)?;
            *slot = Some(number * factor);
        }
        let known: Vec<f64> = amounts.into_iter().flatten().collect();
        let sum: f64 = known.iter().sum();
        if known.is_empty() || !sum.is_finite() || sum.abs() > LONGEST {
            return Err(NotADuration);
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded by LONGEST just above")]
        Ok(Self(TimeDelta::microseconds(sum.round() as i64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> Option<i64> {
        text.parse::<Duration>().ok().and_then(|d| d.0.num_microseconds())
    }

    #[test]
    fn the_contracts_examples() {
        assert_eq!(micros("hours=3;minutes=1"), Some(10_860_000_000));
        assert_eq!(micros("MINUTES=30"), Some(1_800_000_000));
        assert_eq!(micros("seconds=-1.5"), Some(-1_500_000));
        assert_eq!(micros("days=1;fortnights=9"), Some(86_400_000_000));
        assert_eq!(micros("days=1;days=2"), Some(172_800_000_000));
        for bad in
            ["", "days", "days=1;", "days=x", "fortnights=1", " days=1", "weeks=99999999999", "days=inf", "days=nan"]
        {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_calendar_has_ends() {
        let long: Duration = "weeks=520000".parse().expect("a duration");
        assert_eq!(long.after(DateTime::UNIX_EPOCH), latest());
        let back: Duration = "days=-3e6".parse().expect("a duration");
        assert_eq!(back.after(DateTime::UNIX_EPOCH).to_rfc3339(), "0001-01-01T00:00:00+00:00");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<Duration>();
        }

        #[test]
        fn whole_seconds_are_exact(n in -100_000_000_i64..100_000_000) {
            prop_assert_eq!(micros(&format!("seconds={n}")), Some(n * 1_000_000));
        }
    }
}
