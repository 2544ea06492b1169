//! The audit trail: events, written in the transaction that causes them.
//!
//! A rule calls [`record`] with its [`Tx`]; what does not commit leaves no event, and what commits
//! has one. The events are chained ([`chain`]), so that a change from outside is found. Secrets are masked on the way in ([`redact`]), never on the way out.

pub mod chain;
pub mod entity;
pub mod redact;
pub mod store;

pub use entity::{Entity, Model};

use crate::{
    access::{Account, Principal},
    ctx::Ctx,
    db::Tx,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What happened (contract: authentik-core §7.1); more kinds come with the features that cause them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    ModelCreated,
    ModelUpdated,
    ModelDeleted,
    PasswordSet,
    SecretView,
    SecretRotate,
    SystemTaskExecution,
    Login,
    LoginFailed,
    Logout,
    UserWrite,
    EmailSent,
    ImpersonationStarted,
    ImpersonationEnded,
    AuthorizeApplication,
    PolicyExecution,
    PolicyException,
    /// Whatever an administrator's expression calls it; see [`Event::custom`].
    Custom,
}

impl Action {
    /// The value on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ModelCreated => "model_created",
            Self::ModelUpdated => "model_updated",
            Self::ModelDeleted => "model_deleted",
            Self::PasswordSet => "password_set",
            Self::SecretView => "secret_view",
            Self::SecretRotate => "secret_rotate",
            Self::SystemTaskExecution => "system_task_execution",
            Self::Login => "login",
            Self::LoginFailed => "login_failed",
            Self::Logout => "logout",
            Self::UserWrite => "user_write",
            Self::EmailSent => "email_sent",
            Self::ImpersonationStarted => "impersonation_started",
            Self::ImpersonationEnded => "impersonation_ended",
            Self::AuthorizeApplication => "authorize_application",
            Self::PolicyExecution => "policy_execution",
            Self::PolicyException => "policy_exception",
            Self::Custom => CUSTOM,
        }
    }
}

/// How the names of events begin that expressions make.
const CUSTOM: &str = "custom_";
/// Longest name of an event that an expression makes, in characters.
const LONGEST_NAME: usize = 200;

/// The object an event is about.
#[derive(Debug, Clone)]
pub struct Subject {
    /// App label, e.g. `authentik_core`.
    pub app: &'static str,
    pub model: &'static str,
    /// Primary key as text; UUIDs as 32 hex digits.
    pub pk: String,
    pub name: String,
}

impl Subject {
    #[must_use]
    pub fn new(app: &'static str, model: &'static str, pk: impl ToString, name: impl Into<String>) -> Self {
        Self { app, model, pk: pk.to_string(), name: name.into() }
    }

    /// As JSON, the way the contexts of events hold it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({"app": self.app, "model_name": self.model, "pk": self.pk, "name": self.name})
    }
}

/// An event about to be recorded.
#[derive(Debug)]
pub struct Event {
    action: Action,
    app: &'static str,
    context: Map<String, Value>,
    /// The account it happened to, where that is not the caller.
    user: Option<Value>,
    /// Whether it came from the address of the request all the same.
    from_here: bool,
    /// Name and origin, where they are not ours.
    custom: Option<(String, String)>,
}

/// The part of the original that notices changes of models; the value of `app` in their events.
const MIDDLEWARE: &str = "authentik.events.middleware";

impl Event {
    /// An event whose context holds `subject` under `key`.
    #[must_use]
    pub fn about(action: Action, app: &'static str, key: &str, subject: &Subject) -> Self {
        let mut context = Map::new();
        context.insert(key.to_owned(), subject.to_value());
        Self { action, app, context, user: None, from_here: false, custom: None }
    }

    /// An event about no object.
    #[must_use]
    pub fn plain(action: Action, app: &'static str) -> Self {
        Self { action, app, context: Map::new(), user: None, from_here: false, custom: None }
    }

    /// An event that an expression makes: stored as `custom_<name>`, and as coming from `app`.
    #[must_use]
    pub fn custom(name: &str, app: &str, context: Map<String, Value>) -> Self {
        let text = |text: &str| text.replace('\0', "\u{fffd}").chars().take(LONGEST_NAME).collect::<String>();
        let custom = Some((format!("{CUSTOM}{}", text(name)), text(app)));
        Self { action: Action::Custom, app: "", context, user: None, from_here: false, custom }
    }

