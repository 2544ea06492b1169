//! JSON Patch (RFC 6902) on what can be changed of a token (contract: sailpoint-pat §6): applied to a copy, as a whole
//! or not at all, and read back.

use super::{
    entity::{Model, Scopes},
    fields::{self, EXPIRATION, NAME, NEVER, Rule, SCOPE},
};
use crate::{
    error::{Error, FieldErrors, Problem, Result},
    time,
};
use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use json_patch::PatchOperation;
use serde_json::{Value, json};

/// Most steps of a patch.
const MOST_STEPS: usize = 100;

/// What a patch makes of a token; what it does not touch is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub name: Option<String>,
    pub scope: Option<Scopes>,
    /// The inner `None`: it never ends.
    pub expires: Option<Option<DateTime<Utc>>>,
    pub never_expires: Option<bool>,
}

/// Which fields a patch may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those of a family of paths.
    Family(Rule),
    /// When tokens end, alone.
    Ends,
}

impl Reach {
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Family(Rule::SixMonths) => &[NAME, SCOPE],
            Self::Family(Rule::Explicit) => &[NAME, SCOPE, EXPIRATION, NEVER],
            Self::Ends => &[EXPIRATION, NEVER],
        }
    }
}

/// A patch that was read, and the fields it touches.
#[derive(Debug, Clone)]
pub struct Patch {
    steps: Vec<PatchOperation>,
    touched: Vec<&'static str>,
}

impl Patch {
    /// Reads a patch. A step without `value` has null for one: that is how the original's Python client writes it.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is no array; [`Error::Invalid`] for a step that is none, that does what is not done
    /// here, or that touches what may not be.
    pub fn read(patch: &Value, reach: Reach) -> Result<Self> {
        let Some(steps) = patch.as_array() else { return Err(Error::Refused("A patch is an array.".into())) };
        if steps.len() > MOST_STEPS {
            return Err(Error::field("patch", Problem::Limit(format!("A patch has at most {MOST_STEPS} steps."))));
        }
        let mut read = Self { steps: Vec::with_capacity(steps.len()), touched: Vec::new() };
        for (place, step) in steps.iter().enumerate() {
            let (step, touched) = step_of(step, reach)
                .map_err(|text| Error::field("patch", Problem::Rule(format!("Step {place}: {text}"))))?;
            read.steps.push(step);
            read.touched.extend(touched);
        }
        Ok(read)
    }

    /// What it makes of a token.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a test that fails, or a value that a rule forbids.
    pub fn apply(&self, token: &Model, now: DateTime<Utc>) -> Result<Change> {
        let mut document = json!({
            NAME: token.name,
            SCOPE: token.scope.0,
            EXPIRATION: token.expires.map(|end| end.to_rfc3339_opts(SecondsFormat::Millis, true)),
            NEVER: token.never_expires,
        });
        json_patch::patch(&mut document, &self.steps).map_err(|fault| {
            // Not the library's text: it is about its own words.
            let text = format!("Step {} cannot be applied.", fault.operation);
            Error::field("patch", Problem::Rule(text))
        })?;
        self.read_back(&document, now)
    }

    fn touches(&self, field: &str) -> bool {
        self.touched.contains(&field)
    }

    fn read_back(&self, document: &Value, now: DateTime<Utc>) -> Result<Change> {
        let mut errors = FieldErrors::default();
        let mut change = Change::default();
        if self.touches(NAME) {
            match &document[NAME] {
                Value::String(given) => change.name = Some(fields::name(given, &mut errors)),
                Value::Null => errors.add(NAME, Problem::Missing("A token has a name.".into())),
                _ => errors.add(NAME, Problem::Rule("Text is wanted.".into())),
            }
        }
        if self.touches(SCOPE) {
            // Null is no way to say "everything": a token would get more by having its scopes taken away.
            match serde_json::from_value::<Vec<String>>(document[SCOPE].clone()) {
                Ok(given) => change.scope = Some(fields::scopes(given, &mut errors)),
                Err(_) => errors.add(SCOPE, Problem::Rule("An array of texts is wanted.".into())),
            }
        }
        if self.touches(NEVER) {
            match &document[NEVER] {
                Value::Bool(flag) => change.never_expires = Some(*flag),
                Value::Null => change.never_expires = Some(false),
                _ => errors.add(NEVER, Problem::Rule("A boolean is wanted.".into())),
            }
        }
        self.read_end(document, now, &mut change, &mut errors);
        errors.finish()?;
        Ok(change)
    }

