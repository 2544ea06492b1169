//! Brands, and the one of a host.

use super::{FLOWS, UNKNOWN, flow, text};
use crate::harness::{Server, tests};
use http::Method;
use serde_json::{Value, json};

tests![created_and_changed, refused, one_default, listed, the_brand_of_a_host, forgets_its_flow, by_grant];

const BRANDS: &str = "/core/brands/";

fn path(brand: &Value) -> String {
    format!("{BRANDS}{}/", text(&brand["brand_uuid"]))
}

async fn brand(server: &Server, domain: &str) -> Value {
    server.admin().post(BRANDS, &json!({"domain": domain})).await.expect(201)
}

async fn created_and_changed(server: &Server) {
    let admin = server.admin();
    let mut expected = brand(server, "example.org").await;
    let fresh = json!({
        "brand_uuid": expected["brand_uuid"], "domain": "example.org", "default": false,
        "branding_title": "authentik", "branding_logo": "/static/dist/assets/icons/icon_left_brand.svg",
        "branding_favicon": "/static/dist/assets/icons/icon.png", "flow_authentication": null,
        "flow_invalidation": null, "flow_recovery": null, "flow_unenrollment": null, "flow_user_settings": null,
        "flow_device_code": null, "default_application": null, "web_certificate": null, "attributes": {},
    });
    assert_eq!(expected, fresh);
    let way = flow(server, "way").await["pk"].clone();
    for (field, value) in [
        ("branding_title", json!("Example")),
        ("flow_recovery", way.clone()),
        ("flow_device_code", way),
        ("attributes", json!({"settings": {"locale": "de"}})),
        ("flow_recovery", json!(null)),
    ] {
        expected[field] = value.clone();
        admin.patch(&path(&expected), &json!({field: value})).await.expect_body(200, &expected);
    }
    admin.put(&path(&expected), &json!({"domain": "example.org"})).await.expect_body(200, &expected);
    admin.get(&path(&expected)).await.expect_body(200, &expected);
    admin.get(&format!("{}used_by/", path(&expected))).await.expect_body(200, &json!([]));
    admin.delete(&path(&expected)).await.expect_empty(204);
    admin.delete(&path(&expected)).await.expect_missing();
}

async fn refused(server: &Server) {
    let admin = server.admin();
    let made = brand(server, "example.org").await;
    let taken = json!({"domain": ["Brand with this domain already exists."]});
    admin.post(BRANDS, &json!({"domain": "example.org"})).await.expect_faults(taken);
    admin.post(BRANDS, &json!({})).await.expect_faults(json!({"domain": ["This field is required."]}));
    let unknown = json!([format!("Invalid pk \"{UNKNOWN}\" - object does not exist.")]);
    let nowhere = json!({"flow_recovery": UNKNOWN, "web_certificate": UNKNOWN, "default_application": UNKNOWN});
    let faults = json!({"flow_recovery": unknown, "web_certificate": unknown, "default_application": unknown});
    admin.patch(&path(&made), &nowhere).await.expect_faults(faults);
    admin.put(&path(&made), &json!({})).await.expect_faults(json!({"domain": ["This field is required."]}));
    let path = format!("{BRANDS}{UNKNOWN}/");
    admin.get(&path).await.expect_missing();
    admin.get(&format!("{path}used_by/")).await.expect_missing();
    admin.put(&path, &json!({})).await.expect_missing();
    admin.patch(&path, &json!({})).await.expect_missing();
}

async fn one_default(server: &Server) {
    let admin = server.admin();
    let other = brand(server, "example.org").await;
    let fault = json!({"default": ["Only a single brand can be set as default."]});
    admin.patch(&path(&other), &json!({"default": true})).await.expect_faults(fault.clone());
    admin.post(BRANDS, &json!({"domain": "x", "default": true})).await.expect_faults(fault);
    let shipped = admin.get(&format!("{BRANDS}?default=true")).await.expect(200)["results"][0].clone();
    admin.patch(&path(&shipped), &json!({"default": true})).await.expect(200);
    admin.patch(&path(&shipped), &json!({"default": false})).await.expect(200);
    admin.patch(&path(&other), &json!({"default": true})).await.expect(200);
}

