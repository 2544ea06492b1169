//! Password hashes: Argon2id (RFC 9106) for ours, Django's `pbkdf2_sha256$…` for imported ones.

use super::{PlainSecret, key, keyring::hex};
use crate::ctx::Entropy;
use argon2::{Argon2, PasswordVerifier as _, password_hash::PasswordHasher as _};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sea_orm::DeriveValueType;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A password hash as it is stored. It is no credential, but what it hides may be guessed from it.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// A password could not be hashed: the machine has no memory for it.
#[derive(Debug, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct CannotHash(String);

/// What a check of a password says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and stored in a form that should be replaced while the password is at hand.
    RightButOld,
}

/// Most characters of a password that are looked at; longer ones are refused unread, so that nobody
/// can make the server hash megabytes.
pub const MAX_LENGTH: usize = 4096;

impl PasswordHash {
    /// Hashes a password with Argon2id: 19 MiB, two passes, one lane (OWASP's and the crate's default).
    /// Takes tens of milliseconds of one core; call it where blocking is allowed.
    ///
    /// # Errors
    /// [`CannotHash`] when memory is out.
    pub fn new(entropy: &dyn Entropy, password: &PlainSecret) -> Result<Self, CannotHash> {
        let mut salt = [0_u8; 16];
        entropy.fill(&mut salt);
        let hash = Argon2::default()
            .hash_password_with_salt(password.reveal().as_bytes(), &salt)
            .map_err(|e| CannotHash(e.to_string()))?;
        Ok(Self(hash.to_string()))
    }

    /// A value that no password matches (`!`, then 40 letters, as Django writes it).
    #[must_use]
    pub fn unusable(entropy: &dyn Entropy) -> Self {
        let mut text = String::from("!");
        key::push_random(&mut text, entropy, 40);
        Self(text)
    }

    /// A hash to compare with where there is none, so that it takes as long: of a password that nobody knows.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self(
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                .to_owned(),
        )
    }

    /// What tells this hash from every other one, and nothing about the password.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }

    /// Whether any password can match.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.0.starts_with('!')
    }

    /// Checks a password; as slow as hashing one.
    #[must_use]
    pub fn verify(&self, password: &PlainSecret) -> Verdict {
        if let Some(rest) = self.0.strip_prefix("pbkdf2_sha256$") {
            return if django_pbkdf2_matches(rest, password) { Verdict::RightButOld } else { Verdict::Wrong };
        }
        match Argon2::default().verify_password(password.reveal().as_bytes(), self.0.as_str()) {
            Ok(()) => Verdict::Right,
            Err(_) => Verdict::Wrong,
        }
    }
}

/// `<iterations>$<salt>$<base64 of 32 bytes>` (Django 5.0's `PBKDF2PasswordHasher`).
fn django_pbkdf2_matches(hash: &str, password: &PlainSecret) -> bool {
    let mut parts = hash.splitn(3, '$');
    let (Some(rounds), Some(salt), Some(expected)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let Ok(rounds) = rounds.parse::<u32>() else { return false };
    let Ok(expected) = BASE64_STANDARD.decode(expected) else { return false };
    let mut actual = [0_u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.reveal().as_bytes(), salt.as_bytes(), rounds.max(1), &mut actual);
    actual.as_slice().ct_eq(&expected).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::SeededEntropy;

    fn plain(text: &str) -> PlainSecret {
        PlainSecret::new(text.into())
    }

    #[test]
    fn argon2id_hashes_verify() {
        let hash = PasswordHash::new(&SeededEntropy::new(1), &plain("correct horse")).expect("hashes");
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert_eq!(hash.verify(&plain("correct horse")), Verdict::Right);
        assert_eq!(hash.verify(&plain("correct house")), Verdict::Wrong);
    }

    #[test]
    fn django_hashes_verify_and_are_old() {
        // Made with Python: hashlib.pbkdf2_hmac("sha256", b"lètmein", b"seasalt", 1000).
        let hash = PasswordHash("pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=".into());
        assert_eq!(hash.verify(&plain("lètmein")), Verdict::RightButOld);
        assert_eq!(hash.verify(&plain("letmein")), Verdict::Wrong);
    }

    #[test]
    fn unusable_passwords_match_nothing() {
        let hash = PasswordHash::unusable(&SeededEntropy::new(1));
        assert!(!hash.is_usable());
        assert_eq!(hash.0.len(), 41);
        assert_eq!(hash.verify(&plain("")), Verdict::Wrong);
    }

    #[test]
    fn damaged_hashes_match_nothing() {
        for text in ["", "pbkdf2_sha256$", "pbkdf2_sha256$x$y$z", "pbkdf2_sha256$1$s$AAAA", "$argon2id$"] {
            assert_eq!(PasswordHash(text.into()).verify(&plain("")), Verdict::Wrong, "{text}");
        }
    }
}