    /// An object was made; `fields` is what it was made with.
    #[must_use]
    pub fn created(subject: &Subject, fields: &Value) -> Self {
        let mut event = Self::about(Action::ModelCreated, MIDDLEWARE, "model", subject);
        let diff: Map<String, Value> = fields
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), json!({"previous_value": null, "new_value": value})))
            .collect();
        event.context.insert("diff".to_owned(), Value::Object(diff));
        event
    }

    #[must_use]
    pub fn updated(subject: &Subject) -> Self {
        Self::about(Action::ModelUpdated, MIDDLEWARE, "model", subject)
    }

    #[must_use]
    pub fn deleted(subject: &Subject) -> Self {
        Self::about(Action::ModelDeleted, MIDDLEWARE, "model", subject)
    }

    /// Adds a part to the context.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.context.insert(key.to_owned(), value);
        self
    }

    /// Adds a sentence for people.
    #[must_use]
    pub fn saying(self, message: impl Into<String>) -> Self {
        self.with("message", Value::String(message.into()))
    }

    /// Names nobody, and no address.
    #[must_use]
    pub fn of_nobody(mut self) -> Self {
        self.user = Some(json!({}));
        self
    }

    /// Names the account whose doing it is, though the request was not yet, or is no longer, in its name.
    #[must_use]
    pub fn by_user(mut self, id: i32, username: &str, email: &str) -> Self {
        self.from_here = true;
        self.of_user(id, username, email)
    }

    /// Names who acts as somebody else from now on, and as whom.
    #[must_use]
    pub fn on_behalf_of(mut self, own: &Account, acted: (i32, &str, &str)) -> Self {
        let (pk, username, email) = acted;
        self.from_here = true;
        self.user = Some(json!({
            "pk": own.id, "username": own.username, "email": own.email,
            "on_behalf_of": {"pk": pk, "username": username, "email": email},
        }));
        self
    }

    /// Names the account it happened to instead of the caller, without an address
    /// (contract: authentik-core §7.2).
    #[must_use]
    pub fn of_user(mut self, id: i32, username: &str, email: &str) -> Self {
        self.user = Some(json!({"pk": id, "username": username, "email": email}));
        self
    }
}

/// What `client_ip` says when there is no client.
const NO_ADDRESS: &str = "255.255.255.255";

/// Adds an event to the caller's transaction; it is written, and linked to those before it, when the
/// transaction commits.
pub fn record(tx: &Tx, ctx: &Ctx, event: Event) {
    // Whose it is not, their address would be the caller's.
    let address = ctx.request.as_ref().filter(|_| event.user.is_none() || event.from_here).and_then(|r| r.client_ip);
    let user = event.user.unwrap_or_else(|| caller(&ctx.principal));
    let mut context = redact::clean(Value::Object(event.context));
    redact::shorten(&mut context);
    if let (Some(request), Value::Object(context)) = (&ctx.request, &mut context) {
        let args = args(&request.path, &request.query);
        context.insert(
            "http_request".to_owned(),
            json!({
                "path": short(&request.path, LONGEST_PATH),
                "method": request.method,
                "args": redact::clean(Value::Object(args)),
                "user_agent": short(&request.user_agent, LONGEST_AGENT),
                "request_id": request.id,
            }),
        );
    }
    if let (Some(bearer), Value::Object(context)) =
        (ctx.principal.account().and_then(|a| a.bearer.as_ref()), &mut context)
    {
        // Which of the account's credentials it was.
        context.insert("client_id".to_owned(), json!(bearer.client.simple().to_string()));
    }
    let (action, app) = event.custom.unwrap_or_else(|| (event.action.as_str().to_owned(), event.app.to_owned()));
    tx.change_events(chain::Change::Recorded(Box::new(Model {
        id: ctx.uuid(),
        user,
        action,
        app,
        context,
        client_ip: Some(address.map_or(NO_ADDRESS.to_owned(), |ip| ip.to_string())),
        created: ctx.now,
        expires: tx.settings().event_retention.after(ctx.now),
        brand: brand(),
        sequence: None,
        search: String::new(),
    })));
}

/// Longest path of a request in an event, in characters.
const LONGEST_PATH: usize = 1024;
/// Longest name of a client in an event, in characters.
const LONGEST_AGENT: usize = 512;
/// Longest query that an event takes apart, in bytes; of a longer one it shows how long it was.
const LONGEST_QUERY: usize = 4096;

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The arguments of a request; the executor's are those of the query that it is given inside its own (contract:
/// authentik-core §7.1), so that a link's key is known by its name there too.
fn args(path: &str, query: &str) -> Map<String, Value> {
    if query.len() > LONGEST_QUERY {
        return Map::from_iter([("query_bytes".to_owned(), json!(query.len()))]);
    }
    let parsed = |query: &str| -> Map<String, Value> {
        form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| {
                let shown = if redact::is_credential(&value) { redact::MASK.to_owned() } else { value.into_owned() };
                (name.into_owned(), Value::String(shown))
            })
            .collect()
    };
    let mut args = parsed(query);
    if path.contains("/flows/executor/")
        && let Some(Value::String(inner)) = args.remove("query")
    {
        args.extend(parsed(&inner));
    }
    args
}

/// The brand that events name; there is one.
#[must_use]
pub fn brand() -> Value {
    json!({
        "app": "authentik_brands",
        "model_name": "brand",
        "pk": Uuid::nil().simple().to_string(),
        "name": "Brand fallback",
    })
}

fn caller(principal: &Principal) -> Value {
    match principal {
        Principal::Account(a) => {
            let acted = json!({"pk": a.id, "username": a.username, "email": a.email});
            match &a.original {
                None => acted,
                Some(own) => {
                    json!({"pk": own.id, "username": own.username, "email": own.email, "on_behalf_of": acted})
                }
            }
        }
        Principal::Anonymous | Principal::System => json!({}),
    }
}
