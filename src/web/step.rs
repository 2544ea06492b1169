//! One step of a flow as a page shows it: what the template walks over, made from a challenge.

use super::page::Link;
use std::collections::BTreeMap;

/// How a field is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// An `<input>` of this type.
    Input(&'static str),
    Area,
    Checkbox,
    Radio,
    Dropdown,
    Hidden,
    Static,
    Separator,
}

/// One of several values to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

/// A field of a form, or a text between fields.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) control: Control,
    /// Unique on the page.
    pub(super) id: String,
    pub(super) name: String,
    /// The kind of prompt, where reading the form needs it.
    pub(super) kind: Option<&'static str>,
    pub(super) label: String,
    pub(super) value: String,
    pub(super) placeholder: String,
    pub(super) hint: Option<String>,
    pub(super) required: bool,
    /// Shown, sent, but not to be changed.
    pub(super) fixed: bool,
    pub(super) autocomplete: Option<&'static str>,
    pub(super) choices: Vec<Choice>,
    pub(super) errors: Vec<String>,
    pub(super) focus: bool,
}

impl Field {
    /// A field that must be filled in.
    pub(super) fn new(control: Control, name: &str, label: &str) -> Self {
        Self {
            control,
            id: String::new(),
            name: name.to_owned(),
            kind: None,
            label: label.to_owned(),
            value: String::new(),
            placeholder: String::new(),
            hint: None,
            required: true,
            fixed: false,
            autocomplete: None,
            choices: Vec::new(),
            errors: Vec::new(),
            focus: false,
        }
    }

    /// The ids of what describes the field.
    pub(super) fn described_by(&self) -> Option<String> {
        let fault = (!self.errors.is_empty()).then(|| format!("{}-fault", self.id));
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.id));
        let ids: Vec<String> = hint.into_iter().chain(fault).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    /// Whether the label says that it may stay empty.
    pub(super) fn optional(&self) -> bool {
        !self.required && !self.fixed
    }

    /// Whether what is typed is a name rather than prose.
    pub(super) fn plain(&self) -> bool {
        matches!(self.autocomplete, Some("username" | "email"))
    }

    fn takes_input(&self) -> bool {
        !self.fixed && !matches!(self.control, Control::Hidden | Control::Static | Control::Separator)
    }
}

/// A button that sends the form; without a value it adds nothing to it.
#[derive(Debug, Clone)]
pub(super) struct Button {
    pub(super) text: &'static str,
    pub(super) name: &'static str,
    pub(super) value: Option<&'static str>,
}

impl Button {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, name: "", value: None }
    }
}

/// Something to know before the form.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) good: bool,
    pub(super) texts: Vec<String>,
}

/// A list with a heading.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) heading: &'static str,
    pub(super) items: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    pub(super) component: String,
    pub(super) heading: String,
    /// Whose step it is, where the page says so.
    pub(super) who: Option<String>,
    /// The account that a password on the page belongs to, for password managers.
    pub(super) account: Option<String>,
    pub(super) notices: Vec<Notice>,
    /// What is wrong with the answer as a whole.
    pub(super) errors: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) lists: Vec<List>,
    pub(super) fields: Vec<Field>,
    pub(super) buttons: Vec<Button>,
    pub(super) links: Vec<Link>,
}

impl Step {
    /// Gives the fields their ids, and one place the focus: the first fault, else the first thing to fill in.
    pub(super) fn finish(mut self) -> Self {
        for (at, field) in self.fields.iter_mut().enumerate() {
            field.id = format!("field-{at}");
        }
        if !self.focus_errors() {
            let faulty = self.fields.iter().position(|field| !field.errors.is_empty());
            let at = faulty.or_else(|| self.fields.iter().position(Field::takes_input));
            if let Some(field) = at.and_then(|at| self.fields.get_mut(at)) {
                field.focus = true;
            }
        }
        self
    }

    /// Whether the errors of the whole get the focus, rather than a field.
    pub(super) fn focus_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Whether the last answer was not accepted.
    pub(super) fn failed(&self) -> bool {
        !self.errors.is_empty() || self.fields.iter().any(|field| !field.errors.is_empty())
    }

    /// Whether the form sends files.
    pub(super) fn multipart(&self) -> bool {
        self.fields.iter().any(|field| field.control == Control::Input("file"))
    }

    /// The kinds of the prompts, for reading the form; `None` where there are none.
    pub(super) fn kinds(&self) -> Option<String> {
        if self.component != "ak-stage-prompt" {
            return None;
        }
        let kinds = self.fields.iter().filter_map(|field| Some((field.name.as_str(), field.kind?)));
        serde_json::to_string(&kinds.collect::<BTreeMap<_, _>>()).ok()
    }
}
