//! The master key and what is derived from it.
//!
//! Every use has its own key (HKDF-SHA-256, RFC 5869): digests of keys, sealing of keys, and a
//! fingerprint that tells on start-up whether a database belongs to this master key.

use super::PlainSecret;
use crate::ctx::Entropy;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sea_orm::DeriveValueType;
use sha2::Sha256;
use zeroize::Zeroizing;

const NONCE_LENGTH: usize = 24;

/// Keyed hash (HMAC-SHA-256, lower-case hex) of a credential: what the database is asked for.
#[derive(Clone, PartialEq, Eq, Hash, DeriveValueType)]
pub struct Digest(String);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest([redacted])")
    }
}

/// A credential encrypted under the master key (XChaCha20-Poly1305): nonce, then ciphertext.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct Sealed(Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed([redacted])")
    }
}

/// A sealed value that this master key, or this row, did not seal.
#[derive(Debug, thiserror::Error)]
#[error("a sealed credential cannot be opened: it was sealed under another master key, or its row was changed")]
pub struct CannotOpen;

/// Keys derived from the master key. The master key itself is not kept.
pub struct Keyring {
    digest: Zeroizing<[u8; 32]>,
    seal: Zeroizing<[u8; 32]>,
    audit: Zeroizing<[u8; 32]>,
    csrf: Zeroizing<[u8; 32]>,
    fingerprint: String,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring([redacted])")
    }
}

impl Keyring {
    /// Derives the keys. Any text will do as a master key; its entropy is the caller's affair.
    #[must_use]
    pub fn new(master: &PlainSecret) -> Self {
        let derive = |label: &[u8]| {
            let mut out = Zeroizing::new([0_u8; 32]);
            // 32 bytes are far below what HKDF can give (RFC 5869 §2.3), so this cannot fail.
            let _ = Hkdf::<Sha256>::new(Some(b"tessera"), master.reveal().as_bytes()).expand(label, out.as_mut());
            out
        };
        let fingerprint = hex(&*derive(b"fingerprint v1"));
        Self {
            digest: derive(b"digest v1"),
            seal: derive(b"seal v1"),
            audit: derive(b"audit v1"),
            csrf: derive(b"csrf v1"),
            fingerprint,
        }
    }

    /// What is stored in a database to recognise the master key; tells nothing about it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The digest under which a credential is stored.
    #[must_use]
    pub fn digest(&self, secret: &PlainSecret) -> Digest {
        Digest(hex(&mac(&self.digest, secret.reveal().as_bytes())))
    }

    /// Authenticates a link or the head of the audit chain.
    #[must_use]
    pub fn authenticate_audit(&self, message: &[u8]) -> [u8; 32] {
        mac(&self.audit, message)
    }

    /// What a session's own pages send with their forms, from the session's id.
    #[must_use]
    pub fn csrf(&self, session: &[u8]) -> [u8; 32] {
        mac(&self.csrf, session)
    }

    /// Encrypts a credential for the row `owner`: moved to another row it does not open.
    #[must_use]
    pub fn seal(&self, entropy: &dyn Entropy, secret: &PlainSecret, owner: &[u8]) -> Sealed {
        let mut nonce = [0_u8; NONCE_LENGTH];
        entropy.fill(&mut nonce);
        let cipher = XChaCha20Poly1305::new((&*self.seal).into());
        let payload = Payload { msg: secret.reveal().as_bytes(), aad: owner };
        let mut sealed = nonce.to_vec();
        // Encryption only fails beyond 256 GiB of text.
        sealed.extend(cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default());
        Sealed(sealed)
    }

    /// Opens what [`Keyring::seal`] gave for the same row.
    ///
    /// # Errors
    /// [`CannotOpen`] under another master key, for another row, or when the value was changed.
    pub fn open(&self, sealed: &Sealed, owner: &[u8]) -> Result<PlainSecret, CannotOpen> {
        let (nonce, text) = sealed.0.split_first_chunk::<NONCE_LENGTH>().ok_or(CannotOpen)?;
        let cipher = XChaCha20Poly1305::new((&*self.seal).into());
        let payload = Payload { msg: text, aad: owner };
        let clear = cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| CannotOpen)?;
        String::from_utf8(clear).map(PlainSecret::new).map_err(|_| CannotOpen)
    }
}

/// HMAC-SHA-256.
fn mac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    match <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
        // HMAC takes keys of any length (RFC 2104 §2).
        Err(_) => unreachable!("HMAC refused a key of 32 bytes"),
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::SeededEntropy;

    fn keyring(master: &str) -> Keyring {
        Keyring::new(&PlainSecret::new(master.into()))
    }

    #[test]
    fn a_sealed_key_opens_under_its_master_key_and_for_its_row_only() {
        let secret = PlainSecret::new("tsraSecret".into());
        let sealed = keyring("a").seal(&SeededEntropy::new(1), &secret, b"row 1");
        assert_eq!(keyring("a").open(&sealed, b"row 1").expect("opens"), secret);
        assert!(keyring("b").open(&sealed, b"row 1").is_err());
        assert!(keyring("a").open(&sealed, b"row 2").is_err());
        assert!(!String::from_utf8_lossy(&sealed.0).contains("tsraSecret"));
    }

    #[test]
    fn digests_depend_on_the_master_key() {
        let secret = PlainSecret::new("key".into());
        assert_eq!(keyring("a").digest(&secret), keyring("a").digest(&secret));
        assert_ne!(keyring("a").digest(&secret), keyring("b").digest(&secret));
    }

    #[test]
    fn nothing_secret_is_in_a_debug_output() {
        let secret = PlainSecret::new("hidden".into());
        let ring = keyring("hidden");
        let sealed = ring.seal(&SeededEntropy::new(1), &secret, b"");
        let shown = format!("{secret:?} {ring:?} {sealed:?} {:?}", ring.digest(&secret));
        assert_eq!(shown, "PlainSecret([redacted]) Keyring([redacted]) Sealed([redacted]) Digest([redacted])");
    }
}
