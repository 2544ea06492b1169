//! Credentials by type: what is secret has a type that says so and a `Debug` that does not show it.
//!
//! * [`PlainSecret`]: a key or password on its way in or out, wiped when dropped.
//! * [`Digest`]: what the database looks a key up by; useless without the master key.
//! * [`Sealed`]: a key that the contract lets its owner see again, encrypted under the master key.
//! * [`keyring`]: where the master key comes from, and the keys derived from it.
//! * [`key`]: the format of generated keys.
//! * [`jwt`]: keys that sign bearer tokens.
//! * [`password`]: hashes of passwords.

pub mod hashing;
pub mod jwt;
pub mod key;
pub mod keyring;
pub mod password;

pub use keyring::{Digest, Keyring, Sealed};

use zeroize::Zeroize as _;

/// A credential in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainSecret(String);

impl PlainSecret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The clear text, for the one place that sends, hashes or seals it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainSecret([redacted])")
    }
}

impl Drop for PlainSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
