//! Who may do what: the one place that decides, from superuser status, ownership and grants.
//!
//! A permission (`app_label.codename`) is held globally or on single objects, by a user or by a role
//! of one of the user's groups; superusers hold everything. Which rows are *visible* comes first,
//! then the verb (contract: authentik-rbac §1, §7).

use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// Permission codes that rules name.
pub mod code {
    pub const VIEW_USER: &str = "authentik_core.view_user";
    pub const VIEW_GROUP: &str = "authentik_core.view_group";
    pub const ADD_GROUP: &str = "authentik_core.add_group";
    pub const VIEW_ROLE: &str = "authentik_rbac.view_role";
    pub const VIEW_TOKEN: &str = "authentik_core.view_token";
    pub const VIEW_TOKEN_KEY: &str = "authentik_core.view_token_key";
    pub const VIEW_EVENT: &str = "authentik_events.view_event";
    pub const VIEW_BINDING: &str = "authentik_policies.view_policybinding";
    pub const VIEW_APPLICATION: &str = "authentik_core.view_application";
    pub const VIEW_USER_APPLICATIONS: &str = "authentik_core.view_user_applications";
    pub const VIEW_POLICY_CACHE: &str = "authentik_policies.view_policy_cache";
    pub const VIEW_REPUTATION: &str = "authentik_policies_reputation.view_reputation";
    pub const VIEW_FLOW: &str = "authentik_flows.view_flow";
    pub const VIEW_STAGE_BINDING: &str = "authentik_flows.view_flowstagebinding";
    pub const VIEW_FLOW_CACHE: &str = "authentik_flows.view_flow_cache";
    pub const VIEW_BRAND: &str = "authentik_brands.view_brand";
    pub const SET_TOKEN_KEY: &str = "authentik_core.set_token_key";
    pub const CHANGE_TOKEN: &str = "authentik_core.change_token";
    pub const DELETE_TOKEN: &str = "authentik_core.delete_token";
    /// What `system_permissions` of one's own account lists.
    pub const SYSTEM: [&str; 10] = [
        "access_admin_interface",
        "add_role",
        "assign_role_permissions",
        "change_role",
        "delete_role",
        "edit_system_settings",
        "unassign_role_permissions",
        "view_role",
        "view_system_info",
        "view_system_settings",
    ];
    /// Label of the permissions in [`SYSTEM`].
    pub const SYSTEM_LABEL: &str = "authentik_rbac.";
}

/// Where one permission is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    pub global: bool,
    /// Primary keys as text.
    pub objects: BTreeSet<String>,
}

/// Permissions by code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<String, Extent>);

impl Grants {
    /// Adds a grant; `object: None` is global.
    pub fn add(&mut self, permission: String, object: Option<String>) {
        let extent = self.0.entry(permission).or_default();
        match object {
            Some(object) => {
                extent.objects.insert(object);
            }
            None => extent.global = true,
        }
    }

    fn get(&self, permission: &str) -> Option<&Extent> {
        self.0.get(permission)
    }

    /// Every permission with where it is held.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Extent)> {
        self.0.iter().map(|(code, extent)| (code.as_str(), extent))
    }

    /// Whether everything in `other` is also held here.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        other.iter().all(|(code, wanted)| {
            let held = self.get(code);
            let global = held.is_some_and(|h| h.global);
            global || (!wanted.global && wanted.objects.iter().all(|o| held.is_some_and(|h| h.objects.contains(o))))
        })
    }
}

/// An account that has shown valid credentials.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: i32,
    pub uuid: Uuid,
    pub username: String,
    pub email: String,
    pub superuser: bool,
    pub grants: Grants,
    /// The token whose key was shown.
    pub token: Option<Uuid>,
    /// The session whose cookie was shown.
    pub session: Option<Uuid>,
    /// Who really calls, while he acts as this account.
    pub original: Option<Original>,
    /// The bearer token that was shown; its scopes bound what the account may do with it.
    pub bearer: Option<Arc<Bearer>>,
    /// When the credentials end; checked at every use.
    pub expires: Option<DateTime<Utc>>,
}

/// What a bearer token says, once it is known to be ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The personal access token it was issued to.
    pub client: Uuid,
    pub scopes: Vec<String>,
    pub expires: DateTime<Utc>,
}

impl Bearer {
    /// Whether its time is over: it is not taken at that moment any more (RFC 7519 §4.1.4).
    #[must_use]
    pub fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.expires <= now
    }

    /// Whether one of the alternatives is held whole.
    #[must_use]
    pub fn reaches<'s>(&self, mut alternatives: impl Iterator<Item = &'s [&'s str]>) -> bool {
        alternatives.any(|scopes| scopes.iter().all(|scope| self.scopes.iter().any(|held| held == scope)))
    }
}

/// Somebody who acts as somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    pub id: i32,
    pub username: String,
    pub email: String,
}

/// Who calls.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it is shared, so that only the largest is ever kept")]
pub enum Principal {
    /// No credentials were given.
    Anonymous,
    /// The server itself, or somebody at its command line: may do everything.
    System,
    Account(Account),
}

/// Which rows of a kind exist for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible<'p> {
    All,
    /// Only these primary keys; never empty.
    Some(&'p BTreeSet<String>),
    None,
}

