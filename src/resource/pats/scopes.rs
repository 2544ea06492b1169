//! What scopes are worth (contract: sailpoint-pat §2, §4): a scope grants rights, and what the owner may do caps them.
//!
//! Which scopes an operation needs at all is in the documents; the gate looks there.

use crate::access::{Principal, code};

/// Everything the owner may do.
pub const ALL: &str = "sp:scopes:all";

/// What somebody may do with personal access tokens. The contract calls them `idn:…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// `idn:my-personal-access-tokens:read`
    ReadOwn,
    /// `idn:my-personal-access-tokens:manage`
    ManageOwn,
    /// `idn:all-personal-access-tokens:read`
    ReadAll,
    /// `idn:all-personal-access-tokens:update`
    UpdateAll,
    /// `idn:all-personal-access-tokens:delete`
    DeleteAll,
}

use Right::{DeleteAll, ManageOwn, ReadAll, ReadOwn, UpdateAll};

/// The scopes that are worth something here, and what. All others are kept and grant nothing.
const TABLE: [(&str, &[Right]); 6] = [
    (ALL, &[ReadOwn, ManageOwn, ReadAll, UpdateAll, DeleteAll]),
    // For what needs no right.
    ("sp:scopes:default", &[]),
    ("sp:my-personal-access-tokens:read", &[ReadOwn]),
    ("sp:my-personal-access-tokens:manage", &[ReadOwn, ManageOwn]),
    // One's own are among all.
    ("sp:all-personal-access-tokens:read", &[ReadOwn, ReadAll]),
    ("sp:all-personal-access-tokens:manage", &[ReadOwn, ManageOwn, ReadAll, UpdateAll, DeleteAll]),
];

/// Whether the caller's scopes, where he has shown a bearer token, and his own level both reach so far.
#[must_use]
pub fn may(principal: &Principal, right: Right) -> bool {
    let bearer = principal.account().and_then(|account| account.bearer.as_deref());
    bearer.is_none_or(|bearer| granted(&bearer.scopes, right)) && reaches(principal, right)
}

fn granted(scopes: &[String], right: Right) -> bool {
    TABLE.iter().any(|(scope, rights)| rights.contains(&right) && scopes.iter().any(|held| held == scope))
}

/// What the account itself may do: anybody has his own; the permissions on tokens are those on these tokens, too.
fn reaches(principal: &Principal, right: Right) -> bool {
    let all = |more: Option<&str>| {
        principal.holds(code::VIEW_TOKEN) && more.is_none_or(|permission| principal.holds(permission))
    };
    match right {
        ReadOwn | ManageOwn => !matches!(principal, Principal::Anonymous),
        ReadAll => all(None),
        UpdateAll => all(Some(code::CHANGE_TOKEN)),
        DeleteAll => all(Some(code::DELETE_TOKEN)),
    }
}

/// What a scope is worth; nothing, when it is not in the table.
fn worth(scope: &str) -> &'static [Right] {
    TABLE.iter().find(|(known, _)| *known == scope).map_or(&[], |(_, rights)| rights)
}

/// What scopes reach that were asked for with a bearer token of the scopes in `ceiling`: nothing that it did not reach
/// itself, or whoever has a narrow one makes himself a wide one. Scopes that are worth nothing here may be asked for by
/// anybody.
#[must_use]
pub fn below(scopes: &[String], ceiling: Option<&[String]>) -> Vec<String> {
    let Some(ceiling) = ceiling.filter(|ceiling| !ceiling.iter().any(|scope| scope == ALL)) else {
        return scopes.to_vec();
    };
    let mut kept: Vec<String> = Vec::new();
    for scope in scopes {
        let covered = scope != ALL && worth(scope).iter().all(|right| granted(ceiling, *right));
        let instead = if scope == ALL { ceiling } else { std::slice::from_ref(scope) };
        for scope in instead.iter().filter(|scope| covered || ceiling.contains(scope)) {
            if !kept.contains(scope) {
                kept.push(scope.clone());
            }
        }
    }
    kept
}

/// The bound on what a caller asks for: his bearer token's scopes, where it has not all of them.
#[must_use]
pub fn ceiling(principal: &Principal) -> Option<Vec<String>> {
    let bearer = principal.account().and_then(|account| account.bearer.as_deref())?;
    (!bearer.scopes.iter().any(|scope| scope == ALL)).then(|| bearer.scopes.clone())
}

/// What is left of a bearer token's scopes when its personal access token has these now: what was taken away is gone
/// at once, what was added comes with the next one.
#[must_use]
pub fn remaining(issued: &[String], current: &[String]) -> Vec<String> {
    let everything = |scopes: &[String]| scopes.iter().any(|scope| scope == ALL);
    if everything(current) {
        return issued.to_vec();
    }
    let kept = |scope: &&String| everything(issued) || issued.contains(scope);
    current.iter().filter(kept).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_the_scopes_of_the_documents() {
        let document: serde_json::Value = serde_json::from_str(tessera_api::openapi::BETA_JSON).expect("JSON");
        let flows = &document["components"]["securitySchemes"]["userAuth"]["flows"]["clientCredentials"];
        let mut declared: Vec<&str> = flows["scopes"].as_object().expect("scopes").keys().map(String::as_str).collect();
        let mut known: Vec<&str> = TABLE.iter().map(|(scope, _)| *scope).collect();
        declared.sort_unstable();
        known.sort_unstable();
        assert_eq!(declared, known);
    }

    #[test]
    fn nobody_reaches_further_through_what_he_makes() {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (read, manage) = ("sp:my-personal-access-tokens:read", "sp:my-personal-access-tokens:manage");
        let everybodys = "sp:all-personal-access-tokens:manage";
        for (asked, ceiling, reached) in [
            (ALL, manage, manage),
            (ALL, everybodys, everybodys),
            (ALL, ALL, ALL),
            (read, manage, read),
            (manage, read, ""),
            (everybodys, manage, ""),
            (manage, everybodys, manage),
            ("custom:scope", manage, "custom:scope"),
            ("sp:scopes:default", manage, "sp:scopes:default"),
            (ALL, "", ""),
        ] {
            assert_eq!(below(&list(asked), Some(&list(ceiling))), list(reached), "{asked} below {ceiling}");
            assert_eq!(below(&list(asked), None), list(asked));
        }
    }

    #[test]
    fn narrowing_counts_at_once_and_widening_later() {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (issued, current, left) in [
            ("a b", "a", "a"),
            ("a", "a b", "a"),
            ("sp:scopes:all", "a b", "a b"),
            ("a", "sp:scopes:all", "a"),
            ("sp:scopes:all", "sp:scopes:all", "sp:scopes:all"),
            ("a", "", ""),
            ("", "a", ""),
        ] {
            assert_eq!(remaining(&list(issued), &list(current)), list(left), "{issued} / {current}");
        }
    }
}
