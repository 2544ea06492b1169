//! What the token endpoint answers, and for how long that is good (contract: sailpoint-pat §7).

use super::{ALL, identity};
use crate::harness::{Pat, Server, tests};
use chrono::TimeDelta;
use http::Method;
use serde_json::json;

tests![the_answer, how_long, never_beyond_its_own_end, information, nothing_is_cached];

async fn the_answer(server: &Server) {
    let ann = server.person_with("ann", json!({"name": "Ann"})).await;
    let pat = server.pat(ann.pk, &["sp:a", "sp:b"]).await;
    let info = server.anonymous().outside(Method::GET, "/oauth/info").send().await.expect(200);
    let traded = server.trade(&pat).await.expect(200);
    let expected = json!({
        "access_token": traded["access_token"], "token_type": "bearer", "expires_in": 43199, "scope": "sp:a sp:b",
        "tenant_id": info["tenantId"], "org": info["tenantName"], "pod": info["pod"],
        "identity_id": identity(server, ann.pk).await, "user_name": "ann", "strong_auth": false,
        "strong_auth_supported": false, "enabled": true, "internal": false, "jti": traded["jti"],
    });
    assert_eq!(traded, expected);
    for member in ["tenant_id", "jti"] {
        let text = traded[member].as_str().expect("text");
        assert!(uuid::Uuid::parse_str(text).is_ok_and(|id| id.to_string() == text), "{text}");
    }
    let again = server.trade(&pat).await.expect(200);
    assert!(again["jti"] != traded["jti"] && again["access_token"] != traded["access_token"]);
}

async fn how_long(server: &Server) {
    for (validity, seconds) in [(None, 43199), (Some(750), 749), (Some(15), 14), (Some(43200), 43199)] {
        let pat = server.pat_with(1, &[], |new| (new.name, new.validity) = (format!("{validity:?}"), validity)).await;
        assert_eq!(server.trade(&pat).await.expect(200)["expires_in"], seconds);
    }
    // On the dot, nothing is lost.
    server.advance(TimeDelta::microseconds(321_099));
    let pat = server.pat_with(1, &[], |new| new.validity = Some(750)).await;
    assert_eq!(server.trade(&pat).await.expect(200)["expires_in"], 750);
}

async fn never_beyond_its_own_end(server: &Server) {
    let pat = server
        .pat_with(1, &[ALL], |new| {
            new.expires = chrono::DateTime::from_timestamp_millis(1_767_323_105_999);
            new.never_expires = false;
        })
        .await;
    // It is 03:04:05.678901, and the last whole second is 03:05:05.
    assert_eq!(server.trade(&pat).await.expect(200)["expires_in"], 59);
    server.advance(TimeDelta::seconds(50));
    assert_eq!(server.trade(&pat).await.expect(200)["expires_in"], 9);
    server.advance(TimeDelta::seconds(11));
    server.trade(&pat).await.expect(401);
}

async fn information(server: &Server) {
    let other = server
        .another(|config| {
            config.external_url = Some("https://id.example.org/".to_owned());
            config.tenant_name = "acme".to_owned();
        })
        .await;
    for (server, base, name) in [
        (server, format!("http://{}", server.address()), "tessera"),
        (&other, "https://id.example.org".to_owned(), "acme"),
    ] {
        for client in [server.anonymous(), server.with_key("x")] {
            let info = client.outside(Method::GET, "/oauth/info").send().await.expect(200);
            let fields: Vec<&String> = info.as_object().expect("an object").keys().collect();
            assert_eq!(fields.len(), 7, "{fields:?}");
            assert_eq!(
                (&info["tokenEndpoint"], &info["tenantName"]),
                (&json!(format!("{base}/oauth/token")), &json!(name))
            );
            for field in ["authorizeEndpoint", "cloudDomainUrl", "logoutUrl"] {
                assert!(info[field].as_str().is_some_and(|url| url.starts_with(&base)), "{field}: {info}");
            }
        }
    }
    other.end().await;
}

async fn nothing_is_cached(server: &Server) {
    let pat = server.pat(1, &[ALL]).await;
    let wrong = Pat { secret: "x".to_owned(), ..pat.clone() };
    let draft = server.anonymous().outside(Method::POST, "/oauth/token");
    let blank = draft.header("content-type", "application/x-www-form-urlencoded").body("a=b").send().await;
    for answer in [server.trade(&pat).await, server.trade(&wrong).await, blank] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.request);
    }
    let api = server.bearer(&pat).await;
    let made = super::create(&api, super::BETA, json!({"name": "t"})).await;
    made.expect(200);
    assert_eq!(made.header("cache-control"), Some("no-store"), "there is a secret in it");
}
