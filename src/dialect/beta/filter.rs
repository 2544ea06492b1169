//! The grammar of the query parameter `filters` (contract: sailpoint-pat §5).
//!
//! ```text
//! any        = all *("or" all)
//! all        = one *("and" one)
//! one        = "not" one / "(" any ")" / comparison
//! comparison = field operator [value / "(" value *("," value) ")"]
//! value      = a run of characters without blanks, commas, quotes and parentheses / "text with \" and \\"
//! ```
//!
//! Words are told apart by case: `AND` is no `and`.

use crate::list::{Comparison, Filter, FilterFault as Fault, Word};

/// Longest text, in characters.
const LONGEST: usize = 4096;
/// How deep `not` and parentheses may nest.
const DEEPEST: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Comma,
    /// A word that may be one of ours.
    Bare,
    Quoted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    kind: Kind,
    word: Word,
}

/// Reads a condition.
///
/// # Errors
/// Where the text stops being one, and why.
pub fn parse(text: &str) -> Result<Filter, Fault> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > LONGEST {
        return Err(Fault::new(LONGEST + 1, format!("A condition has at most {LONGEST} characters.")));
    }
    let end = characters.len() + 1;
    let mut parser = Parser { tokens: tokens(&characters)?, next: 0, end };
    let condition = parser.any(0)?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) => Err(Fault::new(token.word.at, "Here `and`, `or` or the end is wanted.")),
    }
}

fn tokens(characters: &[char]) -> Result<Vec<Token>, Fault> {
    let mut all = Vec::new();
    let mut place = 0;
    while let Some(&first) = characters.get(place) {
        let at = place + 1;
        let single = match first {
            '(' => Some(Kind::Open),
            ')' => Some(Kind::Close),
            ',' => Some(Kind::Comma),
            _ => None,
        };
        if first.is_whitespace() {
            place += 1;
        } else if let Some(kind) = single {
            all.push(Token { kind, word: Word { text: first.into(), at } });
            place += 1;
        } else if first == '"' {
            let (text, after) = quoted(characters, place)?;
            all.push(Token { kind: Kind::Quoted, word: Word { text, at } });
            place = after;
        } else {
            let ends = |c: &char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"');
            let text: String = characters.iter().skip(place).take_while(|c| !ends(c)).collect();
            place += text.chars().count();
            all.push(Token { kind: Kind::Bare, word: Word { text, at } });
        }
    }
    Ok(all)
}

