//! Challenges: what a flow asks for, as the JSON of the wire (contract: authentik-core §6.3). The document
//! has a schema for each.

use super::Visit;
use crate::resource::users::avatar::{self, Whose};
use serde_json::{Map, Value, json};

/// A challenge.
pub type Challenge = Map<String, Value>;

/// Where a visitor goes who does not want to go on.
const CANCEL: &str = "/flows/-/cancel/";
/// The picture of somebody who has none.
const NO_PICTURE: &str = "/static/dist/assets/images/user_default.png";

/// What was wrong with an answer, by field, with the codes that clients tell them apart by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<(String, String, &'static str)>);

/// The field of faults that are none of one field.
pub const WHOLE: &str = "non_field_errors";

impl Faults {
    #[must_use]
    pub fn one(field: &str, text: impl Into<String>, code: &'static str) -> Self {
        let mut faults = Self::default();
        faults.add(field, text, code);
        faults
    }

    pub fn add(&mut self, field: &str, text: impl Into<String>, code: &'static str) {
        self.0.push((field.to_owned(), text.into(), code));
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field has a fault already.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|(name, ..)| name == field)
    }

    fn to_value(&self) -> Value {
        let mut all = Map::new();
        for (field, text, code) in &self.0 {
            let list = all.entry(field.clone()).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(json!({"string": text, "code": code}));
            }
        }
        Value::Object(all)
    }
}

fn map(value: Value) -> Challenge {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A challenge of a component with what is its own.
#[must_use]
pub fn of(visit: &Visit<'_>, component: &str, own: Value) -> Challenge {
    let mut challenge = map(json!({"flow_info": info(visit), "component": component}));
    challenge.extend(map(own));
    challenge
}

/// Adds what was wrong with the last answer.
#[must_use]
pub fn with_faults(mut challenge: Challenge, faults: &Faults) -> Challenge {
    challenge.insert("response_errors".to_owned(), faults.to_value());
    challenge
}

fn info(visit: &Visit<'_>) -> Value {
    let flow = visit.flow;
    let title = flow.title.replace("%(user)s", &shown_name(visit)).replace("%(app)s", "");
    json!({"title": title, "background": flow.background, "cancel_url": CANCEL, "layout": flow.layout})
}

/// What the visitor is called on the page.
fn shown_name(visit: &Visit<'_>) -> String {
    let shown = visit.plan.and_then(|plan| plan.shown_as.clone());
    let found = || visit.pending.or(visit.signed_in).map(|user| user.username.clone());
    shown.or_else(found).unwrap_or_default()
}

/// Whom the challenge is about.
#[must_use]
pub fn whom(visit: &Visit<'_>) -> Value {
    let name = shown_name(visit);
    let picture = match visit.pending.or(visit.signed_in) {
        // A picture would tell whether there is such an account.
        Some(user) if visit.plan.is_none_or(|plan| plan.proof.is_some()) => {
            avatar::url(&visit.settings.avatars, &Whose::from(user))
        }
        _ if name.is_empty() => NO_PICTURE.to_owned(),
        _ => avatar::named(&visit.settings.avatars, &name),
    };
    json!({"pending_user": name, "pending_user_avatar": picture})
}

/// The end: somebody is not let in.
#[must_use]
pub fn denied(visit: &Visit<'_>, message: &str) -> Challenge {
    let message = if message.is_empty() { "Unknown error" } else { message };
    let mut challenge = of(visit, "ak-stage-access-denied", whom(visit));
    challenge.insert("error_message".to_owned(), message.into());
    challenge
}

/// The end: the visitor goes elsewhere.
#[must_use]
pub fn redirect(to: &str) -> Challenge {
    map(json!({"component": "xak-flow-redirect", "to": to}))
}
