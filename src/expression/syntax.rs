//! The words in which Python refuses a text, from what the parser says of it.
//!
//! Administrators know the texts of Python 3.12, and so do pages that explain them. Only frequent mistakes
//! have texts of their own; everything else is `invalid syntax`, as most of it is in Python.

use super::check::Refused;
use ruff_python_ast::token::{Token, TokenKind, Tokens};
use ruff_python_parser::{InterpolatedStringErrorType, LexicalErrorType, ParseError, ParseErrorType};
use ruff_text_size::{Ranged, TextRange, TextSize};

/// What is said of nesting that is too deep to read.
pub const TOO_DEEP: &str = "too many nested parentheses";

/// The sentence that the API shows. `name` is the stored object's.
#[must_use]
pub fn sentence(refused: &Refused, name: &str) -> String {
    format!("Expression Syntax Error: {} ({name}, line {})", refused.text, refused.line)
}

/// The line of a place, counted from 1.
pub fn line_of(source: &str, at: TextSize) -> u32 {
    let before = &source.as_bytes()[..usize::from(at).min(source.len())];
    u32::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX) + 1
}

/// The first error of a text, as Python says it.
pub fn explain(source: &str, errors: &[ParseError], tokens: &Tokens) -> Refused {
    // An f-string that is not closed has other errors before that one.
    let line = |error: &ParseError| line_of(source, error.location.start());
    let first = errors.first().map(line);
    let in_text = |error: &&ParseError| {
        let kind = matches!(
            error.error,
            ParseErrorType::Lexical(LexicalErrorType::FStringError(_)) | ParseErrorType::FStringError(_)
        );
        kind && Some(line(error)) == first
    };
    let Some(error) = errors.iter().find(in_text).or_else(|| errors.first()) else {
        return Refused { text: "invalid syntax".to_owned(), line: 2 };
    };
    let said = |text: &str, at: TextSize| Refused { text: text.to_owned(), line: line_of(source, at) };
    let here = error.location.start();
    match &error.error {
        ParseErrorType::Lexical(LexicalErrorType::FStringError(kind)) | ParseErrorType::FStringError(kind) => {
            return said(&in_f_string(kind), here);
        }
        ParseErrorType::Lexical(LexicalErrorType::UnclosedStringError) => {
            let line = line_of(source, here);
            return said(&unterminated(source, error.location, line), here);
        }
        ParseErrorType::RecursionLimitExceeded => return said(TOO_DEEP, here),
        _ => {}
    }
    if let Some((text, at)) = brackets(source, tokens, here) {
        return said(&text, at);
    }
    let text = match &error.error {
        ParseErrorType::Lexical(LexicalErrorType::IndentationError) => {
            "unindent does not match any outer indentation level".to_owned()
        }
        ParseErrorType::Lexical(LexicalErrorType::LineContinuationError) => {
            "unexpected character after line continuation character".to_owned()
        }
        ParseErrorType::Lexical(LexicalErrorType::UnrecognizedToken { tok }) if !tok.is_ascii() => {
            format!("invalid character '{tok}' (U+{:04X})", u32::from(*tok))
        }
        ParseErrorType::UnexpectedIndentation => "unexpected indent".to_owned(),
        ParseErrorType::ExpectedToken { expected: TokenKind::Colon, found } => match found {
            TokenKind::Equal => "invalid syntax. Maybe you meant '==' or ':=' instead of '='?".to_owned(),
            _ => "expected ':'".to_owned(),
        },
        ParseErrorType::ExpectedToken { expected: TokenKind::Comma, .. } => {
            "invalid syntax. Perhaps you forgot a comma?".to_owned()
        }
        ParseErrorType::PositionalAfterKeywordArgument => "positional argument follows keyword argument".to_owned(),
        ParseErrorType::PositionalAfterKeywordUnpacking => {
            "positional argument follows keyword argument unpacking".to_owned()
        }
        ParseErrorType::DuplicateKeywordArgumentError(name) => format!("keyword argument repeated: {name}"),
        ParseErrorType::NonDefaultParamAfterDefaultParam => {
            "parameter without a default follows parameter with a default".to_owned()
        }
        ParseErrorType::InvalidAssignmentTarget => not_a_target(&source[error.location]),
        ParseErrorType::SimpleStatementsOnSameLine => printed(source, here).unwrap_or("invalid syntax").to_owned(),
        ParseErrorType::OtherError(text) if text.starts_with("Expected an indented block after") => {
            block(source, text, here, tokens)
        }
        ParseErrorType::OtherError(text) if text.contains("Expected `except` or `finally`") => {
            "expected 'except' or 'finally' block".to_owned()
        }
        _ => "invalid syntax".to_owned(),
    };
    said(&text, here)
}

