//! Length and kinds of characters (contract: authentik-core §5.6).

use super::PasswordSettings;
use std::collections::HashMap;

/// Whether the password is long enough and has enough of each kind of character. Lengths are code points;
/// digits and letters are ASCII only.
///
/// The original compares upper-case letters with `amount_lowercase`, so that one who asks for five of them
/// and no lower-case letter gets none. What is set must hold here; and because nobody's stricter rule is
/// loosened behind his back, the original's bound holds too.
pub(super) fn hold(settings: &PasswordSettings, password: &str) -> bool {
    let count = |of: fn(&char) -> bool| password.chars().filter(of).count();
    let upper_wanted = match settings.amount_uppercase {
        ..=0 => 0,
        amount => amount.max(settings.amount_lowercase),
    };
    enough(count(|_| true), settings.length_min)
        && enough(count(char::is_ascii_digit), settings.amount_digits)
        && enough(count(char::is_ascii_lowercase), settings.amount_lowercase)
        && enough(count(char::is_ascii_uppercase), upper_wanted)
        && enough(symbols(&settings.symbol_charset, password), settings.amount_symbols)
}

fn enough(count: usize, wanted: i32) -> bool {
    // A negative number asks for nothing.
    usize::try_from(wanted).map_or(true, |wanted| count >= wanted)
}

/// Symbols of the password, each as often as it is in the charset: a backslash counts twice in the default.
fn symbols(charset: &str, password: &str) -> usize {
    let mut weight: HashMap<char, usize> = HashMap::new();
    for symbol in charset.chars() {
        *weight.entry(symbol).or_default() += 1;
    }
    password.chars().map(|c| weight.get(&c).copied().unwrap_or(0)).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings() -> PasswordSettings {
        PasswordSettings::default()
    }

    #[test]
    fn nothing_is_asked_by_default() {
        assert!(hold(&settings(), "a"));
        assert!(hold(&PasswordSettings { length_min: -1, amount_digits: i32::MIN, ..settings() }, "a"));
        assert!(!hold(&PasswordSettings { length_min: i32::MAX, ..settings() }, "a"));
    }

    #[test]
    fn upper_case_letters_must_be_as_many_as_set_and_as_the_original_wants() {
        let hold = |amount_uppercase, amount_lowercase, password| {
            hold(&PasswordSettings { amount_uppercase, amount_lowercase, ..settings() }, password)
        };
        assert!(hold(0, 3, "abc"));
        assert!(!hold(5, 0, "abcd"));
        assert!(!hold(5, 1, "Abcd"));
        assert!(hold(5, 1, "ABCDEa"));
        assert!(!hold(1, 3, "Aabc"));
        assert!(hold(1, 3, "ABCabc"));
    }

    proptest! {
        #[test]
        fn symbols_are_the_sum_over_the_charset(charset in ".{0,8}", password in ".{0,16}") {
            let sum: usize = charset.chars().map(|s| password.chars().filter(|c| *c == s).count()).sum();
            prop_assert_eq!(symbols(&charset, &password), sum);
        }

        #[test]
        fn a_longer_password_never_breaks_a_rule(a in 0..3, b in 0..3, c in 0..3, d in 0..3, e in 0..9, p in ".{0,12}", q in ".{0,4}") {
            let settings = PasswordSettings {
                amount_digits: a, amount_uppercase: b, amount_lowercase: c, amount_symbols: d, length_min: e, ..settings()
            };
            let longer = format!("{p}{q}");
            prop_assert!(!hold(&settings, &p) || hold(&settings, &longer));
        }
    }
}
