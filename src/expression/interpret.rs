//! One run of a program: the interpreter stops at everything that it cannot do itself, and goes on with
//! the answer.

use super::{
    native,
    program::{HOST, NATIVE, Program},
    protocol::{Done, End, Raised, Report, RunOrder, Written},
    value,
};
use chrono::{DateTime, Utc};
use monty::{FunctionCall, RunProgress};
use monty_types::{
    ExcType, ExtFunctionResult, MontyDate, MontyException, MontyObject, NameLookupResult, OsFunctionCall, PrintWriter,
    ResourceLimits, ResourceTracker,
};
use serde_json::{Map, Value};
use std::{io, time::Duration};

/// Longest time that a program may need before it asks for its input: it does nothing of its own till then.
const BEGINNING: Duration = Duration::from_secs(5);

/// Deepest nesting of calls; each takes a piece of the real stack.
const DEEPEST: usize = 500;

/// What `print` says goes nowhere.
const SILENT: PrintWriter<'static> = PrintWriter::Disabled;

/// A program that waits for its input.
pub struct Waiting(Box<FunctionCall>);

impl Waiting {
    /// Runs a program up to its input. `memory` is in bytes.
    ///
    /// # Errors
    /// What the interpreter says, memory above all.
    pub fn start(program: &Program, memory: usize) -> Result<Self, MontyException> {
        let limits = ResourceLimits::default()
            .max_duration(BEGINNING)
            .max_memory(memory)
            .max_recursion_depth(DEEPEST)
            .max_suspensions(usize::MAX);
        let function = |name: &str| MontyObject::Function { name: name.to_owned(), docstring: None };
        let inputs = vec![function(HOST), function(NATIVE)];
        match program.run.clone().start(inputs, ResourceTracker::new(limits), SILENT)? {
            RunProgress::FunctionCall(call) if asks_for_input(&call) => Ok(Self(Box::new(call))),
            _ => Err(MontyException::runtime_error("the program does not ask for its input")),
        }
    }
}

fn asks_for_input(call: &FunctionCall) -> bool {
    call.function_name == NATIVE && matches!(call.args.first(), Some(MontyObject::String(s)) if s == "input")
}

/// What the epilogue of a program says before an exception goes on.
struct Failed {
    text: String,
    log: Vec<Written>,
    context: Map<String, Value>,
}

/// Runs a program to its end. `ask` sends a [`Report::Call`] to the server and waits for the answer.
///
/// # Errors
/// Those of `ask`.
pub fn run(
    waiting: Result<Waiting, MontyException>,
    order: RunOrder,
    program: &Program,
    mut ask: impl FnMut(&Report) -> io::Result<Result<Value, Raised>>,
) -> io::Result<Done> {
    let RunOrder { input, now, wants_value, time, .. } = order;
    let given = input.get("context").cloned();
    let mut failed = None;
    let mut progress = waiting.and_then(|Waiting(mut call)| {
        call.tracker_mut().set_max_duration(Duration::from_millis(time));
        let mut input = input;
        input["wants_value"] = wants_value.into();
        call.resume(value::to_python(input), SILENT)
    });
    let outcome = loop {
        progress = match progress {
            Err(exception) => break Err(exception),
            Ok(RunProgress::Complete(value)) => break Ok(value),
            Ok(RunProgress::NameLookup(lookup)) => lookup.resume(NameLookupResult::Undefined, SILENT),
            Ok(RunProgress::OsCall(call)) => call.resume_with(SILENT, |call| system(call, now)),
            Ok(RunProgress::ResolveFutures(_)) => break Err(MontyException::runtime_error("nothing to wait for")),
            Ok(RunProgress::FunctionCall(call)) => {
                let answer = match call.function_name.as_str() {
                    HOST => match ask(&question(&call.args))? {
                        Ok(value) => value::to_python(value).into(),
                        Err(raised) => exception(raised).into(),
                    },
                    NATIVE => match call.args.as_slice() {
                        [MontyObject::String(name), text, log, context] if name == "failed" => {
                            failed = Some(Failed {
                                text: text.to_string(),
                                log: written(log),
                                context: value::to_map(context),
                            });
                            MontyObject::None.into()
                        }
                        arguments => native::call(arguments).map_or_else(Into::into, Into::into),
                    },
                    name => ExtFunctionResult::NotFound(name.to_owned()),
                };
                call.resume(answer, SILENT)
            }
        };
    };
    let mut done = match outcome {
        Ok(value) => returned(value, wants_value),
        Err(exception) => raised(&exception, failed, program),
    };
    if done.context.clone().map(Value::Object) == given {
        done.context = None;
    }
    Ok(done)
}

