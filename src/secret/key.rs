//! The format of generated keys: `tsra`, random letters and digits, and a checksum of six.
//!
//! The prefix lets a scanner recognise a leaked key, the checksum lets the server refuse a mistyped
//! one without asking the database. Only ASCII letters and digits occur, because that is what
//! clients of the wire format we speak expect of a key. NEVER CHANGE the prefix or the checksum:
//! keys that were handed out carry them.

use super::PlainSecret;
use crate::ctx::Entropy;

/// How every generated key begins.
pub const PREFIX: &str = "tsra";
/// Shortest generated key, in characters: 30 random ones, 178 bits.
pub const MIN_LENGTH: usize = 40;
/// Longest generated key, in characters.
pub const MAX_LENGTH: usize = 4096;
const CHECKSUM_LENGTH: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a key looks like before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Ours, and undamaged.
    Generated,
    /// It carries our prefix, but not the checksum that belongs to it.
    Damaged,
    /// Set by somebody; any text.
    Foreign,
}

/// Makes a key of `length` characters in all; fewer than [`MIN_LENGTH`] count as that many, more
/// than [`MAX_LENGTH`] likewise.
#[must_use]
pub fn generate(entropy: &dyn Entropy, length: usize) -> PlainSecret {
    let random = length.clamp(MIN_LENGTH, MAX_LENGTH) - PREFIX.len() - CHECKSUM_LENGTH;
    let mut key = String::with_capacity(PREFIX.len() + random + CHECKSUM_LENGTH);
    key.push_str(PREFIX);
    push_random(&mut key, entropy, random);
    let sum = checksum(&key);
    key.push_str(&sum);
    PlainSecret::new(key)
}

/// Tells our keys from others, and undamaged ones from damaged ones.
#[must_use]
pub fn form(key: &str) -> Form {
    if !key.starts_with(PREFIX) {
        return Form::Foreign;
    }
    match key.len().checked_sub(CHECKSUM_LENGTH).and_then(|at| key.split_at_checked(at)) {
        Some((body, sum)) if body.len() >= PREFIX.len() && checksum(body) == sum => Form::Generated,
        _ => Form::Damaged,
    }
}

/// Random letters and digits, each equally likely.
pub fn push_random(text: &mut String, entropy: &dyn Entropy, count: usize) {
    let mut wanted = count;
    let mut bytes = [0_u8; 64];
    while wanted > 0 {
        entropy.fill(&mut bytes);
        for byte in bytes {
            // 248 is the largest multiple of 62 in a byte; larger values would favour some letters.
            if byte < 248 && wanted > 0 {
                text.push(letter(u32::from(byte)));
                wanted -= 1;
            }
        }
    }
}

/// CRC-32 in base 62, most significant digit first. It guards against typing errors, not against people.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [0_u32; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = rest % 62;
        rest /= 62;
    }
    digits.into_iter().map(letter).collect()
}

fn letter(index: u32) -> char {
    ALPHABET.get((index % 62) as usize).map_or('0', |b| char::from(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::SeededEntropy;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn generated_keys_are_recognised(seed: u64, length in 0_usize..300) {
            let key = generate(&SeededEntropy::new(seed), length);
            prop_assert_eq!(key.reveal().len(), length.max(MIN_LENGTH));
            prop_assert!(key.reveal().bytes().all(|b| b.is_ascii_alphanumeric()));
            prop_assert_eq!(form(key.reveal()), Form::Generated);
        }

        #[test]
        fn one_wrong_letter_is_noticed(seed: u64, at in 4_usize..60, with in 0_u32..62) {
            let key = generate(&SeededEntropy::new(seed), 60);
            let mut damaged: Vec<char> = key.reveal().chars().collect();
            prop_assume!(damaged[at] != letter(with));
            damaged[at] = letter(with);
            prop_assert_eq!(form(&damaged.into_iter().collect::<String>()), Form::Damaged);
        }

        #[test]
        fn any_text_has_a_form(text: String) {
            let expected = text.starts_with(PREFIX);
            prop_assert_eq!(form(&text) != Form::Foreign, expected);
        }
    }

    #[test]
    fn the_format_never_changes() {
        assert_eq!(form("tsra0000000000000000000000000000000000000000"), Form::Damaged);
        assert_eq!(checksum("tsra"), "3ISGHc");
        assert_eq!(form("tsra"), Form::Damaged);
    }
}