impl Principal {
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Account(account) => Some(account),
            Self::Anonymous | Self::System => None,
        }
    }

    /// # Errors
    /// [`Error::NotAuthenticated`] for anonymous callers and for the system, which has no account.
    pub fn require_account(&self) -> Result<&Account> {
        self.account().ok_or(Error::NotAuthenticated)
    }

    /// Whether nothing is forbidden.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        match self {
            Self::System => true,
            Self::Account(account) => account.superuser,
            Self::Anonymous => false,
        }
    }

    fn extent(&self, permission: &str) -> Option<&Extent> {
        self.account().and_then(|a| a.grants.get(permission))
    }

    /// Whether a permission is held on all objects.
    #[must_use]
    pub fn holds(&self, permission: &str) -> bool {
        self.is_superuser() || self.extent(permission).is_some_and(|e| e.global)
    }

    /// Whether a permission is held on this object.
    #[must_use]
    pub fn holds_on(&self, permission: &str, object: &str) -> bool {
        self.is_superuser() || self.extent(permission).is_some_and(|e| e.global || e.objects.contains(object))
    }

    /// Which rows a view permission shows.
    #[must_use]
    pub fn visible(&self, permission: &str) -> Visible<'_> {
        if self.holds(permission) {
            return Visible::All;
        }
        match self.extent(permission) {
            Some(extent) if !extent.objects.is_empty() => Visible::Some(&extent.objects),
            _ => Visible::None,
        }
    }

    /// Decides a call by the permissions its operation names (`x-access`). The first permission of a
    /// detail operation shows the row; the others must hold on it or globally. On a collection, only
    /// a listing is content with single objects.
    ///
    /// # Errors
    /// [`Error::Forbidden`], or [`Error::NotFound`] when some rows are visible and this one is not.
    pub fn authorize(&self, codes: &[&str], object: Option<&str>, listing: bool) -> Result<()> {
        if self.is_superuser() {
            return Ok(());
        }
        let Some((first, others)) = codes.split_first() else { return Err(Error::Forbidden) };
        let Some(object) = object else {
            let seen = listing && self.visible(first) != Visible::None;
            let allowed = (seen || self.holds(first)) && others.iter().all(|code| self.holds(code));
            return if allowed { Ok(()) } else { Err(Error::Forbidden) };
        };
        match self.visible(first) {
            Visible::None => Err(Error::Forbidden),
            Visible::Some(objects) if !objects.contains(object) => Err(Error::NotFound),
            _ if others.iter().all(|code| self.holds_on(code, object)) => Ok(()),
            _ => Err(Error::Forbidden),
        }
    }

    /// Whether everything that `grants` allow is allowed to this principal too.
    #[must_use]
    pub fn covers(&self, grants: &Grants) -> bool {
        self.is_superuser() || self.account().is_some_and(|a| a.grants.cover(grants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(grants: &[(&str, Option<&str>)]) -> Principal {
        let mut held = Grants::default();
        for (code, object) in grants {
            held.add((*code).to_owned(), object.map(str::to_owned));
        }
        Principal::Account(Account {
            id: 7,
            uuid: Uuid::nil(),
            username: "u".into(),
            email: String::new(),
            superuser: false,
            grants: held,
            token: None,
            session: None,
            original: None,
            bearer: None,
            expires: None,
        })
    }

    fn outcome(p: &Principal, codes: &[&str], object: Option<&str>, listing: bool) -> u16 {
        match p.authorize(codes, object, listing) {
            Ok(()) => 200,
            Err(Error::NotFound) => 404,
            Err(_) => 403,
        }
    }

    /// The matrix of authentik-rbac §7: list, retrieve granted and other, create, change granted and other.
    #[test]
    fn the_matrix() {
        let (view, add, change) = ("l.view", "l.add", "l.change");
        type Held<'a> = &'a [(&'a str, Option<&'a str>)];
        let rows: [(Held<'_>, [u16; 6]); 8] = [
            (&[], [403, 403, 403, 403, 403, 403]),
            (&[(add, None)], [403, 403, 403, 200, 403, 403]),
            (&[(change, None)], [403, 403, 403, 403, 403, 403]),
            (&[(view, None)], [200, 200, 200, 403, 403, 403]),
            (&[(view, Some("1"))], [200, 200, 404, 403, 403, 404]),
            (&[(view, None), (add, None)], [200, 200, 200, 200, 403, 403]),
            (&[(view, None), (change, None)], [200, 200, 200, 403, 200, 200]),
            (&[(view, Some("1")), (change, Some("1"))], [200, 200, 404, 403, 200, 404]),
        ];
        for (grants, expected) in rows {
            let p = holder(grants);
            let got = [
                outcome(&p, &[view], None, true),
                outcome(&p, &[view], Some("1"), false),
                outcome(&p, &[view], Some("2"), false),
                outcome(&p, &[add], None, false),
                outcome(&p, &[view, change], Some("1"), false),
                outcome(&p, &[view, change], Some("2"), false),
            ];
            assert_eq!(got, expected, "{grants:?}");
        }
    }

    #[test]
    fn grants_cover_what_they_hold() {
        let grants = |list: &[(&str, Option<&str>)]| holder(list).account().expect("account").grants.clone();
        let global = grants(&[("a", None)]);
        let one = grants(&[("a", Some("1"))]);
        let two = grants(&[("a", Some("1")), ("a", Some("2"))]);
        assert!(global.cover(&one) && global.cover(&global) && two.cover(&one));
        assert!(!one.cover(&two) && !one.cover(&global) && !Grants::default().cover(&one));
    }
}