fn question(arguments: &[MontyObject]) -> Report {
    let mut arguments = arguments.iter().map(value::to_json);
    let name = arguments.next().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    Report::Call { name, payload: arguments.next().unwrap_or_default() }
}

fn exception(Raised { kind, text }: Raised) -> MontyException {
    MontyException::new(kind.parse().unwrap_or(ExcType::RuntimeError), Some(text))
}

/// What comes from the operating system elsewhere: the time of the request, no environment, no files.
fn system(call: OsFunctionCall, now: i64) -> ExtFunctionResult {
    let now = DateTime::<Utc>::from_timestamp_micros(now).unwrap_or_default();
    match call {
        OsFunctionCall::DateTimeNow(zone) => value::datetime_in(now, zone).into(),
        OsFunctionCall::DateToday => {
            use chrono::Datelike as _;
            let small = |n: u32| u8::try_from(n).unwrap_or_default();
            MontyObject::Date(MontyDate { year: now.year(), month: small(now.month()), day: small(now.day()) }).into()
        }
        OsFunctionCall::Getenv(asked) => asked.default.into(),
        OsFunctionCall::GetEnviron => MontyObject::dict(Vec::new()).into(),
        _ => {
            let text = "Expressions have no access to files.".to_owned();
            MontyException::new(ExcType::PermissionError, Some(text)).into()
        }
    }
}

fn written(log: &MontyObject) -> Vec<Written> {
    let Value::Array(lines) = value::to_json(log) else { return Vec::new() };
    let line = |line: Value| {
        let Value::Array(parts) = line else { return None };
        let mut parts = parts.into_iter();
        Some(Written {
            level: parts.next()?.as_str()?.to_owned(),
            event: parts.next()?.as_str()?.to_owned(),
            attributes: match parts.next()? {
                Value::Object(map) => map,
                _ => Map::new(),
            },
        })
    };
    lines.into_iter().filter_map(line).collect()
}

fn returned(value: MontyObject, wants_value: bool) -> Done {
    let MontyObject::Tuple(parts) = value else {
        return Done::bare(End::Raised { kind: "RuntimeError".into(), text: "no result".into(), frames: vec![] });
    };
    let part = |index: usize| parts.get(index).unwrap_or(&MontyObject::None);
    let messages = match part(3) {
        MontyObject::List(items) => items.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    Done {
        end: End::Returned {
            truth: part(0).is_truthy(),
            none: part(1).is_truthy(),
            value: wants_value.then(|| value::to_json(part(2))),
        },
        messages,
        log: written(part(4)),
        context: Some(value::to_map(part(5))),
    }
}

fn raised(exception: &MontyException, failed: Option<Failed>, program: &Program) -> Done {
    let said = exception.message().unwrap_or_default();
    match exception.exc_type() {
        ExcType::TimeoutError if said.starts_with("time limit exceeded") => return Done::bare(End::TooLong),
        ExcType::MemoryError => return Done::bare(End::TooMuch),
        _ => {}
    }
    let end =
        |text: String| End::Raised { kind: exception.exc_type().to_string(), text, frames: frames(exception, program) };
    match failed {
        Some(Failed { text, log, context }) => {
            Done { end: end(text), messages: Vec::new(), log, context: Some(context) }
        }
        // Not an `Exception`, or raised by the prelude.
        None => Done::bare(end(said.to_owned())),
    }
}

/// The frames that are the expression's own, with its lines as the original counts them.
fn frames(exception: &MontyException, program: &Program) -> Vec<(u32, String)> {
    let own = program.offset + 1..=program.offset + program.lines;
    exception
        .traceback()
        .iter()
        .filter_map(|frame| match &frame.frame_name {
            None => Some((program.lines + 1, "<module>".to_owned())),
            Some(name) => own.contains(&frame.start.line).then(|| (frame.start.line - program.offset, name.clone())),
        })
        .collect()
}
