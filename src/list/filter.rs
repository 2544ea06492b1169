//! Conditions on the rows of a listing as neutral values: a dialect reads them from text, a resource knows which it
//! can answer. Places are kept, so that a fault names where it is.

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Every one of them; never empty.
    All(Vec<Self>),
    /// At least one of them; never empty.
    Any(Vec<Self>),
    Not(Box<Self>),
    Is(Comparison),
}

/// A field, an operator, and what the field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub field: Word,
    pub operator: Word,
    /// None for operators such as `isnull`; several for a list.
    pub values: Vec<Word>,
}

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    /// Where it begins: 1-based, in characters.
    pub at: usize,
}

/// Why a condition is none, or none that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} (at character {at})")]
pub struct FilterFault {
    /// Where: 1-based, in characters.
    pub at: usize,
    pub text: String,
}

impl FilterFault {
    #[must_use]
    pub fn new(at: usize, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}
