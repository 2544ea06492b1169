//! The policy that looks at an event, for notification rules (contract: authentik-core §5.7, §7.1).

use super::{Outcome, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an event is compared with; `None` is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventMatcherSettings {
    pub action: Option<String>,
    /// Compared as text; networks are for expressions.
    pub client_ip: Option<String>,
    /// The event's own `app`, whole: `authentik.core` is not `authentik.core.api.tokens`.
    pub app: Option<String>,
    /// `<app label>.<model name>` of the event's `context.model`.
    pub model: Option<String>,
}

/// Passes when any criterion fits the event in `context["event"]`: an object with `action`, `client_ip`,
/// `app` and `context`. Without an event, or without criteria, it fails.
///
/// Each criterion that is set gives its message, even when another one fits: so the original.
#[must_use]
pub fn evaluate(settings: &EventMatcherSettings, request: &Request) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(Value::Object(event)) = request.context.get("event") else { return outcome };
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let mut check = |wanted: &Option<String>, found: Option<&str>, message: &str| {
        if let Some(wanted) = wanted {
            outcome.passing |= found == Some(wanted.as_str());
            outcome.messages.push(message.to_owned());
        }
    };
    check(&settings.action, text("action"), "Action matched.");
    check(&settings.client_ip, text("client_ip"), "Client IP matched.");
    check(&settings.app, text("app"), "App matched.");
    check(&settings.model, event.get("context").and_then(model).as_deref(), "Model matched.");
    outcome
}

/// `<app label>.<model name>` of the object that an event is about.
fn model(context: &Value) -> Option<String> {
    let model = context.get("model")?;
    Some(format!("{}.{}", model.get("app")?.as_str()?, model.get("model_name")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(settings: &Value, context: Value) -> (bool, Vec<String>) {
        let settings: EventMatcherSettings = serde_json::from_value(settings.clone()).expect("settings");
        let Value::Object(context) = context else { panic!("an object") };
        let outcome =
            evaluate(&settings, &Request { user: None, context, debug: false, testing: false, log: Vec::new() });
        assert!(outcome.log.is_empty());
        (outcome.passing, outcome.messages)
    }

    fn event() -> Value {
        json!({"event": {
            "action": "secret_view",
            "app": "authentik.core.api.tokens",
            "client_ip": "192.0.2.1",
            "context": {"model": {"app": "authentik_core", "model_name": "token", "pk": "1", "name": "x"}},
        }})
    }

    #[test]
    fn each_criterion_fits_alone() {
        for (settings, message) in [
            (json!({"action": "secret_view"}), "Action matched."),
            (json!({"client_ip": "192.0.2.1"}), "Client IP matched."),
            (json!({"app": "authentik.core.api.tokens"}), "App matched."),
            (json!({"model": "authentik_core.token"}), "Model matched."),
        ] {
            assert_eq!(asked(&settings, event()), (true, vec![message.to_owned()]), "{settings}");
        }
    }

    #[test]
    fn one_that_fits_is_enough_and_all_that_are_set_speak() {
        let settings = json!({"action": "login", "client_ip": "192.0.2.2", "app": "authentik.core", "model": "authentik_core.token"});
        let messages = ["Action matched.", "Client IP matched.", "App matched.", "Model matched."].map(str::to_owned);
        assert_eq!(asked(&settings, event()), (true, messages.to_vec()));
        let settings = json!({"action": "login", "app": "authentik.core"});
        let messages = ["Action matched.", "App matched."].map(str::to_owned);
        assert_eq!(asked(&settings, event()), (false, messages.to_vec()));
    }

    #[test]
    fn no_criteria_or_no_event_fail_in_silence() {
        assert_eq!(asked(&json!({}), event()), (false, vec![]));
        assert_eq!(asked(&json!({"action": null, "model": null}), event()), (false, vec![]));
        assert_eq!(asked(&json!({"action": "login"}), json!({})), (false, vec![]));
        assert_eq!(asked(&json!({"action": "login"}), json!({"event": "login"})), (false, vec![]));
    }

    #[test]
    fn what_an_event_lacks_fits_nothing() {
        for event in [
            json!({}),
            json!({"context": null, "client_ip": null}),
            json!({"context": {"model": "x"}}),
            json!({"context": {"model": {"app": "a"}}}),
        ] {
            let settings = json!({"client_ip": "", "model": "None.None"});
            let messages = vec!["Client IP matched.".to_owned(), "Model matched.".to_owned()];
            assert_eq!(asked(&settings, json!({ "event": event })), (false, messages));
        }
    }
}
