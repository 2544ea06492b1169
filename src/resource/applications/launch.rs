//! Where an application is opened: its URL, filled in for whoever opens it (contract: authentik-core §4.2).

use crate::resource::users::view::UserView;
use std::borrow::Cow;

/// `url` with each `%(field)s` replaced by that field of the account; `%%` is a percent sign. A field that
/// accounts do not have leaves the whole as it is, like in the original.
#[must_use]
pub fn url(url: &str, user: Option<&UserView>) -> String {
    let Some(user) = user.filter(|_| url.contains('%')) else { return url.to_owned() };
    filled(url, user).unwrap_or_else(|| url.to_owned())
}

fn filled(url: &str, user: &UserView) -> Option<String> {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (name, after) = after.strip_prefix('(')?.split_once(")s")?;
        out.push_str(&field(user, name)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Fields that say who somebody is; never one that lets somebody in.
fn field<'a>(user: &'a UserView, name: &str) -> Option<Cow<'a, str>> {
    Some(match name {
        "username" => Cow::Borrowed(user.username.as_str()),
        "name" => Cow::Borrowed(user.name.as_str()),
        "email" => Cow::Borrowed(user.email.as_str()),
        "path" => Cow::Borrowed(user.path.as_str()),
        "id" | "pk" => Cow::Owned(user.id.to_string()),
        "uuid" => Cow::Owned(user.uuid.to_string()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::users::entity::Kind;
    use serde_json::Map;
    use uuid::Uuid;

    fn ann() -> UserView {
        UserView {
            id: 7,
            uuid: Uuid::nil(),
            username: "ann".into(),
            name: "Ann".into(),
            email: "ann@example.org".into(),
            is_active: true,
            last_login: None,
            path: "users".into(),
            kind: Kind::Internal,
            attributes: Map::new(),
            groups: Vec::new(),
        }
    }

    #[test]
    fn placeholders() {
        for (given, expected) in [
            ("https://a.test/%(username)s?m=%(email)s", "https://a.test/ann?m=ann@example.org"),
            ("https://a.test/%(id)s/100%%", "https://a.test/7/100%"),
            ("https://a.test/%(password)s", "https://a.test/%(password)s"),
            ("https://a.test/%20x", "https://a.test/%20x"),
            ("https://a.test/%(username", "https://a.test/%(username"),
            ("https://a.test/", "https://a.test/"),
        ] {
            assert_eq!(url(given, Some(&ann())), expected, "{given}");
        }
        assert_eq!(url("%(username)s", None), "%(username)s");
    }
}