/// The text of a quotation that begins at `open`, and the place after it.
fn quoted(characters: &[char], open: usize) -> Result<(String, usize), Fault> {
    let mut text = String::new();
    let mut place = open + 1;
    loop {
        match (characters.get(place), characters.get(place + 1)) {
            (Some('"'), _) => return Ok((text, place + 1)),
            (Some('\\'), Some(escaped @ ('"' | '\\'))) => {
                text.push(*escaped);
                place += 2;
            }
            (Some('\\'), _) => return Err(Fault::new(place + 1, "Only `\\\"` and `\\\\` are escapes.")),
            (Some(other), _) => {
                text.push(*other);
                place += 1;
            }
            (None, _) => return Err(Fault::new(open + 1, "This quotation does not end.")),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    /// The place after the text.
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Bare && token.word.text == word)
    }

    fn is(&self, kind: &Kind) -> bool {
        self.peek().is_some_and(|token| token.kind == *kind)
    }

    /// What is wanted where something else is, or nothing.
    fn wanted(&self, what: &str) -> Fault {
        Fault::new(self.peek().map_or(self.end, |token| token.word.at), format!("Here {what} is wanted."))
    }

    fn any(&mut self, depth: usize) -> Result<Filter, Fault> {
        self.chain("or", Filter::Any, |parser| parser.all(depth))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, Fault> {
        self.chain("and", Filter::All, |parser| parser.one(depth))
    }

    fn chain(
        &mut self,
        word: &str,
        together: fn(Vec<Filter>) -> Filter,
        part: impl Fn(&mut Self) -> Result<Filter, Fault>,
    ) -> Result<Filter, Fault> {
        let first = part(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.is_word(word) {
            self.next += 1;
            parts.push(part(self)?);
        }
        Ok(together(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, Fault> {
        if depth > DEEPEST {
            return Err(self.wanted(&format!("no more than {DEEPEST} levels")));
        }
        if self.is_word("not") {
            self.next += 1;
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.is(&Kind::Open) {
            self.next += 1;
            let inner = self.any(depth + 1)?;
            self.close()?;
            return Ok(inner);
        }
        let field = self.word("a field")?;
        let operator = self.word("an operator")?;
        Ok(Filter::Is(Comparison { field, operator, values: self.values()? }))
    }

    fn close(&mut self) -> Result<(), Fault> {
        if !self.is(&Kind::Close) {
            return Err(self.wanted("`)`"));
        }
        self.next += 1;
        Ok(())
    }

    /// A word that is none of the grammar's own.
    fn word(&mut self, what: &str) -> Result<Word, Fault> {
        let own = ["and", "or", "not"].iter().any(|word| self.is_word(word));
        if own || !self.is(&Kind::Bare) {
            return Err(self.wanted(what));
        }
        self.take().map(|token| token.word).ok_or_else(|| self.wanted(what))
    }

    fn values(&mut self) -> Result<Vec<Word>, Fault> {
        if self.is(&Kind::Open) {
            self.next += 1;
            let mut values = vec![self.value()?];
            while self.is(&Kind::Comma) {
                self.next += 1;
                values.push(self.value()?);
            }
            self.close()?;
            return Ok(values);
        }
        let more = self.is(&Kind::Quoted) || (self.is(&Kind::Bare) && !self.is_word("and") && !self.is_word("or"));
        if more { Ok(vec![self.value()?]) } else { Ok(Vec::new()) }
    }

    fn value(&mut self) -> Result<Word, Fault> {
        if !self.is(&Kind::Bare) && !self.is(&Kind::Quoted) {
            return Err(self.wanted("a value"));
        }
        self.take().map(|token| token.word).ok_or_else(|| self.wanted("a value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A condition as text, with parentheses around everything that has parts.
    fn written(condition: &Filter) -> String {
        let joined = |parts: &[Filter], word: &str| {
            format!("({})", parts.iter().map(written).collect::<Vec<_>>().join(&format!(" {word} ")))
        };
        match condition {
            Filter::All(parts) => joined(parts, "and"),
            Filter::Any(parts) => joined(parts, "or"),
            Filter::Not(inner) => format!("not {}", written(inner)),
            Filter::Is(Comparison { field, operator, values }) => {
                let quoted = |word: &Word| format!("\"{}\"", word.text.replace('\\', "\\\\").replace('"', "\\\""));
                let values: Vec<String> = values.iter().map(quoted).collect();
                match values.len() {
                    0 => format!("{} {}", field.text, operator.text),
                    1 => format!("{} {} {}", field.text, operator.text, values[0]),
                    _ => format!("{} {} ({})", field.text, operator.text, values.join(", ")),
                }
            }
        }
    }

    /// Without places, which the text decides.
    fn bare(condition: &Filter) -> Filter {
        let word = |word: &Word| Word { text: word.text.clone(), at: 0 };
        match condition {
            Filter::All(parts) => Filter::All(parts.iter().map(bare).collect()),
            Filter::Any(parts) => Filter::Any(parts.iter().map(bare).collect()),
            Filter::Not(inner) => Filter::Not(Box::new(bare(inner))),
            Filter::Is(is) => Filter::Is(Comparison {
                field: word(&is.field),
                operator: word(&is.operator),
                values: is.values.iter().map(word).collect(),
            }),
        }
    }

    fn a_comparison() -> impl Strategy<Value = Filter> {
        let name =
            "[a-z][A-Za-z.]{0,8}".prop_filter("a word of the grammar", |text| !["and", "or", "not"].contains(&&**text));
        let word = |text: String| Word { text, at: 0 };
        (name.clone(), name, proptest::collection::vec(any::<String>(), 0..3)).prop_map(
            move |(field, operator, values)| {
                Filter::Is(Comparison {
                    field: word(field),
                    operator: word(operator),
                    values: values.into_iter().map(word).collect(),
                })
            },
        )
    }

    fn a_condition() -> impl Strategy<Value = Filter> {
        a_comparison().prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
                inner.prop_map(|inner| Filter::Not(Box::new(inner))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(condition in a_condition()) {
            let text = written(&condition);
            prop_assume!(text.chars().count() <= LONGEST);
            prop_assert_eq!(parse(&text).map(|read| bare(&read)), Ok(condition), "{}", text);
        }

        #[test]
        fn any_text_has_an_answer_and_faults_have_places(text in ".{0,200}") {
            if let Err(fault) = parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&fault.at), "{:?}", fault);
            }
        }

        #[test]
        fn words_in_any_order(words in proptest::collection::vec(prop_oneof![
            Just("and"), Just("or"), Just("not"), Just("("), Just(")"), Just("lastUsed"), Just("isnull"), Just("le"),
            Just("2023-02-05T10:59:27.214Z"), Just("\"x\""), Just(","),
        ], 0..30)) {
            let _ = parse(&words.join(" "));
        }
    }

    #[test]
    fn not_binds_closest_and_or_last() {
        let text = |text: &str| written(&parse(text).expect(text));
        assert_eq!(text("a x or b x and not c x"), "(a x or (b x and not c x))");
        assert_eq!(text("not a x and b x"), "(not a x and b x)");
        assert_eq!(text("not (a x or b x)"), "not (a x or b x)");
        assert_eq!(text("((a le 2023-02-05T10:59:27.214Z))"), "a le \"2023-02-05T10:59:27.214Z\"");
        assert_eq!(text(r#"name in ("a, \"b\"",c)"#), r#"name in ("a, \"b\"", "c")"#);
    }

    #[test]
    fn faults_say_where() {
        for (text, at) in [
            ("", 1),
            ("   ", 4),
            ("a", 2),
            ("a x and", 8),
            ("a x AND b x", 9),
            ("(a x", 5),
            ("a x)", 4),
            ("a x b c", 7),
            ("and x y", 1),
            ("a le \"never", 6),
            (r#"a le "\n""#, 7),
            ("a in (1,)", 9),
            ("ä ü ö )", 7),
        ] {
            assert_eq!(parse(text).expect_err(text).at, at, "{text}");
        }
        assert!(parse(&format!("{}a x{}", "(".repeat(40), ")".repeat(40))).is_err());
        assert!(parse(&"not ".repeat(1000)).is_err());
        assert!(parse(&"a x or ".repeat(1000)).is_err());
    }
}