async fn listed(server: &Server) {
    let admin = server.admin();
    brand(server, "b.example.org").await;
    brand(server, "a.example.org").await;
    let list = async |query: &str| admin.get(&format!("{BRANDS}?{query}")).await.expect_list("domain");
    assert_eq!(list("").await, ["a.example.org", "authentik-default", "b.example.org"]);
    assert_eq!(list("search=example&ordering=-domain").await, ["b.example.org", "a.example.org"]);
    assert_eq!(list("default=true").await, ["authentik-default"]);
    let way = admin.get(&format!("{FLOWS}default-recovery-flow/")).await.expect(200)["pk"].clone();
    assert_eq!(list(&format!("flow_recovery={}", text(&way))).await, ["authentik-default"]);
    let fault = json!({"flow_recovery": ["Select a valid choice. That choice is not one of the available choices."]});
    admin.get(&format!("{BRANDS}?flow_recovery={UNKNOWN}")).await.expect_faults(fault);
}

async fn the_brand_of_a_host(server: &Server) {
    let admin = server.admin();
    let current = async || server.anonymous().get(&format!("{BRANDS}current/")).await.expect(200);
    let shipped = current().await;
    assert_eq!(shipped["matched_domain"], "authentik-default");
    assert_eq!(shipped["flow_authentication"], "default-authentication-flow");
    assert_eq!(shipped["flow_recovery"], "default-recovery-flow");
    assert_eq!(shipped["ui_theme"], "automatic");
    assert!(shipped.get("flow_device_code").is_none_or(Value::is_null), "{shipped}");
    let host = server.address().ip().to_string();
    let own =
        json!({"domain": host, "branding_title": "Here", "attributes": {"settings": {"theme": {"base": "dark"}}}});
    admin.post(BRANDS, &own).await.expect(201);
    let here = current().await;
    assert_eq!((&here["branding_title"], &here["ui_theme"]), (&json!("Here"), &json!("dark")));
    // Without any there is one all the same.
    for brand in admin.get(BRANDS).await.expect(200)["results"].as_array().expect("a list") {
        admin.delete(&path(brand)).await.expect_empty(204);
    }
    assert_eq!(current().await["matched_domain"], "fallback");
}

async fn forgets_its_flow(server: &Server) {
    let admin = server.admin();
    let used = admin.get(&format!("{FLOWS}default-recovery-flow/used_by/")).await.expect(200);
    let brands: Vec<_> = used.as_array().expect("a list").iter().filter(|used| used["model_name"] == "brand").collect();
    assert_eq!((&brands[0]["name"], &brands[0]["action"]), (&json!("Default brand"), &json!("set_null")));
    admin.delete(&format!("{FLOWS}default-recovery-flow/")).await.expect_empty(204);
    let shipped = admin.get(&format!("{BRANDS}?default=true")).await.expect(200)["results"][0].clone();
    assert_eq!(shipped["flow_recovery"], json!(null));
}

async fn by_grant(server: &Server) {
    let (mine, other) = (brand(server, "mine").await, brand(server, "other").await);
    let person = server.person("ann").await;
    person.client.get(BRANDS).await.expect_forbidden();
    person.client.post(BRANDS, &json!({})).await.expect_forbidden();
    person.client.get(&format!("{}used_by/", path(&mine))).await.expect_forbidden();
    for method in [Method::GET, Method::DELETE] {
        person.client.request(method, &path(&mine)).send().await.expect_forbidden();
    }
    for method in [Method::PUT, Method::PATCH] {
        person.client.request(method, &path(&mine)).json(&json!({})).send().await.expect_forbidden();
    }
    server.grant(person.holder(), "authentik_brands.view_brand", Some(&text(&mine["brand_uuid"]))).await;
    assert_eq!(person.client.get(BRANDS).await.expect_list("domain"), ["mine"]);
    person.client.get(&path(&other)).await.expect_missing();
}
