//! JSON Web Tokens (RFC 7519): keys to sign them with, signing, and checking signatures.
//!
//! What a token says, and whether it still counts, is for its protocol to decide; here it is only whether one of our
//! keys signed it. All keys are ES256 (RFC 7518 §3.4). `resource::keypairs` keeps them.

use super::PlainSecret;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as URL},
};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Validation,
    jwk::{Jwk, ThumbprintHash},
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// The name of the algorithm, on the wire and in the table.
pub const ALGORITHM: &str = "ES256";

/// A key that cannot be made or read, or a signature that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a signing key cannot be used: {0}")]
pub struct KeyFault(&'static str);

/// What a token is for. It is the token's `typ` (RFC 7515 §4.1.9), and checked: what was signed for one purpose is
/// good for no other (RFC 8725 §3.11), whatever its claims say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A bearer token that a personal access token was traded for.
    PersonalAccess,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::PersonalAccess => "pat+jwt",
        }
    }
}

/// A key that signs. Its `Debug` shows only what it is called.
pub struct SigningKey {
    /// The key's thumbprint (RFC 7638), which is its `kid`.
    kid: String,
    pair: EcdsaKeyPair,
    check: DecodingKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a key; gives it as text (PKCS #8 in Base64), to be sealed. The library draws the randomness itself: it
    /// takes no other, neither here nor for signatures.
    ///
    /// # Errors
    /// [`KeyFault`] when the machine gives no randomness.
    pub fn generate() -> Result<PlainSecret, KeyFault> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| KeyFault("it cannot be generated"))?;
        Ok(PlainSecret::new(BASE64_STANDARD.encode(document.as_ref())))
    }

    /// Reads what [`SigningKey::generate`] gave.
    ///
    /// # Errors
    /// [`KeyFault`] when it is anything else.
    pub fn read(text: &PlainSecret) -> Result<Self, KeyFault> {
        let fault = |_| KeyFault("it is no P-256 key");
        let document = Zeroizing::new(BASE64_STANDARD.decode(text.reveal()).map_err(|_| KeyFault("it is not Base64"))?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document)
            .map_err(|_| KeyFault("it is no P-256 key"))?;
        let public = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&document), Algorithm::ES256).map_err(fault)?;
        let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(fault)?;
        Ok(Self { kid, pair, check: DecodingKey::from_jwk(&public).map_err(fault)? })
    }

    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims; gives the token in its compact form. By hand, as `jsonwebtoken` would read the key anew for
    /// each.
    ///
    /// # Errors
    /// [`KeyFault`] when the claims are no JSON object, or the machine gives no randomness.
    pub fn sign(&self, purpose: Purpose, claims: &impl Serialize) -> Result<PlainSecret, KeyFault> {
        let claims = serde_json::to_vec(claims).map_err(|_| KeyFault("the claims are not JSON"))?;
        let header = format!(r#"{{"typ":"{}","alg":"{ALGORITHM}","kid":"{}"}}"#, purpose.as_str(), self.kid);
        let mut token = format!("{}.{}", URL.encode(header), URL.encode(claims));
        let signature =
            self.pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| KeyFault("it does not sign"))?;
        token.push('.');
        URL.encode_string(signature.as_ref(), &mut token);
        Ok(PlainSecret::new(token))
    }

    /// The claims of a token that this key signed for this purpose; `None` for any other text. Times in it are not
    /// looked at.
    #[must_use]
    pub fn check<T: DeserializeOwned>(&self, purpose: Purpose, token: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::ES256);
        // The clock is the caller's.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let data = jsonwebtoken::decode(token, &self.check, &validation).ok()?;
        (data.header.typ.as_deref() == Some(purpose.as_str())).then_some(data.claims)
    }
}

/// The keys of an installation.
#[derive(Debug, Default)]
pub struct KeyRing {
    /// Each with when it was made; the newest first.
    keys: Vec<(DateTime<Utc>, SigningKey)>,
}

/// How old a key is before it signs, where an older one still can: by then every process knows it.
const KNOWN: TimeDelta = TimeDelta::seconds(2);

impl KeyRing {
    /// `keys`, each with when it was made: the newest first, then those whose tokens still count.
    #[must_use]
    pub fn new(keys: Vec<(DateTime<Utc>, SigningKey)>) -> Self {
        Self { keys }
    }

    /// The key that signs.
    ///
    /// # Errors
    /// [`KeyFault`] when there is none.
    pub fn signing(&self, now: DateTime<Utc>) -> Result<&SigningKey, KeyFault> {
        let known = self.keys.iter().find(|(made, _)| *made + KNOWN <= now);
        known.or(self.keys.first()).map(|(_, key)| key).ok_or(KeyFault("there is none"))
    }

