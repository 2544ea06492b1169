//! What server and worker say to each other: JSON texts, each after its length (four bytes, little endian).
//!
//! JSON and not something smaller, because its parser bounds how deep a value is nested: a worker may be
//! in the hands of whoever wrote the expression, and the server's stack must not be.

use super::check::Refused;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::io::{Error, ErrorKind, Read, Write};

/// Longest message that the server takes from a worker, in bytes.
pub const LONGEST: usize = 4 << 20;

/// From the server to a worker. May hold passwords, so it has no `Debug`, nor has what is in it.
#[derive(Serialize, Deserialize)]
pub enum Order {
    /// Is this Python that can run here?
    Check { source: String },
    /// Run it.
    Run(Box<RunOrder>),
    /// The answer to [`Report::Call`].
    Answer(Result<Value, Raised>),
}

/// One run.
#[derive(Serialize, Deserialize)]
pub struct RunOrder {
    pub source: String,
    /// What the prelude finds as its input.
    pub input: Value,
    /// The time that the expression reads from its clock, in microseconds since 1970.
    pub now: i64,
    /// Whether the value itself is wanted, not only whether it is true.
    pub wants_value: bool,
    /// Longest time in the interpreter, in milliseconds.
    pub time: u64,
    /// Most memory beyond what the worker needs for itself, in bytes.
    pub memory: usize,
}

/// From a worker to the server. As [`Order`], no `Debug`.
#[derive(Serialize, Deserialize)]
pub enum Report {
    Checked(Option<Refused>),
    /// The expression asks the server.
    Call {
        name: String,
        payload: Value,
    },
    Done(Box<Done>),
}

/// An exception that a host function raises in the expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Name of a built-in Python exception; an unknown one becomes `RuntimeError`.
    pub kind: String,
    pub text: String,
}

impl Raised {
    /// A `ValueError`.
    #[must_use]
    pub fn value(text: impl Into<String>) -> Self {
        Self { kind: "ValueError".to_owned(), text: text.into() }
    }
}

/// A line that an expression logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    pub level: String,
    pub event: String,
    pub attributes: serde_json::Map<String, Value>,
}

/// How a run ended. Its context may hold passwords: no `Debug`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub end: End,
    /// Beginning with the first; empty after an exception.
    pub messages: Vec<String>,
    pub log: Vec<Written>,
    /// The context as it is now, where the expression changed it. Only what is JSON.
    pub context: Option<serde_json::Map<String, Value>>,
}

impl Done {
    /// An end with nothing beside it.
    #[must_use]
    pub fn bare(end: End) -> Self {
        Self { end, messages: Vec::new(), log: Vec::new(), context: None }
    }
}

/// What came out of a run.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum End {
    Returned {
        /// What Python's `bool` says of the value.
        truth: bool,
        /// Whether the value is `None`.
        none: bool,
        /// The value, where it was asked for; what JSON cannot express is text.
        value: Option<Value>,
    },
    Raised {
        /// Name of the exception.
        kind: String,
        /// What Python's `str` says of the exception.
        text: String,
        /// Frames from the outermost: line, counted as the original counts, and function.
        frames: Vec<(u32, String)>,
    },
    /// More time in the interpreter than allowed.
    TooLong,
    /// More memory than allowed.
    TooMuch,
    /// The text is no program.
    Refused(Refused),
}

/// Writes a message.
///
/// # Errors
/// When the other side is gone.
pub fn write(mut to: impl Write, message: &impl Serialize) -> Result<(), Error> {
    to.write_all(&framed(message)?)?;
    to.flush()
}

/// A message with its length before it.
///
/// # Errors
/// When it is longer than a length can say.
pub fn framed(message: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(|_| Error::new(ErrorKind::InvalidData, "too long"))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Reads a message; `None` when the other side has ended.
///
/// # Errors
/// When the other side ended in the middle of a message, or said something that is none.
pub fn read<T: DeserializeOwned>(mut from: impl Read) -> Result<Option<T>, Error> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_come_back() {
        let mut pipe = Vec::new();
        write(&mut pipe, &Order::Check { source: "return 1".into() }).expect("written");
        write(&mut pipe, &Order::Answer(Err(Raised::value("no")))).expect("written");
        let mut from = pipe.as_slice();
        assert!(matches!(read(&mut from), Ok(Some(Order::Check { source })) if source == "return 1"));
        assert!(matches!(read(&mut from), Ok(Some(Order::Answer(Err(raised)))) if raised.text == "no"));
        assert!(matches!(read::<Order>(&mut from), Ok(None)));
    }

    #[test]
    fn what_is_cut_off_or_nested_without_end_is_an_error() {
        let whole = framed(&Report::Call { name: "x".into(), payload: json!([1]) }).expect("framed");
        assert!(read::<Report>(&whole[..whole.len() - 1]).is_err());
        let deep =
            format!("{{\"Call\":{{\"name\":\"x\",\"payload\":{}1{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
        let mut bytes = u32::try_from(deep.len()).expect("short").to_le_bytes().to_vec();
        bytes.extend(deep.as_bytes());
        assert!(read::<Report>(bytes.as_slice()).is_err());
    }
}
