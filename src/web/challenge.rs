//! From a challenge, as headless clients get it, to a step that a page can show.

use super::{
    fault::Fault,
    page::{Link, without_host},
    prompt,
    step::{Button, Control, Field, List, Notice, Step},
};
use serde_json::{Map, Value};

/// Where signing in begins.
pub(super) const AUTHENTICATION: &str = "/flows/-/default/authentication/";

type Object = Map<String, Value>;

fn text<'v>(object: &'v Object, key: &str) -> Option<&'v str> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn flag(object: &Object, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'v>(object: &'v Object, key: &str) -> &'v [Value] {
    object.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A link, if the challenge has one that stays on this server.
fn link(object: &Object, key: &str, words: &str) -> Option<Link> {
    text(object, key).and_then(without_host).map(|to| Link::new(to, words))
}

/// The step for a challenge. `given` is the answer that was not accepted, `account` who is signed in.
pub(super) fn step(challenge: &Object, given: Option<&Object>, account: Option<&str>) -> Result<Step, Fault> {
    let component = text(challenge, "component").unwrap_or_default();
    let title = challenge.get("flow_info").and_then(Value::as_object).and_then(|info| text(info, "title"));
    let title = title.unwrap_or("Continue");
    let mut step = Step { component: component.to_owned(), ..Step::default() };
    match component {
        "ak-stage-identification" => identification(&mut step, challenge, title),
        "ak-stage-password" => password(&mut step, challenge),
        "ak-stage-user-login" => stay(&mut step, challenge),
        "ak-stage-consent" => consent(&mut step, challenge, title),
        "ak-stage-prompt" => {
            title.clone_into(&mut step.heading);
            prompt::fill(&mut step, list(challenge, "fields"), account);
            step.buttons = vec![Button::new("Continue")];
        }
        "ak-stage-email" => {
            "Check your mail".clone_into(&mut step.heading);
            step.texts = vec![
                "A message with a link is on its way to you. Open the link to continue.".to_owned(),
                "Nothing there after a few minutes? Look among unwanted mail, or have it sent again.".to_owned(),
            ];
            step.buttons = vec![Button::new("Send it again")];
            step.links = vec![Link::new("/flows/-/cancel/", "Cancel")];
        }
        "ak-stage-dummy" => {
            title.clone_into(&mut step.heading);
            step.buttons = vec![Button::new("Continue")];
        }
        "ak-stage-access-denied" => denied(&mut step, challenge),
        "ak-stage-flow-error" => flow_error(&mut step, challenge),
        other => return Err(Fault::Unknown(other.to_owned())),
    }
    // Who has just typed something wrong finds the rest as he left it, passwords apart.
    if let Some(given) = given {
        for field in step.fields.iter_mut().filter(|field| !field.fixed && refilled(field.control)) {
            if let Some(value) = given.get(&field.name) {
                field.value = prompt::shown(value);
            }
        }
    }
    errors(&mut step, challenge);
    Ok(step.finish())
}

fn refilled(control: Control) -> bool {
    !matches!(control, Control::Input("password" | "file") | Control::Hidden | Control::Static | Control::Separator)
}

fn identification(step: &mut Step, challenge: &Object, title: &str) {
    let signing_in = text(challenge, "flow_designation").is_none_or(|kind| kind == "authentication");
    step.heading = if signing_in { "Sign in".to_owned() } else { title.to_owned() };
    if let Some(application) = text(challenge, "application_pre") {
        step.texts.push(format!("to continue to {application}"));
    }
    let names: Vec<&str> = list(challenge, "user_fields").iter().filter_map(Value::as_str).collect();
    if !names.is_empty() {
        let mut field = Field::new(Control::Input("text"), "uid_field", &either(&names));
        field.autocomplete = Some("username");
        step.fields.push(field);
        let both = flag(challenge, "password_fields");
        if both {
            step.fields.push(current_password());
        }
        step.buttons = vec![Button::new(if both && signing_in { "Sign in" } else { "Continue" })];
    } else {
        step.texts.push("There is no way to sign in here.".to_owned());
    }
    step.links.extend(link(challenge, "recovery_url", "Forgot your password?"));
    step.links.extend(link(challenge, "enroll_url", "Create an account"));
}

/// What may be typed to be found: "Email or username".
fn either(fields: &[&str]) -> String {
    let names = fields.iter().map(|field| match *field {
        "email" => "email",
        "username" => "username",
        "upn" => "user principal name",
        other => other,
    });
    let names: Vec<&str> = names.collect();
    let joined = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    };
    let mut letters = joined.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn current_password() -> Field {
    let mut field = Field::new(Control::Input("password"), "password", "Password");
    field.autocomplete = Some("current-password");
    field
}

fn password(step: &mut Step, challenge: &Object) {
    "Enter your password".clone_into(&mut step.heading);
    step.who = text(challenge, "pending_user").map(str::to_owned);
    step.account = step.who.clone();
    step.fields = vec![current_password()];
    step.buttons = vec![Button::new("Sign in")];
    step.links.extend(link(challenge, "recovery_url", "Forgot your password?"));
}

fn stay(step: &mut Step, challenge: &Object) {
    "Stay signed in?".clone_into(&mut step.heading);
    step.who = text(challenge, "pending_user").map(str::to_owned);
    step.texts = vec!["On a device that others use too, rather not.".to_owned()];
    step.buttons = vec![
        Button { text: "Stay signed in", name: "remember_me", value: Some("true") },
        Button { text: "Not now", name: "remember_me", value: Some("false") },
    ];
}

fn consent(step: &mut Step, challenge: &Object, title: &str) {
    title.clone_into(&mut step.heading);
    step.who = text(challenge, "pending_user").map(str::to_owned);
    step.texts.extend(text(challenge, "header_text").map(str::to_owned));
    for (key, heading) in [("permissions", "It may"), ("additional_permissions", "New: it may also")] {
        let names = list(challenge, key).iter().filter_map(|permission| {
            let permission = permission.as_object()?;
            text(permission, "name").or_else(|| text(permission, "id")).map(str::to_owned)
        });
        let items: Vec<String> = names.collect();
        if !items.is_empty() {
            step.lists.push(List { heading, items });
        }
    }
    let mut token = Field::new(Control::Hidden, "token", "");
    text(challenge, "token").unwrap_or_default().clone_into(&mut token.value);
    step.fields = vec![token];
    step.buttons = vec![Button::new("Allow")];
    step.links = vec![Link::new("/", "Do not allow")];
}

fn denied(step: &mut Step, challenge: &Object) {
    "Access denied".clone_into(&mut step.heading);
    let message = text(challenge, "error_message").unwrap_or("Unknown error");
    step.errors = message.lines().map(str::to_owned).collect();
    if let Some(name) = text(challenge, "pending_user") {
        step.texts = vec![format!("This is about the account {name}.")];
    }
    step.links = vec![Link::new(AUTHENTICATION, "Start again")];
}

fn flow_error(step: &mut Step, challenge: &Object) {
    "Something went wrong".clone_into(&mut step.heading);
    step.errors = vec!["This step could not be done. It is not your fault.".to_owned()];
    step.errors.extend(text(challenge, "error").map(str::to_owned));
    if let Some(id) = text(challenge, "request_id") {
        step.texts = vec![format!("Whoever runs this server can look it up under {id}.")];
    }
    step.links = vec![Link::new(AUTHENTICATION, "Start again")];
}

/// Puts what the stage says about the answer where it belongs.
fn errors(step: &mut Step, challenge: &Object) {
    let Some(by_field) = challenge.get("response_errors").and_then(Value::as_object) else { return };
    for (name, found) in by_field {
        for found in found.as_array().map(Vec::as_slice).unwrap_or_default() {
            let said = found.get("string").map(prompt::shown).unwrap_or_default();
            if found.get("code").and_then(Value::as_str) == Some("email-sent") {
                step.notices.push(Notice { good: true, texts: vec![said] });
                continue;
            }
            match step.fields.iter_mut().find(|field| field.name == *name && field.control != Control::Hidden) {
                Some(field) => field.errors.push(said),
                None => step.errors.push(said),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::step;
    use crate::web::{fault::Fault, step::Control};
    use serde_json::{Map, Value, json};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn passwords_are_not_filled_in_again() {
        let challenge = object(json!({
            "component": "ak-stage-identification", "user_fields": ["email", "username"], "password_fields": true,
            "flow_designation": "authentication", "recovery_url": "https://a.example/if/flow/r/",
            "response_errors": {"non_field_errors": [{"string": "Failed to authenticate.", "code": "invalid"}]},
        }));
        let given = object(json!({"uid_field": "ada", "password": "secret"}));
        let step = step(&challenge, Some(&given), None).expect("a step");
        let values: Vec<&str> = step.fields.iter().map(|field| field.value.as_str()).collect();
        assert_eq!(values, ["ada", ""]);
        assert_eq!((step.fields[0].label.as_str(), step.heading.as_str()), ("Email or username", "Sign in"));
        assert_eq!(step.errors, ["Failed to authenticate."]);
        assert_eq!(step.links[0].to, "/if/flow/r/");
        assert!(step.fields.iter().all(|field| !field.focus), "the errors have the focus");
    }

    #[test]
    fn faults_go_to_their_fields() {
        let challenge = object(json!({
            "component": "ak-stage-password", "pending_user": "ada",
            "response_errors": {"password": [{"string": "Invalid password", "code": "invalid"}]},
        }));
        let step = step(&challenge, None, None).expect("a step");
        assert_eq!(step.fields[0].errors, ["Invalid password"]);
        assert!(step.failed() && step.fields[0].focus && step.errors.is_empty());
        assert_eq!(step.fields[0].described_by().as_deref(), Some("field-0-fault"));
    }

    #[test]
    fn a_sent_mail_is_no_fault() {
        let challenge = object(json!({
            "component": "ak-stage-email",
            "response_errors": {"non_field_errors": [{"string": "Sent.", "code": "email-sent"}]},
        }));
        let step = step(&challenge, None, None).expect("a step");
        assert!(!step.failed() && step.notices[0].good);
    }

    #[test]
    fn prompts_are_in_order_with_their_kinds() {
        let prompt = |key: &str, kind: &str, order: i32, value: Value| {
            json!({"field_key": key, "type": kind, "order": order, "label": "", "placeholder": "", "required": true,
                "initial_value": value, "sub_text": "", "choices": ["a", {"value": "b", "label": "B"}]})
        };
        let fields = json!([
            prompt("n", "number", 2, json!(3)),
            prompt("c", "checkbox", 1, json!("False")),
            prompt("d", "dropdown", 3, json!("b")),
            prompt("password_expired", "static", 0, json!("Too old.")),
            prompt("t", "date-time", 4, json!("2026-11-28 10:20:30Z")),
            prompt("password", "password", 5, json!("never shown")),
        ]);
        let challenge = object(json!({"component": "ak-stage-prompt", "flow_info": {"title": "T"}, "fields": fields}));
        let step = step(&challenge, None, Some("ada")).expect("a step");
        let values: Vec<&str> = step.fields.iter().map(|field| field.value.as_str()).collect();
        assert_eq!(values, ["false", "3", "b", "2026-11-28T10:20", ""]);
        assert_eq!(step.fields[2].choices[1].label, "B");
        assert!(!step.fields[0].required, "a box need not be ticked");
        assert_eq!(step.fields[4].control, Control::Input("password"));
        assert_eq!(step.notices[0].texts, ["Too old."]);
        assert_eq!(step.account.as_deref(), Some("ada"));
        let kinds = r#"{"c":"checkbox","d":"dropdown","n":"number","password":"password","t":"date-time"}"#;
        assert_eq!(step.kinds().as_deref(), Some(kinds));
    }

    #[test]
    fn unknown_steps_are_named() {
        let challenge = object(json!({"component": "ak-stage-captcha"}));
        assert!(matches!(step(&challenge, None, None), Err(Fault::Unknown(name)) if name == "ak-stage-captcha"));
    }
}
