//! Prompts: the fields that administrators define, each with the control that fits its type. Their texts
//! are shown as text, never as markup.

use super::step::{Choice, Control, Field, Notice, Step};
use serde_json::{Map, Value};

/// A static prompt of this key is a notice above the form.
const EXPIRED: &str = "password_expired";

/// Languages, for prompts that ask for one.
const LOCALES: [(&str, &str); 14] = [
    ("en", "English"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("it", "Italiano"),
    ("ko", "한국어"),
    ("nl", "Nederlands"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ru", "Русский"),
    ("tr", "Türkçe"),
    ("zh-Hans", "简体中文"),
    ("zh-Hant", "繁體中文"),
    ("cs", "Čeština"),
];

/// A value as text in a field.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(prompt: &Map<String, Value>, key: &str) -> String {
    prompt.get(key).map(shown).unwrap_or_default()
}

/// Adds the fields of a prompt stage. `account` is who is signed in, for password managers.
pub(super) fn fill(step: &mut Step, prompts: &[Value], account: Option<&str>) {
    let mut prompts: Vec<&Map<String, Value>> = prompts.iter().filter_map(Value::as_object).collect();
    prompts.sort_by_key(|prompt| prompt.get("order").and_then(Value::as_i64).unwrap_or_default());
    for prompt in prompts {
        if text(prompt, "type") == "static" && text(prompt, "field_key") == EXPIRED {
            let words = [text(prompt, "label"), text(prompt, "initial_value")];
            let texts = words.iter().flat_map(|words| words.lines()).map(str::to_owned).collect();
            step.notices.push(Notice { good: false, texts });
            "Choose a new password".clone_into(&mut step.heading);
        } else {
            step.fields.push(field(prompt));
        }
    }
    let asks_password = step.fields.iter().any(|field| field.control == Control::Input("password"));
    let asks_name = step.fields.iter().any(|field| field.autocomplete == Some("username"));
    if asks_password && !asks_name {
        step.account = account.map(str::to_owned);
    }
}

/// Control, kind for reading the form, and what browsers may fill in.
fn drawn(kind: &str, key: &str) -> (Control, &'static str, Option<&'static str>) {
    match kind {
        "text_area" | "text_area_read_only" => (Control::Area, "text_area", None),
        "username" => (Control::Input("text"), "username", Some("username")),
        "email" => (Control::Input("email"), "email", Some("email")),
        "password" => {
            let old = ["current", "old"].iter().any(|word| key.contains(word));
            (Control::Input("password"), "password", Some(if old { "current-password" } else { "new-password" }))
        }
        "number" => (Control::Input("number"), "number", None),
        "checkbox" => (Control::Checkbox, "checkbox", None),
        "radio-button-group" => (Control::Radio, "radio-button-group", None),
        "dropdown" => (Control::Dropdown, "dropdown", None),
        "ak-locale" => (Control::Dropdown, "ak-locale", Some("language")),
        "date" => (Control::Input("date"), "date", None),
        "date-time" => (Control::Input("datetime-local"), "date-time", None),
        "file" => (Control::Input("file"), "file", None),
        "separator" => (Control::Separator, "separator", None),
        "hidden" => (Control::Hidden, "hidden", None),
        "static" => (Control::Static, "static", None),
        // Plain text, read-only or not, and kinds that are yet to come.
        _ => (Control::Input("text"), "text", (key == "name").then_some("name")),
    }
}

fn field(prompt: &Map<String, Value>) -> Field {
    let (kind, key) = (text(prompt, "type"), text(prompt, "field_key"));
    let (control, read_as, autocomplete) = drawn(&kind, &key);
    let mut field = Field::new(control, &key, &text(prompt, "label"));
    field.kind = (!matches!(control, Control::Static | Control::Separator)).then_some(read_as);
    field.autocomplete = autocomplete;
    field.fixed = kind.ends_with("_read_only");
    // A box that must be there need not be ticked.
    let must = prompt.get("required").and_then(Value::as_bool).unwrap_or_default();
    field.required = must && !field.fixed && control != Control::Checkbox;
    field.placeholder = text(prompt, "placeholder");
    field.hint = Some(text(prompt, "sub_text")).filter(|hint| !hint.is_empty());
    field.value = text(prompt, "initial_value");
    match control {
        Control::Checkbox => {
            let off = ["", "0", "false", "none", "off", "no"].contains(&field.value.to_lowercase().as_str());
            field.value = (!off).to_string();
        }
        Control::Input("password" | "file") => field.value.clear(),
        Control::Input("date") => field.value.truncate(cut(&field.value, 10)),
        // Browsers know neither zones nor fractions here.
        Control::Input("datetime-local") => {
            field.value = field.value.chars().take(16).collect::<String>().replace(' ', "T")
        }
        Control::Separator if field.label.is_empty() => field.label = field.placeholder.clone(),
        _ => {}
    }
    let choices = prompt.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    field.choices = choices.iter().map(choice).collect();
    if kind == "ak-locale" && field.choices.is_empty() {
        let known = LOCALES.map(|(value, label)| Choice { value: value.to_owned(), label: label.to_owned() });
        field.choices = known.into();
        if !field.value.is_empty() && field.choices.iter().all(|choice| choice.value != field.value) {
            field.choices.push(Choice { value: field.value.clone(), label: field.value.clone() });
        }
    }
    // What has no label is called by what stands in it, so that it has a name at all.
    if field.label.is_empty() && !matches!(control, Control::Static | Control::Separator) {
        field.label = if field.placeholder.is_empty() { key } else { field.placeholder.clone() };
    }
    // Said twice, it only looks as if the field were filled in.
    if field.placeholder == field.label {
        field.placeholder.clear();
    }
    field
}

/// Where to cut a text to at most `characters`.
fn cut(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// A choice is a text, or a value with a label.
fn choice(choice: &Value) -> Choice {
    let part = |key| choice.get(key).map(shown);
    let value = part("value").unwrap_or_else(|| shown(choice));
    Choice { label: part("label").unwrap_or_else(|| value.clone()), value }
}