    fn read_end(&self, document: &Value, now: DateTime<Utc>, change: &mut Change, errors: &mut FieldErrors) {
        let given = &document[EXPIRATION];
        if !self.touches(EXPIRATION) {
            if given.is_null() && change.never_expires == Some(false) {
                let text = format!("A token without {EXPIRATION} never ends, and that stays acknowledged.");
                errors.add(NEVER, Problem::Rule(text));
            }
            return;
        }
        let end = match given {
            Value::Null => None,
            Value::String(text) => match time::instant(text) {
                Some(end) => Some(end.trunc_subsecs(3)),
                None => return errors.add(EXPIRATION, Problem::Rule("A time as in ISO 8601 is wanted.".into())),
            },
            _ => return errors.add(EXPIRATION, Problem::Rule("A time as in ISO 8601 is wanted.".into())),
        };
        match end {
            Some(end) if end <= now => errors.add(EXPIRATION, Problem::Rule("This date is past.".into())),
            None if change.never_expires != Some(true) => {
                let text = format!("The same patch must acknowledge with {NEVER} that the token never ends.");
                errors.add(EXPIRATION, Problem::Missing(text));
            }
            end => {
                change.expires = Some(end);
                // What was acknowledged was that there is none.
                change.never_expires = change.never_expires.or_else(|| end.map(|_| false));
            }
        }
    }
}

