//! How hard a password is to guess: zxcvbn's score and advice (contract: authentik-core §5.6).
//!
//! The crate scores like the Python library that the original uses, with two exceptions, both stricter: its
//! years go on after 2019, and a known password in capitals with a digit (`LETMEIN7`) is worth nothing. Its
//! advice differs more (for `PASSWORD`, and when two parts are equally long), so the advice is made here,
//! from the parts it found.

use tokio::sync::Semaphore;
use zxcvbn::{Match, matching::patterns::MatchPattern};

/// Characters that are looked at; the rest is not read.
const LONGEST: usize = 100;

/// Checks at a time. One takes a millisecond, but a hundred well chosen characters take two seconds of a
/// core, and who sets a password chooses them.
static LANES: Semaphore = Semaphore::const_new(2);

/// From 0 (guessed at once) to 4, and what would help; advice only up to 2.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Strength {
    pub score: u8,
    pub advice: Vec<&'static str>,
}

/// A check that ended without a result.
#[derive(Debug)]
pub(super) struct Broken;

/// Estimates on a thread where that may take its time. `known` is what an attacker would try first: the
/// user's names and the brand's.
///
/// # Errors
/// [`Broken`] when the estimator panics.
pub(super) async fn estimate(password: &str, known: Vec<String>) -> Result<Strength, Broken> {
    let start: String = password.chars().take(LONGEST).collect();
    let _lane = LANES.acquire().await.map_err(|_| Broken)?;
    tokio::task::spawn_blocking(move || strength(&start, &known)).await.map_err(|_| Broken)
}

fn strength(password: &str, known: &[String]) -> Strength {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let entropy = zxcvbn::zxcvbn(password, &known);
    let score = u8::from(entropy.score());
    Strength { score, advice: if score > 2 { Vec::new() } else { advice(entropy.sequence()) } }
}

/// What would help against the longest part, the first one of several.
fn advice(parts: &[Match]) -> Vec<&'static str> {
    let length = |part: &Match| part.j - part.i;
    let Some(longest) = parts.iter().reduce(|best, next| if length(next) > length(best) { next } else { best }) else {
        return vec!["Use a few words, avoid common phrases.", "No need for symbols, digits, or uppercase letters."];
    };
    let mut advice = vec!["Add another word or two. Uncommon words are better."];
    match &longest.pattern {
        MatchPattern::Dictionary(found) => {
            advice.extend(capitals(&longest.token));
            if found.reversed && length(longest) >= 3 {
                advice.push("Reversed words aren't much harder to guess.");
            }
            if found.l33t {
                advice.push("Predictable substitutions like '@' instead of 'a' don't help very much.");
            }
        }
        MatchPattern::Spatial(_) => advice.push("Use a longer keyboard pattern with more turns."),
        MatchPattern::Repeat(_) => advice.push("Avoid repeated words and characters."),
        MatchPattern::Sequence(_) => advice.push("Avoid sequences."),
        MatchPattern::Regex(_) => {
            advice.extend(["Avoid recent years.", "Avoid years that are associated with you."]);
        }
        MatchPattern::Date(_) => advice.push("Avoid dates and years that are associated with you."),
        MatchPattern::BruteForce => {}
    }
    advice
}

fn capitals(word: &str) -> Option<&'static str> {
    let mut letters = word.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_uppercase());
    if first && word.chars().count() > 1 && !letters.any(|c| c.is_ascii_uppercase()) {
        return Some("Capitalization doesn't help very much.");
    }
    (!word.chars().any(|c| c.is_ascii_lowercase()) && word.to_lowercase() != word)
        .then_some("All-uppercase is almost as easy to guess as all-lowercase.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: &str = "Add another word or two. Uncommon words are better.";
    const CAPITAL: &str = "Capitalization doesn't help very much.";
    const CAPITALS: &str = "All-uppercase is almost as easy to guess as all-lowercase.";

    fn of(password: &str) -> Strength {
        strength(password, &["jdoe".to_owned(), String::new(), "authentik".to_owned()])
    }

    /// Scores and advice as Python's zxcvbn 4.4.28 gives them.
    #[test]
    fn advice_is_python_s() {
        for (password, score, advice) in [
            ("STINKER", 1, vec![MORE, CAPITALS]),
            ("Admin", 1, vec![MORE, CAPITAL]),
            ("AuthentiK", 0, vec![MORE]),
            ("A", 0, vec![MORE]),
            ("drowssap", 0, vec![MORE, "Reversed words aren't much harder to guess."]),
            ("lunarabcde", 1, vec![MORE]),
            ("p4ssw0rd", 0, vec![MORE, "Predictable substitutions like '@' instead of 'a' don't help very much."]),
            ("1999", 0, vec![MORE, "Avoid recent years.", "Avoid years that are associated with you."]),
            ("jdoe", 0, vec![MORE]),
        ] {
            assert_eq!(of(password), Strength { score, advice }, "{password}");
        }
    }

    #[test]
    fn only_the_first_hundred_characters_count() {
        let start = "a".repeat(LONGEST);
        assert_eq!(of(&format!("{start}v9#Kq2!zLp0x")), of(&start));
    }

    #[tokio::test]
    async fn estimates_elsewhere() {
        let strength = estimate("password", Vec::new()).await.expect("a result");
        assert_eq!(strength, Strength { score: 0, advice: vec![MORE] });
    }
}
