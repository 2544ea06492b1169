//! What administrators see of a visit, and the mails they have sent.

use super::{UNKNOWN, text};
use crate::harness::{Server, tests};
use serde_json::json;

tests![a_visit_is_inspected, a_link_is_sent];

const SETTINGS: &str = "default-user-settings-flow";

fn inspector(slug: &str) -> String {
    format!("/flows/inspector/{slug}/")
}

async fn a_visit_is_inspected(server: &Server) {
    let browser = server.browser(1).await;
    browser.get(&inspector(SETTINGS)).await.expect_empty(400);
    browser.get(&format!("/flows/executor/{SETTINGS}/")).await.expect(200);
    let seen = browser.get(&inspector(SETTINGS)).await.expect(200);
    assert_eq!(seen["is_completed"], false);
    assert_eq!(seen["current_plan"]["current_stage"]["stage_obj"]["name"], "default-user-settings");
    assert_eq!(seen["current_plan"]["next_planned_stage"]["stage_obj"]["name"], "default-user-settings-write");
    browser.get(&inspector("default-invalidation-flow")).await.expect_empty(400);
    browser.get(&inspector("nothing")).await.expect_missing();
    let ann = server.person("ann").await;
    server.browser(ann.pk).await.get(&inspector(SETTINGS)).await.expect_forbidden();
}

async fn a_link_is_sent(server: &Server) {
    let admin = server.admin();
    let ann = server.person("ann").await;
    let path = |pk: i64, stage: &str| format!("/core/users/{pk}/recovery_email/?email_stage={stage}");
    let own = json!({"name": "mail", "host": "127.0.0.1", "port": 9, "from_address": "id@example.test"});
    let stage = text(&admin.post("/stages/email/", &own).await.expect(201)["pk"]);
    let refused = |why: &str| json!({"non_field_errors": why});
    let change = json!({"email": ""});
    admin.patch(&format!("/core/users/{}/", ann.pk), &change).await.expect(200);
    let none = "User does not have an email address set.";
    assert_eq!(admin.post(&path(ann.pk, &stage), &json!({})).await.expect(400), refused(none));
    admin.patch(&format!("/core/users/{}/", ann.pk), &json!({"email": "ann@example.test"})).await.expect(200);
    let unknown = "Email stage does not exist.";
    assert_eq!(admin.post(&path(ann.pk, UNKNOWN), &json!({})).await.expect(400), refused(unknown));
    admin.post(&path(99_999, &stage), &json!({})).await.expect_missing();
    ann.client.post(&path(ann.pk, &stage), &json!({})).await.expect_forbidden();
    let mark = server.mark().await;
    admin.post(&path(ann.pk, &stage), &json!({})).await.expect_empty(204);
    let events = server.events_since(&mark).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.action.as_str(), &event.context["to_email"]), ("email_sent", &json!(["ann@example.test"])));
    // The key is worth a password: the event has none of it.
    let token = admin.get("/core/tokens/?intent=verification").await.expect(200)["results"][0]["identifier"].clone();
    let key = admin.get(&format!("/core/tokens/{}/view_key/", text(&token))).await.expect(200)["key"].clone();
    assert!(!serde_json::to_string(&event.context).expect("JSON").contains(&text(&key)));
    // Without a server to send it with, it says what to set.
    admin.patch(&format!("/stages/email/{stage}/"), &json!({"use_global_settings": true})).await.expect(200);
    let told = admin.post(&path(ann.pk, &stage), &json!({})).await.expect(400);
    assert!(told.to_string().contains("TESSERA_SMTP_HOST"), "{told}");
}
