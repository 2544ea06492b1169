//! Accounts and groups to test with.

use super::{Client, Server};
use serde_json::{Value, json};
use tessera::resource::grants::store::Holder;

/// An account with an API token that never ends.
pub struct Person {
    pub pk: i64,
    pub key: String,
    pub client: Client,
}

impl Person {
    pub fn holder(&self) -> Holder {
        Holder::User(i32::try_from(self.pk).expect("a small number"))
    }
}

impl Server {
    /// A new account that may do nothing in particular.
    pub async fn person(&self, name: &str) -> Person {
        self.person_with(name, json!({})).await
    }

    /// A new account with further fields.
    pub async fn person_with(&self, name: &str, fields: Value) -> Person {
        let admin = self.admin();
        let mut body = json!({"username": name, "name": name});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let user = admin.post("/core/users/", &body).await.expect(201);
        let pk = user["pk"].as_i64().expect("a number");
        let identifier = format!("{name}-login");
        let token = json!({"identifier": identifier, "intent": "api", "user": pk, "expiring": false});
        admin.post("/core/tokens/", &token).await.expect(201);
        let key = self.key_of(&identifier).await;
        Person { pk, client: self.with_key(&key), key }
    }

    /// A new account that holds permissions globally.
    pub async fn holder_of(&self, name: &str, permissions: &[&str]) -> Person {
        let person = self.person(name).await;
        for permission in permissions {
            self.grant(person.holder(), permission, None).await;
        }
        person
    }

    /// The key of a token.
    pub async fn key_of(&self, identifier: &str) -> String {
        let shown = self.admin().get(&format!("/core/tokens/{identifier}/view_key/")).await.expect(200);
        shown["key"].as_str().expect("a key").to_owned()
    }

    /// A new group; gives its primary key.
    pub async fn group(&self, name: &str, fields: Value) -> String {
        let mut body = json!({"name": name});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let group = self.admin().post("/core/groups/", &body).await.expect(201);
        group["pk"].as_str().expect("a key").to_owned()
    }
}
