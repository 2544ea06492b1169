//! Descriptions of writable properties and parameters, as the documents state them.

use serde::de::DeserializeOwned;

/// What a value is, beyond its JSON type. It is `x-field` in the documents, and decides
/// how a dialect trims, coerces and refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Boolean,
    /// Only the words `true` and `false`.
    BooleanWord,
    Char,
    Choice,
    Datetime,
    Dict,
    /// A length of time as text, like `hours=3;minutes=1`.
    DurationText,
    Email,
    /// Source text of a program, read like [`Kind::Char`]; whether it parses is for the operation to say.
    Expression,
    Integer,
    /// An IPv4 or IPv6 address.
    Ip,
    /// Any JSON value.
    Json,
    /// A list whose items each are of the kind [`Field::item`]; in a query, one text with commas between them.
    List,
    /// `true` in any case; everything else is false.
    LiteralTrue,
    Multichoice,
    /// An integer that is not negative.
    Natural,
    Pk,
    PkMany,
    PkName,
    PkUsername,
    PkUuid,
    Slug,
    /// Text as it is: neither trimmed nor made from numbers.
    Text,
    /// Where a program is started in a browser: an address, or a pattern of one.
    Url,
    Uuid,
}

/// One property of a request body, or one parameter of a query.
#[derive(Debug)]
pub struct Field {
    /// Name on the wire.
    pub name: &'static str,
    pub kind: Kind,
    /// Kind of the items, for lists.
    pub item: Option<Kind>,
    pub required: bool,
    pub nullable: bool,
    /// Whether a bad query value counts as absent.
    pub lenient: bool,
    /// Length in characters.
    pub min_length: Option<usize>,
    /// Length in characters.
    pub max_length: Option<usize>,
    pub minimum: Option<i64>,
    pub maximum: Option<i64>,
    /// The permitted values, where the document enumerates them.
    pub choices: &'static [&'static str],
}

/// A request body: its properties, and how to make it once they have been checked.
pub trait Model: DeserializeOwned + Send {
    const FIELDS: &'static [Field];
}
