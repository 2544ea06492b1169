//! A running server, and the ways to reach it.

use super::{Client, Place};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use tessera::{
    access::Principal,
    app::App,
    config::Config,
    ctx::{Ctx, ManualClock, SeededEntropy},
    db::Tx,
    resource::grants::{service as grants, store::Holder},
    server::Running,
};
use uuid::Uuid;

pub const SECRET_KEY: &str = "the master key of the tests, of no use elsewhere";
pub const BOOTSTRAP_PASSWORD: &str = "password-of-the-tests";
pub const BOOTSTRAP_TOKEN: &str = "bootstrap-token-of-the-tests";

/// What the clock of every server says at first: 2026-01-02T03:04:05.678901Z.
fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_323_045_678_901).expect("a moment")
}

/// A running server.
pub struct Server {
    running: Running,
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub place: Place,
}

impl Server {
    pub(super) async fn start(place: Place, config: Config, seed: u64) -> Result<Self, String> {
        let clock = Arc::new(ManualClock::new(beginning()));
        match tessera::server::start(config, Arc::clone(&clock) as _, Arc::new(SeededEntropy::new(seed))).await {
            Ok(running) => Ok(Self { app: Arc::clone(&running.app), running, clock, place }),
            Err(error) => {
                place.remove().await;
                Err(error.to_string())
            }
        }
    }

    /// Removes the flows that an installation begins with, and what belongs to them.
    pub async fn forget_shipped(&self) {
        for table in ["brands", "policy_targets", "stages", "prompts", "policies"] {
            sea_orm::ConnectionTrait::execute_unprepared(self.app.db.write(), &format!("DELETE FROM {table}"))
                .await
                .expect("the rows go");
        }
        self.app.generation.advance();
    }

    /// A further server on data of its own, with other settings; end it with [`Server::end`].
    pub async fn another(&self, change: impl FnOnce(&mut Config)) -> Self {
        Place::prepared(self.place.backend()).await.start_with(change).await.expect("the server starts")
    }

    /// Stops the server and keeps its data.
    pub async fn stop(self) -> Place {
        drop(self.app);
        self.running.stop().await;
        self.place
    }

    /// Stops the server and removes its data.
    pub async fn end(self) {
        self.stop().await.remove().await;
    }

    /// What the first start made; nothing on later ones.
    pub fn first(&self) -> Option<&tessera::bootstrap::FirstStart> {
        self.running.first.as_ref()
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.running.api
    }

    pub fn anonymous(&self) -> Client {
        Client::new(self.running.api, None)
    }

    /// A client with a bearer key.
    pub fn with_key(&self, key: &str) -> Client {
        Client::new(self.running.api, Some(key.to_owned()))
    }

    /// A client of `akadmin`.
    pub fn admin(&self) -> Client {
        self.with_key(BOOTSTRAP_TOKEN)
    }

    /// A client of the management listener.
    pub fn management(&self) -> Client {
        Client::elsewhere(self.running.management)
    }

    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// The server itself, as one who may do everything.
    pub fn system(&self) -> Ctx {
        Ctx::new(Arc::clone(&self.app), Arc::new(Principal::System), None)
    }

    pub async fn grant(&self, holder: Holder, permission: &str, object: Option<&str>) {
        let mut tx = Tx::begin(Arc::clone(&self.app)).await.expect("a transaction");
        grants::grant(&mut tx, holder, permission, object).await.expect("granted");
        tx.commit().await.expect("committed");
    }

    pub async fn revoke(&self, holder: Holder, permission: &str, object: Option<&str>) {
        let mut tx = Tx::begin(Arc::clone(&self.app)).await.expect("a transaction");
        assert!(grants::revoke(&mut tx, holder, permission, object).await.expect("revoked"), "it was not granted");
        tx.commit().await.expect("committed");
    }

    /// A role with global permissions.
    pub async fn role(&self, name: &str, permissions: &[&str]) -> Uuid {
        let ctx = self.system();
        let mut tx = ctx.begin().await.expect("a transaction");
        let role = grants::role_named(&mut tx, &ctx, name).await.expect("a role");
        for permission in permissions {
            grants::grant(&mut tx, Holder::Role(role), permission, None).await.expect("granted");
        }
        tx.commit().await.expect("committed");
        role
    }
}
