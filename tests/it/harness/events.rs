//! The audit trail, read from its table.

use super::Server;
use sea_orm::EntityTrait as _;
use serde_json::Value;
use std::collections::BTreeSet;
use tessera::audit;
use uuid::Uuid;

/// What a test wants to know of an event.
#[derive(Debug, Clone)]
pub struct Entry {
    pub action: String,
    pub app: String,
    pub user: Value,
    pub context: Value,
    pub client_ip: Option<String>,
}

impl Entry {
    /// `model_created token my-token`: what happened to which object.
    pub fn gist(&self) -> String {
        let subject = ["model", "secret", "token"].iter().find_map(|key| self.context.get(*key));
        let text = |key| subject.and_then(|s| s[key].as_str()).unwrap_or_default().to_owned();
        format!("{} {} {}", self.action, text("model_name"), text("name"))
    }
}

impl Server {
    async fn all_events(&self) -> Vec<audit::Model> {
        audit::Entity::find().all(self.app.db.read()).await.expect("events are read")
    }

    /// Events written so far, to compare with [`Server::events_since`].
    pub async fn mark(&self) -> BTreeSet<Uuid> {
        self.all_events().await.into_iter().map(|e| e.id).collect()
    }

    /// Events written after `mark`, ordered by their gist.
    pub async fn events_since(&self, mark: &BTreeSet<Uuid>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self
            .all_events()
            .await
            .into_iter()
            .filter(|e| !mark.contains(&e.id))
            .map(|e| Entry { action: e.action, app: e.app, user: e.user, context: e.context, client_ip: e.client_ip })
            .collect();
        entries.sort_by_key(Entry::gist);
        entries
    }

    /// The gists of the events written after `mark`, sorted.
    pub async fn gists_since(&self, mark: &BTreeSet<Uuid>) -> Vec<String> {
        self.events_since(mark).await.iter().map(Entry::gist).collect()
    }

    /// All events as one text.
    pub async fn events_text(&self) -> String {
        format!("{:?}", self.all_events().await)
    }
}
