//! Policies that are expressions: what an expression is told, and what it may ask
//! (contract: authentik-core §5.7).
//!
//! [`crate::expression`] runs it in a worker. [`objects`] makes accounts and groups as the expression sees
//! them, [`queries`] turns its lookups into conditions, [`host`] answers what it asks.

mod facts;
mod host;
mod objects;
mod queries;

use super::{Fault, LogLine, Outcome, Request, run::Others};
use crate::{
    app::App,
    ctx::Ctx,
    error::{Error, Result},
    expression::{Done, End, Failure, Run, Unchecked, Written, syntax},
};
use serde_json::{Map, Value};
use std::{pin::Pin, time::Duration};

/// Who logs that an expression returned nothing.
const EVALUATOR: &str = "authentik.policies.expression.evaluator";

/// What a visit tells its policies as objects: see `prelude/start.py`.
const OBJECTS: [&str; 2] = ["flow_plan", "pending_user"];

/// The field of a policy that holds its expression.
const FIELD: &str = "expression";

tokio::task_local! {
    /// How many expressions wait for the one that runs, each having called the policy of the next.
    static DEPTH: usize;
}

/// What an answer from the engine is, for [`CallPolicy`].
pub type Called<'a> = Pin<Box<dyn Future<Output = Result<Option<Outcome>, Fault>> + Send + 'a>>;

/// Runs another policy by its name, for `ak_call_policy`. The engine is one.
pub trait CallPolicy: Send + Sync {
    /// Asks the policy of this name; `None` when there is none. It must be asked in the task that called:
    /// how deep policies call each other is counted there.
    fn call<'a>(&'a self, ctx: &'a Ctx, name: &'a str, request: &'a mut Request) -> Called<'a>;
}

/// Whether a text can be stored as the expression of an object called `name`.
///
/// # Errors
/// The sentence of the contract, about the field `expression`; [`Error::Unavailable`] when no worker can
/// be had.
pub async fn check(app: &App, name: &str, source: &str) -> Result<()> {
    match app.expressions.check(source).await {
        Ok(()) => Ok(()),
        Err(Unchecked::Refused(refused)) => Err(Error::rule(FIELD, syntax::sentence(&refused, name))),
        Err(Unchecked::Unavailable) => Err(Error::Unavailable("no worker checks the expression".into())),
    }
}

/// Asks an expression. Its changes to the context are in `request` afterwards, as far as they are JSON.
/// `limit` is the binding's time; the configuration's holds too.
///
/// # Errors
/// [`Fault::Policy`] where the expression itself failed, in Python's words; [`Fault::Other`] where the
/// server did.
pub async fn evaluate(
    ctx: &Ctx,
    policies: &dyn CallPolicy,
    policy_name: &str,
    source: &str,
    request: &mut Request,
    limit: Duration,
) -> Result<Outcome, Fault> {
    let wanted = Wanted { name: policy_name, source, limit, value: false };
    let (ended, mut log) = asked(ctx, policies, wanted, request).await;
    let answer = ended.and_then(|done| outcome(ctx, policy_name, source, request, done, &mut log));
    if answer.is_err() {
        request.log.append(&mut log);
    }
    answer
}

/// The value of an expression that is no policy's: it knows `user` and, where it is a prompt's,
/// `prompt_context`, which is taken from the context.
///
/// # Errors
/// When the database is away. A [`Fault`] is what Python says in the last line of a traceback, or that the
/// server failed.
pub async fn value(ctx: &Ctx, source: &str, request: &mut Request) -> Result<Result<Value, Fault>> {
    let wanted = Wanted { name: VALUE, source, limit: Duration::MAX, value: true };
    let (ended, mut log) = asked(ctx, &Others, wanted, request).await;
    request.log.append(&mut log);
    Ok(ended.and_then(|done| match done.end {
        End::Returned { value, .. } => Ok(value.unwrap_or_default()),
        End::Raised { kind, text, .. } => Err(Fault::Policy(shortened(format!("builtins.{kind}: {text}")))),
        End::Refused(refused) => {
            let text = format!("builtins.SyntaxError: {} ({VALUE}, line {})", refused.text, refused.line);
            Err(Fault::Policy(text))
        }
        End::TooLong | End::TooMuch => Err(Fault::Policy("Expression was ended.".to_owned())),
    }))
}

