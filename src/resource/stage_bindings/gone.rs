//! Bindings of stages to flows that go with their stage or their flow.

use super::entity::{Column, Entity, Model};
use crate::{
    audit::{self, Event, Subject},
    ctx::Ctx,
    db::Tx,
    error::Result,
    resource::{
        bindings::{self, target},
        grants::store as grants,
    },
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::LockType,
};
use uuid::Uuid;

/// Whose bindings are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Stage(Uuid),
    Flow(Uuid),
}

/// What a binding is called where it is named.
#[must_use]
pub fn name(binding: &Model) -> String {
    format!("Flow-stage binding #{} to {}", binding.position, binding.flow_id)
}

/// The binding as events name it.
#[must_use]
pub fn subject(binding: &Model) -> Subject {
    Subject::new("authentik_flows", "flowstagebinding", binding.id.simple(), name(binding))
}

fn select(of: Of) -> sea_orm::Select<Entity> {
    let condition = match of {
        Of::Stage(id) => Column::StageId.eq(id),
        Of::Flow(id) => Column::FlowId.eq(id),
    };
    Entity::find().filter(condition).order_by_asc(Column::Position).order_by_asc(Column::Id)
}

/// The bindings of a stage or of a flow, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn bindings(db: &impl ConnectionTrait, of: Of) -> Result<Vec<Model>> {
    Ok(select(of).all(db).await?)
}

/// Removes the bindings of something that is about to be removed itself, with what is bound to them.
///
/// # Errors
/// When the database is away.
pub async fn forget(ctx: &Ctx, tx: &mut Tx, of: Of) -> Result<()> {
    let found = select(of).lock(LockType::Update).all(tx.conn()).await?;
    for binding in &found {
        bindings::service::forget(ctx, tx, bindings::service::Of::Target(binding.target_id)).await?;
        // The binding goes with what policies are bound to.
        target::Entity::delete_by_id(binding.target_id).exec(tx.conn()).await?;
        audit::record(tx, ctx, Event::deleted(&subject(binding)));
    }
    let keys = |key: fn(&Model) -> Uuid| found.iter().map(|b| key(b).to_string()).collect::<Vec<_>>();
    grants::forget_objects(tx.conn(), "authentik_flows", "flowstagebinding", &keys(|b| b.id)).await?;
    grants::forget_objects(tx.conn(), "authentik_policies", "policybindingmodel", &keys(|b| b.target_id)).await?;
    if !found.is_empty() {
        tx.touch();
    }
    Ok(())
}