    /// The claims of a token that one of the keys signed for this purpose; `None` for any other text.
    #[must_use]
    pub fn check<T: DeserializeOwned>(&self, purpose: Purpose, token: &str) -> Option<T> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        self.keys.iter().find(|(_, key)| key.kid == kid)?.1.check(purpose, token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn key() -> SigningKey {
        SigningKey::read(&SigningKey::generate().expect("a key")).expect("reads")
    }

    const FOR: Purpose = Purpose::PersonalAccess;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a moment")
    }

    #[test]
    fn what_one_key_signed_another_does_not_vouch_for() {
        let (ours, other) = (key(), key());
        let claims = json!({"exp": 1, "scope": ["a"], "jti": "x"});
        let token = ours.sign(FOR, &claims).expect("signed");
        assert_eq!(ours.check::<Value>(FOR, token.reveal()), Some(claims.clone()));
        assert_eq!(other.check::<Value>(FOR, token.reveal()), None);
        let ring = KeyRing::new(vec![(at(1), other), (at(0), ours)]);
        assert_eq!(ring.check::<Value>(FOR, token.reveal()), Some(claims));
        assert_eq!(KeyRing::new(vec![(at(0), key())]).check::<Value>(FOR, token.reveal()), None);
    }

    #[test]
    fn no_other_header_is_taken() {
        let ours = key();
        // As the key would sign it for something else.
        let with_header = |typ: &str, alg: &str| {
            let header = URL.encode(format!(r#"{{"typ":"{typ}","alg":"{alg}","kid":"{}"}}"#, ours.kid()));
            let mut token = format!("{header}.{}", URL.encode(r#"{"a":1}"#));
            let signature = ours.pair.sign(&SystemRandom::new(), token.as_bytes()).expect("signed");
            token.push('.');
            URL.encode_string(signature.as_ref(), &mut token);
            ours.check::<Value>(FOR, &token)
        };
        assert_eq!(with_header("pat+jwt", "ES256"), Some(json!({"a": 1})));
        for alg in ["none", "HS256", "ES384", "RS256", "EdDSA"] {
            assert_eq!(with_header("pat+jwt", alg), None, "{alg}");
        }
        for typ in ["JWT", "at+jwt", "PAT+JWT", ""] {
            assert_eq!(with_header(typ, "ES256"), None, "{typ}");
        }
        let token = ours.sign(FOR, &json!({"a": 1})).expect("signed");
        let unsigned = token.reveal().rsplit_once('.').expect("parts").0;
        assert_eq!(ours.check::<Value>(FOR, &format!("{unsigned}.")), None);
    }

    #[test]
    fn a_new_key_signs_when_everybody_knows_it() {
        let (new, old) = (key(), key());
        let (new_kid, old_kid) = (new.kid().to_owned(), old.kid().to_owned());
        let ring = KeyRing::new(vec![(at(100), new), (at(0), old)]);
        assert_eq!(ring.signing(at(101)).expect("a key").kid(), old_kid);
        assert_eq!(ring.signing(at(102)).expect("a key").kid(), new_kid);
        let first = KeyRing::new(vec![(at(100), key())]);
        assert!(first.signing(at(100)).is_ok() && KeyRing::default().signing(at(0)).is_err());
    }

    #[test]
    fn nothing_secret_is_in_a_debug_output() {
        let text = SigningKey::generate().expect("a key");
        let shown = format!("{:?} {text:?}", SigningKey::read(&text).expect("reads"));
        assert!(!shown.contains(text.reveal()) && shown.contains("kid"), "{shown}");
    }

    proptest! {
        #[test]
        fn one_wrong_letter_is_noticed(at: usize, with in "[A-Za-z0-9_-]") {
            let ours = key();
            let token = ours.sign(FOR, &json!({"exp": 1_800_000_000, "scope": ["sp:scopes:all"]})).expect("signed");
            let mut changed: Vec<char> = token.reveal().chars().collect();
            let at = at % changed.len();
            let with = with.chars().next().expect("a letter");
            prop_assume!(changed[at] != with);
            changed[at] = with;
            let changed: String = changed.into_iter().collect();
            prop_assert_eq!(ours.check::<Value>(FOR, &changed), None);
        }

        #[test]
        fn any_text_has_an_answer(text: String) {
            prop_assert_eq!(KeyRing::new(vec![(at(0), key())]).check::<Value>(FOR, &text), None);
        }
    }
}