/// What an expression that is no policy's is called in its log.
const VALUE: &str = "expression";

/// How an expression is asked.
struct Wanted<'a> {
    name: &'a str,
    source: &'a str,
    limit: Duration,
    /// Whether the value itself is wanted.
    value: bool,
}

async fn asked(
    ctx: &Ctx,
    policies: &dyn CallPolicy,
    wanted: Wanted<'_>,
    request: &mut Request,
) -> (Result<Done, Fault>, Vec<LogLine>) {
    let Wanted { name, source, limit, value } = wanted;
    let depth = DEPTH.try_with(|depth| *depth).unwrap_or_default();
    let wants = objects::Wants::of(source);
    let input = match facts::of(ctx, request, &wants).await {
        Ok(input) => input,
        Err(error) => return (Err(broken(&error)), Vec::new()),
    };
    let run = Run { source, input, now: ctx.now, wants_value: value, limit, depth };
    let mut host = host::PolicyHost::new(ctx, policies, name, request, wants);
    let ended = DEPTH.scope(depth + 1, ctx.app.expressions.run(run, &mut host)).await;
    let (fault, log) = host.finish();
    // What the server could not answer must not become an answer of the expression's.
    let ended = match (fault, ended) {
        (Some(fault), _) => Err(fault),
        (None, Ok(done)) => Ok(done),
        (None, Err(failure @ Failure::Unavailable)) => Err(Fault::Other(failure.to_string())),
        (None, Err(failure)) => Err(Fault::Policy(failure.to_string())),
    };
    (ended, log)
}

fn outcome(
    ctx: &Ctx,
    policy: &str,
    source: &str,
    request: &mut Request,
    done: Done,
    log: &mut Vec<LogLine>,
) -> Result<Outcome, Fault> {
    let Done { end, messages, log: written, context } = done;
    if let Some(context) = context {
        let given = std::mem::replace(&mut request.context, context);
        // They are objects in an expression, which do not come back; the visit knows them anyway.
        for (key, value) in given.into_iter().filter(|(key, _)| OBJECTS.contains(&key.as_str())) {
            request.context.insert(key, value);
        }
    }
    // A worker may send four mebibytes, and there may be hundreds of bindings.
    log.extend(written.into_iter().take(MOST_SAID).map(|line| logged(ctx, policy, line)));
    let messages = messages.into_iter().take(MOST_SAID).map(shortened).collect();
    let (truth, none) = match end {
        End::Returned { truth, none, .. } => (truth, none),
        End::Raised { text, .. } => return Err(Fault::Policy(shortened(text))),
        End::Refused(refused) => return Err(Fault::Policy(syntax::sentence(&refused, policy))),
        End::TooLong | End::TooMuch => return Err(Fault::Policy("Expression was ended.".to_owned())),
    };
    if none {
        let mut attributes = Map::new();
        attributes.insert("policy".to_owned(), policy.into());
        attributes.insert("src".to_owned(), source.into());
        log.push(line(ctx, "warning", EVALUATOR, "Expression policy returned None", attributes));
    }
    Ok(Outcome { passing: truth, messages, log: std::mem::take(log) })
}

/// Most messages of one run, and most lines of its log.
const MOST_SAID: usize = 200;
/// Longest message, in characters.
const LONGEST_MESSAGE: usize = 4096;

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn logged(ctx: &Ctx, policy: &str, Written { level, event, attributes }: Written) -> LogLine {
    let level = match level.as_str() {
        "debug" => "debug",
        "warning" => "warning",
        "error" => "error",
        "critical" => "critical",
        _ => "info",
    };
    line(ctx, level, policy, &event, attributes)
}

/// A line for whoever tests the policy. The server's own log gets only that there was one: what
/// administrators log may be anything.
fn line(ctx: &Ctx, level: &'static str, logger: &str, event: &str, attributes: Map<String, Value>) -> LogLine {
    tracing::debug!(level, logger, "an expression logged");
    LogLine { timestamp: ctx.now, level, logger: logger.to_owned(), event: event.to_owned(), attributes }
}

/// An error of the server's, for the log; whoever asked learns only that there was one.
fn broken(error: &Error) -> Fault {
    tracing::error!("an expression could not be answered: {}", error.with_causes());
    Fault::Other(error.to_string())
}
