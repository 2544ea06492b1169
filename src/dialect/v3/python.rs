//! How Python prints and reads values: error texts of this wire format quote them that way.

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde_json::{Number, Value};
use std::fmt::Write as _;

/// `str(value)`: text as it is, everything else as [`repr`].
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => repr(other),
    }
}

/// `repr(value)`: `True`, `None`, `['a']`, `{'a': 1}`, `1.1805916207174113e+21`.
#[must_use]
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(n) => number(n),
        Value::String(s) => quoted(s),
        Value::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<_> = map.iter().map(|(k, v)| format!("{}: {}", quoted(k), repr(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

fn number(n: &Number) -> String {
    let Some(f) = n.as_f64().filter(|_| n.is_f64()) else { return n.to_string() };
    if f != 0.0 && (f.abs() >= 1e16 || f.abs() < 1e-4) {
        // Rust writes 1.18e21, Python 1.18e+21 and at least two digits.
        let written = format!("{f:e}");
        let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{f:?}")
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// `type(value).__name__`
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// White space, as Python has it.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `int(text)`: optional sign, digits, single underscores between them, white space around.
#[must_use]
pub fn int(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let fine = !digits.is_empty()
        && !digits.starts_with('_')
        && !digits.ends_with('_')
        && !digits.contains("__")
        && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    if fine { text.replace('_', "").parse().ok() } else { None }
}

/// ISO 8601 as `datetime.fromisoformat` reads it, without the forms nobody sends: a date, and if need
/// be a time of hours, minutes, seconds and decimals, and an offset. Without an offset it is UTC.
#[must_use]
pub fn datetime(text: &str) -> Option<DateTime<Utc>> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = iso_date(date)?;
    if rest.is_empty() {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    let local = NaiveDateTime::new(date, iso_time(time)?);
    let utc = local.and_local_timezone(iso_offset(offset)?).single()?.with_timezone(&Utc);
    Some(utc).filter(|t| (1..=9999).contains(&t.year()))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    if text.len() == count && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn iso_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let (month, day) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).filter(|d| d.year() >= 1)
}

fn iso_time(text: &str) -> Option<NaiveTime> {
    let (clock, decimals) = match text.split_once(['.', ',']) {
        Some((clock, decimals)) => (clock, Some(decimals)),
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = parts.next().map_or(Some(0), |p| digits(p, 2))?;
    let second = parts.next();
    if parts.next().is_some() || (decimals.is_some() && second.is_none()) {
        return None;
    }
    let second = second.map_or(Some(0), |p| digits(p, 2))?;
    let micros = match decimals {
        None => 0,
        Some(d) if !d.is_empty() && d.len() <= 9 && d.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{:0<6}", d.get(..6).unwrap_or(d)).parse().ok()?
        }
        Some(_) => return None,
    };
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
}

fn iso_offset(text: &str) -> Option<FixedOffset> {
    if text.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let rest = rest.replace(':', "");
    let (hours, minutes) = match rest.len() {
        2 => (digits(&rest, 2)?, 0),
        4 => (digits(rest.get(..2)?, 2)?, digits(rest.get(2..)?, 2)?),
        _ => return None,
    };
    let seconds = i32::try_from(TimeDelta::minutes(i64::from(hours * 60 + minutes)).num_seconds()).ok()?;
    FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_look_like_pythons() {
        let cases = [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(1.5), "1.5"),
            (json!(2.0), "2.0"),
            (json!(1.180_591_620_717_411_3e21), "1.1805916207174113e+21"),
            (json!(1e-5), "1e-05"),
            (json!(["a", {"b": 1}]), "['a', {'b': 1}]"),
            (json!("it's"), "\"it's\""),
            (json!("a\u{0}b"), "'a\\x00b'"),
        ];
        for (value, expected) in cases {
            assert_eq!(repr(&value), expected);
        }
    }

    #[test]
    fn moments_are_read() {
        let read = |text| datetime(text).map(|t| t.to_rfc3339());
        for (text, expected) in [
            ("2001-01-01", "2001-01-01T00:00:00+00:00"),
            ("2001-01-01T00:00:00", "2001-01-01T00:00:00+00:00"),
            ("2001-01-01 10:20", "2001-01-01T10:20:00+00:00"),
            ("2001-01-01T00:00:00+05:30", "2000-12-31T18:30:00+00:00"),
            ("2001-01-01T00:00:00.123456Z", "2001-01-01T00:00:00.123456+00:00"),
            ("2001-01-01T00:00:00.5-0100", "2001-01-01T01:00:00.500+00:00"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "soon",
            "2001-13-01",
            "2001-01-01T",
            "2001-01-01T25:00",
            "2001-01-01T00:00:00+99:99",
            "0001-01-01T00:00:00+05:00",
            "2001-1-1",
            "١٢٣٤-01-01",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (datetime(&text), int(&text), quoted(&text));
        }

        #[test]
        fn what_we_write_we_read(seconds in -62_135_596_800_i64..253_402_300_799, micros in 0_u32..1_000_000) {
            let t = DateTime::from_timestamp(seconds, micros * 1000).expect("in range");
            prop_assert_eq!(datetime(&tessera_api_runtime::Micros(t).to_string()), Some(t));
        }
    }
}