/// One step, and the field that it changes; a test changes none.
fn step_of(step: &Value, reach: Reach) -> Result<(PatchOperation, Option<&'static str>), String> {
    let Some(step) = step.as_object() else { return Err("an object is wanted.".into()) };
    let text = |member: &str| step.get(member).and_then(Value::as_str);
    let Some(op) = text("op") else { return Err("`op` is missing.".into()) };
    let Some(path) = text("path") else { return Err("`path` is missing.".into()) };
    if !matches!(op, "add" | "replace" | "remove" | "test") {
        return Err("`op` is one of add, replace, remove and test.".into());
    }
    let field = path.strip_prefix('/').and_then(|name| reach.fields().iter().find(|field| **field == name));
    let Some(field) = field else {
        let paths: Vec<String> = reach.fields().iter().map(|field| format!("/{field}")).collect();
        return Err(format!("`path` is one of {}.", paths.join(", ")));
    };
    let value = step.get("value").cloned().unwrap_or_default();
    // Removed is null: every field stays one that there is.
    let written = match op {
        "remove" => json!({"op": "replace", "path": path, "value": null}),
        _ => json!({"op": op, "path": path, "value": value}),
    };
    let operation = serde_json::from_value(written).map_err(|_| "it cannot be read.".to_owned())?;
    Ok((operation, (op != "test").then_some(*field)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Keyring, PlainSecret};
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a moment")
    }

    fn token() -> Model {
        let secret = PlainSecret::new("secret".into());
        Model {
            id: Uuid::nil(),
            owner_id: 1,
            name: "before".into(),
            scope: Scopes(vec!["a".into()]),
            secret_digest: Keyring::new(&secret).digest(&secret),
            validity: 43_200,
            created: now(),
            expires: Some(now() + TimeDelta::days(1)),
            never_expires: false,
            last_used: None,
            managed: false,
            end_recorded: false,
            ceiling: None,
        }
    }

    fn applied(reach: Reach, patch: &Value) -> Result<Change> {
        Patch::read(patch, reach)?.apply(&token(), now())
    }

    /// The fields of a fault.
    fn faulty(reach: Reach, patch: &Value) -> Vec<&'static str> {
        match applied(reach, patch) {
            Err(Error::Invalid(errors)) => errors.iter().map(|(field, _)| field).collect(),
            other => panic!("{patch}: {other:?}"),
        }
    }

    const ALL: Reach = Reach::Family(Rule::Explicit);
    const OLD: Reach = Reach::Family(Rule::SixMonths);

    #[test]
    fn what_is_not_touched_stays() {
        assert_eq!(applied(ALL, &json!([])).expect("nothing"), Change::default());
        let tested = json!([{"op": "test", "path": "/name", "value": "before"}]);
        assert_eq!(applied(ALL, &tested).expect("a test"), Change::default());
        let renamed = applied(OLD, &json!([{"op": "add", "path": "/name", "value": " after "}])).expect("a name");
        assert_eq!(renamed, Change { name: Some("after".into()), ..Change::default() });
    }

    #[test]
    fn an_end_goes_only_when_it_is_acknowledged() {
        let gone = json!({"op": "replace", "path": "/expirationDate"});
        let acknowledged = json!({"op": "replace", "path": "/userAwareTokenNeverExpires", "value": true});
        assert_eq!(faulty(ALL, &json!([gone])), [EXPIRATION]);
        let change = applied(ALL, &json!([gone, acknowledged])).expect("both");
        assert_eq!((change.expires, change.never_expires), (Some(None), Some(true)));
        assert_eq!(applied(ALL, &json!([acknowledged])).expect("alone").expires, None);
        // What is taken back in the same patch was not acknowledged.
        let taken_back = json!({"op": "remove", "path": "/userAwareTokenNeverExpires"});
        assert_eq!(faulty(ALL, &json!([acknowledged, gone, taken_back])), [EXPIRATION]);
        let past = json!([{"op": "add", "path": "/expirationDate", "value": "2020-01-01T00:00:00Z"}]);
        assert_eq!(faulty(ALL, &past), [EXPIRATION]);
    }

    #[test]
    fn what_may_not_be_touched_is_named() {
        for path in
            ["/id", "/secret", "/owner/id", "/scope/0", "/scope/-", "", "/", "name", "/name/", "/expirationDate"]
        {
            assert_eq!(faulty(OLD, &json!([{"op": "replace", "path": path, "value": "x"}])), ["patch"], "{path}");
        }
        for step in [
            json!({"op": "move", "from": "/name", "path": "/scope"}),
            json!({"op": "copy", "from": "/name", "path": "/scope"}),
            json!({"op": "Replace", "path": "/name", "value": "x"}),
            json!({"path": "/name", "value": "x"}),
            json!({"op": "replace", "value": "x"}),
            json!({"op": "test", "path": "/name", "value": "other"}),
            json!("replace"),
            json!(null),
        ] {
            assert_eq!(faulty(ALL, &json!([step])), ["patch"], "{step}");
        }
        assert!(matches!(applied(ALL, &json!({})), Err(Error::Refused(_))));
        assert_eq!(
            faulty(ALL, &json!(vec![json!({"op": "test", "path": "/name", "value": "before"}); 101])),
            ["patch"]
        );
        for (path, value) in
            [("/scope", json!(null)), ("/scope", json!("a")), ("/scope", json!([1])), ("/name", json!(7))]
        {
            let step = json!([{"op": "replace", "path": path, "value": value}]);
            assert_eq!(faulty(ALL, &step), [path.trim_start_matches('/')]);
        }
    }

    fn a_step() -> impl Strategy<Value = Value> {
        let op = prop_oneof![Just("add"), Just("replace"), Just("remove"), Just("test")];
        let set = prop_oneof![
            (Just("/name"), prop_oneof![Just(json!("before")), "[a-z]{1,5}".prop_map(Value::from), Just(Value::Null)]),
            (Just("/scope"), prop_oneof![Just(json!(["a"])), Just(json!([])), Just(json!(["b", "c"])), Just(json!(7))]),
            (
                Just("/userAwareTokenNeverExpires"),
                prop_oneof![Just(json!(true)), Just(json!(false)), Just(Value::Null)]
            ),
            (
                Just("/expirationDate"),
                prop_oneof![Just(json!("2031-05-05T00:00:00.000Z")), Just(json!("x")), Just(Value::Null)]
            ),
        ];
        (op, set).prop_map(|(op, (path, value))| json!({"op": op, "path": path, "value": value}))
    }

    proptest! {
        /// Against the plainest way to do it: one field after the other, in a map.
        #[test]
        fn a_patch_does_what_its_steps_say(steps in proptest::collection::vec(a_step(), 0..8)) {
            let mut wanted = std::collections::BTreeMap::from([
                ("/name", json!("before")),
                ("/scope", json!(["a"])),
                ("/expirationDate", json!((now() + TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Millis, true))),
                ("/userAwareTokenNeverExpires", json!(false)),
            ]);
            let mut passes = true;
            for step in &steps {
                let (path, place) = wanted.iter_mut().find(|(path, _)| step["path"] == ***path).map(|(p, v)| (*p, v)).expect("known");
                match step["op"].as_str() {
                    Some("test") => passes &= *place == step["value"],
                    Some("remove") => *place = Value::Null,
                    _ => *place = step["value"].clone(),
                }
                prop_assert!(!path.is_empty());
            }
            match applied(ALL, &Value::Array(steps.clone())) {
                Ok(change) => {
                    prop_assert!(passes, "a test failed, and the patch was applied: {steps:?}");
                    if let Some(name) = &change.name {
                        prop_assert_eq!(&wanted["/name"], name);
                    }
                    if let Some(scope) = &change.scope {
                        prop_assert_eq!(&wanted["/scope"], &json!(scope.0));
                    }
                    if let Some(never) = change.never_expires {
                        prop_assert_eq!(wanted["/userAwareTokenNeverExpires"].as_bool().unwrap_or(false), never);
                    }
                    if let Some(end) = change.expires {
                        let text = end.map(|end| end.to_rfc3339_opts(SecondsFormat::Millis, true));
                        prop_assert_eq!(&wanted["/expirationDate"], &json!(text));
                        prop_assert!(end.is_some() || change.never_expires == Some(true));
                    }
                    let touched = |path: &str| steps.iter().any(|step| step["path"] == path && step["op"] != "test");
                    prop_assert_eq!(change.name.is_some(), touched("/name"));
                    prop_assert_eq!(change.scope.is_some(), touched("/scope"));
                }
                Err(Error::Invalid(errors)) => {
                    let sound = passes
                        && wanted["/name"].is_string()
                        && wanted["/scope"].is_array()
                        && match wanted["/expirationDate"].as_str() {
                            Some(text) => text.starts_with("20"),
                            // Acknowledged, and the last word on it.
                            None => wanted["/expirationDate"].is_null() && wanted["/userAwareTokenNeverExpires"] == true,
                        };
                    prop_assert!(!sound, "refused: {errors:?} {steps:?}");
                }
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn any_json_has_an_answer(patch in any_json()) {
            // Nothing but a fault about the patch, and never a change of what it does not name.
            match applied(OLD, &patch) {
                Ok(change) => prop_assert_eq!((change.expires, change.never_expires), (None, None)),
                Err(Error::Invalid(errors)) => prop_assert!(!errors.is_empty()),
                Err(Error::Refused(_)) => prop_assert!(!patch.is_array()),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!("replace")),
            Just(json!("/name")),
        ];
        let key =
            prop_oneof![Just("op".to_owned()), Just("path".to_owned()), Just("value".to_owned()), any::<String>()];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
