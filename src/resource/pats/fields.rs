//! Rules for single values, the same for a new token and for a patch.

use super::entity::Scopes;
use crate::error::{FieldErrors, Problem};
use chrono::{DateTime, Months, SubsecRound as _, Utc};

/// Longest name, in characters.
const LONGEST_NAME: usize = 255;
/// Most scopes of a token: they are in every bearer token, and those are in a header.
const MOST_SCOPES: usize = 100;
/// Longest scope, in characters.
const LONGEST_SCOPE: usize = 128;
/// All scopes of a token together, in characters.
const SCOPES_TOGETHER: usize = 4096;
/// Bounds of a bearer token's life, in seconds.
pub const VALIDITY: std::ops::RangeInclusive<i32> = 15..=43_200;
/// Life of bearer tokens unless somebody says otherwise, in seconds.
pub const USUAL_VALIDITY: i32 = 43_200;
/// Most tokens of an owner; those the server made for itself are not counted.
pub const MOST_TOKENS: u64 = 10;

pub const NAME: &str = "name";
pub const SCOPE: &str = "scope";
pub const EXPIRATION: &str = "expirationDate";
pub const NEVER: &str = "userAwareTokenNeverExpires";

/// How long tokens live that are made through one family of paths (contract: sailpoint-pat §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// At most six months, and exactly that when nobody says.
    SixMonths,
    /// As long as somebody says, or without end when that is acknowledged.
    Explicit,
}

/// A name without white space at its ends.
pub fn name(given: &str, errors: &mut FieldErrors) -> String {
    let name = given.trim();
    if name.is_empty() {
        errors.add(NAME, Problem::Missing("This field may not be blank.".into()));
    } else if name.chars().count() > LONGEST_NAME {
        errors.add(NAME, Problem::Rule(format!("A name has at most {LONGEST_NAME} characters.")));
    } else if name.chars().any(char::is_control) {
        errors.add(NAME, Problem::Rule("A name has no control characters.".into()));
    }
    name.to_owned()
}

/// Scopes, any that RFC 6749 §3.3 can write.
pub fn scopes(given: Vec<String>, errors: &mut FieldErrors) -> Scopes {
    let is_token = |scope: &String| {
        (1..=LONGEST_SCOPE).contains(&scope.len())
            && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    if given.len() > MOST_SCOPES {
        errors.add(SCOPE, Problem::Limit(format!("A token has at most {MOST_SCOPES} scopes.")));
    } else if let Some(place) = given.iter().position(|scope| !is_token(scope)) {
        let text =
            format!("Item {place} is no scope: 1 to {LONGEST_SCOPE} printable ASCII characters, without blanks.");
        errors.add(SCOPE, Problem::Rule(text));
    } else if given.iter().map(String::len).sum::<usize>() > SCOPES_TOGETHER {
        errors.add(SCOPE, Problem::Limit(format!("All scopes together have at most {SCOPES_TOGETHER} characters.")));
    }
    Scopes(given)
}

/// When a token ends that is made now; `None` when it never does.
pub fn end(
    rule: Rule,
    wanted: Option<DateTime<Utc>>,
    acknowledged: bool,
    now: DateTime<Utc>,
    errors: &mut FieldErrors,
) -> Option<DateTime<Utc>> {
    let wanted = wanted.map(|end| end.trunc_subsecs(3));
    let latest = || now.checked_add_months(Months::new(6)).unwrap_or(now).trunc_subsecs(3);
    match (rule, wanted) {
        (_, Some(end)) if end <= now => errors.add(EXPIRATION, Problem::Rule("This date is past.".into())),
        (Rule::SixMonths, Some(end)) if end > latest() => {
            errors.add(EXPIRATION, Problem::Rule("A token ends within six months.".into()));
        }
        (Rule::SixMonths, None) => return Some(latest()),
        (Rule::Explicit, None) if !acknowledged => {
            let text = format!("Say when the token ends, or acknowledge with {NEVER} that it never does.");
            errors.add(EXPIRATION, Problem::Missing(text));
        }
        _ => {}
    }
    wanted
}