fn in_f_string(kind: &InterpolatedStringErrorType) -> String {
    use InterpolatedStringErrorType as Kind;
    let text = match kind {
        Kind::UnclosedLbrace => "expecting '}'",
        Kind::SingleRbrace => "single '}' is not allowed",
        Kind::InvalidConversionFlag => "invalid conversion character",
        Kind::UnterminatedString => return "unterminated f-string literal".to_owned(),
        Kind::UnterminatedTripleQuotedString => return "unterminated triple-quoted f-string literal".to_owned(),
        _ => "invalid syntax",
    };
    format!("f-string: {text}")
}

fn unterminated(source: &str, range: TextRange, line: u32) -> String {
    let text = &source[range];
    let quote = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if quote.starts_with("\"\"\"") || quote.starts_with("'''") {
        let last = line_of(source, TextSize::of(source.trim_end()));
        return format!("unterminated triple-quoted string literal (detected at line {last})");
    }
    format!("unterminated string literal (detected at line {line})")
}

/// A bracket that is wrong, if one is the cause: closed by another kind, by none, or never opened.
fn brackets(source: &str, tokens: &Tokens, error: TextSize) -> Option<(String, TextSize)> {
    let mut open: Vec<&Token> = Vec::new();
    // How many were open where each f-string begins.
    let mut f_strings = Vec::new();
    let sign = |token: &Token| &source[token.range()];
    for token in tokens {
        match token.kind() {
            TokenKind::FStringStart => f_strings.push(open.len()),
            TokenKind::FStringEnd => {
                let before = f_strings.pop().unwrap_or_default();
                if let Some(opened) = open.get(before) {
                    return Some((in_f_string(&InterpolatedStringErrorType::UnclosedLbrace), opened.start()));
                }
            }
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => open.push(token),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                let Some(opened) = open.pop() else {
                    return Some((format!("unmatched '{}'", sign(token)), token.start()));
                };
                let fits = matches!(
                    (opened.kind(), token.kind()),
                    (TokenKind::Lpar, TokenKind::Rpar)
                        | (TokenKind::Lsqb, TokenKind::Rsqb)
                        | (TokenKind::Lbrace, TokenKind::Rbrace)
                );
                if !fits {
                    let (closing, opening) = (sign(token), sign(opened));
                    let text =
                        format!("closing parenthesis '{closing}' does not match opening parenthesis '{opening}'");
                    return Some((text, token.start()));
                }
            }
            _ => {}
        }
    }
    // An error before the bracket has another cause.
    let opened = open.last().filter(|opened| opened.start() <= error)?;
    Some((format!("'{}' was never closed", sign(opened)), opened.start()))
}

fn not_a_target(target: &str) -> String {
    let first = target.chars().next().unwrap_or_default();
    let kind = match target {
        "True" | "False" | "None" => return format!("cannot assign to {target}"),
        _ if first.is_ascii_digit() || matches!(first, '\'' | '"') => "literal",
        _ if target.ends_with(')') && !target.starts_with('(') => "function call",
        _ => "expression",
    };
    format!("cannot assign to {kind} here. Maybe you meant '==' instead of '='?")
}

/// Python 2's statements.
fn printed(source: &str, at: TextSize) -> Option<&'static str> {
    let before = &source[..usize::from(at)];
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    match line {
        "print" => Some("Missing parentheses in call to 'print'. Did you mean print(...)?"),
        "exec" => Some("Missing parentheses in call to 'exec'. Did you mean exec(...)?"),
        _ => None,
    }
}

/// `expected an indented block after 'if' statement on line 2`.
fn block(source: &str, said: &str, at: TextSize, tokens: &Tokens) -> String {
    let what = said.trim_start_matches("Expected an indented block after ");
    // The statement is the last line that ended with a colon before the place.
    let colon = tokens.iter().rfind(|t| t.start() < at && t.kind() == TokenKind::Colon);
    let line = colon.map_or(1, |colon| line_of(source, colon.start()));
    let what = what.trim_start_matches("a ").trim_start_matches("an ").replace('`', "'");
    format!("expected an indented block after {what} on line {line}")
}
