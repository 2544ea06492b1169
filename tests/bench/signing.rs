//! What `just bench --trades` is measured against: how many bearer tokens one core signs when it does nothing else.
//!
//! `bench-signing --seconds N` signs the same claims with one key, again and again on one thread, and prints
//! `{"rate", "us"}`: signatures a second, and microseconds that one takes.

use serde_json::json;
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};
use tessera::secret::jwt::{Purpose, SigningKey};

/// As many as between two looks at the clock.
const PORTION: u32 = 100;

fn measure(long: Duration) -> Option<(f64, f64)> {
    let key = SigningKey::read(&SigningKey::generate().ok()?).ok()?;
    let claims = json!({
        "tenant_id": "39c87ec9-2ba7-8df2-7c6a-a3fc5fd2d80b", "pod": "local", "org": "tessera",
        "identity_id": "42d41cba9b28471eaaf1bbf102b792fd", "user_name": "akadmin", "strong_auth": false,
        "strong_auth_supported": false, "enabled": true, "internal": false, "authorities": ["ORG_ADMIN"],
        "client_id": "fb14a09e70bd473289248176d8b52c11", "scope": ["sp:scopes:all"], "exp": 1_795_939_832,
        "jti": "01d23a5a-15be-4bbb-849f-e9dd68745295",
    });
    let began = Instant::now();
    let mut signed = 0_u32;
    while began.elapsed() < long {
        for _ in 0..PORTION {
            key.sign(Purpose::PersonalAccess, &claims).ok()?;
        }
        signed += PORTION;
    }
    let took = began.elapsed().as_secs_f64();
    Some((f64::from(signed) / took, took / f64::from(signed) * 1e6))
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--seconds"), Some(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    let Some(seconds) = seconds else {
        eprintln!("bench-signing --seconds N");
        return ExitCode::FAILURE;
    };
    match measure(Duration::from_secs(seconds)) {
        Some((rate, us)) => {
            println!("{}", json!({"rate": rate, "us": us}));
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}
