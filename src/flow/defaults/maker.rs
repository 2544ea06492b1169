//! The rows that shipped objects consist of.

use super::Prompt;
use crate::{
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    list,
    resource::{
        bindings::{self, target},
        flows::{self, Authentication, DeniedAction, Designation, Layout, entity::BACKGROUND},
        policies,
        prompts::{self, entity as prompt_rows},
        stage_bindings::{self, InvalidResponse},
        stages::{self, Kind, settings::Settings},
    },
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use uuid::Uuid;

/// Writes the rows of one installation.
pub(super) struct Maker<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) tx: &'a Tx,
}

/// A flow to be made.
pub(super) struct NewFlow<'n> {
    pub(super) slug: &'n str,
    pub(super) name: &'n str,
    pub(super) title: &'n str,
    pub(super) designation: Designation,
    pub(super) authentication: Authentication,
}

impl Maker<'_> {
    pub(super) async fn target(&self) -> Result<Uuid> {
        let id = self.ctx.uuid();
        target::ActiveModel { id: Set(id), engine_mode: Set(target::Mode::Any) }.insert(self.tx.conn()).await?;
        Ok(id)
    }

    /// A flow and its policy target.
    pub(super) async fn flow(&self, new: NewFlow<'_>) -> Result<(Uuid, Uuid)> {
        let (id, target_id) = (self.ctx.uuid(), self.target().await?);
        let denied = DeniedAction::MessageContinue;
        flows::entity::ActiveModel {
            id: Set(id),
            target_id: Set(target_id),
            name: Set(new.name.into()),
            slug: Set(new.slug.into()),
            title: Set(new.title.into()),
            designation: Set(new.designation),
            background: Set(BACKGROUND.into()),
            compatibility_mode: Set(false),
            layout: Set(Layout::Stacked),
            denied_action: Set(denied),
            authentication: Set(new.authentication),
            search: Set(flows::Model::searchable(new.name, new.slug, new.title, new.designation, denied)),
        }
        .insert(self.tx.conn())
        .await?;
        Ok((id, target_id))
    }

    pub(super) async fn stage(&self, name: &str, kind: Kind, settings: Value) -> Result<Uuid> {
        let id = self.ctx.uuid();
        let settings = serde_json::to_value(Settings::read(kind, settings).map_err(Error::internal)?);
        stages::entity::ActiveModel {
            id: Set(id),
            name: Set(name.into()),
            kind: Set(kind),
            settings: Set(settings.map_err(Error::internal)?),
            secret: Set(None),
            search: Set(list::folded(&[name])),
        }
        .insert(self.tx.conn())
        .await?;
        Ok(id)
    }

    /// A binding; gives its policy target.
    pub(super) async fn bind(&self, flow: Uuid, stage: Uuid, order: i32) -> Result<Uuid> {
        let target = self.target().await?;
        stage_bindings::entity::ActiveModel {
            id: Set(self.ctx.uuid()),
            target_id: Set(target),
            flow_id: Set(flow),
            stage_id: Set(stage),
            position: Set(order),
            evaluate_on_plan: Set(false),
            re_evaluate_policies: Set(true),
            invalid_response_action: Set(InvalidResponse::Retry),
        }
        .insert(self.tx.conn())
        .await?;
        Ok(target)
    }

    pub(super) async fn policy(&self, name: &str, expression: &str) -> Result<Uuid> {
        let id = self.ctx.uuid();
        // In an older database somebody may have taken the name.
        let mut name = name.to_owned();
        while policies::store::by_name(self.tx.conn(), &name).await?.is_some() {
            name.push_str(" (shipped)");
        }
        policies::entity::ActiveModel {
            id: Set(id),
            kind: Set(policies::Kind::Expression),
            execution_logging: Set(false),
            settings: Set(json!({"expression": expression})),
            created: Set(self.ctx.now),
            last_updated: Set(self.ctx.now),
            search: Set(list::folded(&[&name])),
            name: Set(name),
        }
        .insert(self.tx.conn())
        .await?;
        Ok(id)
    }

    pub(super) async fn guard(&self, target: Uuid, policy: Uuid) -> Result<()> {
        bindings::entity::ActiveModel {
            id: Set(self.ctx.uuid()),
            target_id: Set(target),
            position: Set(0),
            policy_id: Set(Some(policy)),
            group_id: Set(None),
            user_id: Set(None),
            negate: Set(false),
            enabled: Set(true),
            failure_result: Set(false),
            timeout: Set(30),
        }
        .insert(self.tx.conn())
        .await?;
        Ok(())
    }

    pub(super) async fn password_prompt(&self, name: &str, key: &str, label: &str, order: i32) -> Result<Uuid> {
        let mut row = blank(self.ctx.uuid(), name, key, label, Prompt::Password);
        row.position = order;
        self.prompt(row).await
    }

    pub(super) async fn prompt(&self, mut row: prompts::Model) -> Result<Uuid> {
        row.search = prompts::Model::searchable(&row.name, &row.field_key, &row.label, row.kind, &row.placeholder);
        let id = row.id;
        row.into_active_model().reset_all().insert(self.tx.conn()).await?;
        Ok(id)
    }

    pub(super) async fn prompt_stage(&self, name: &str, prompts: &[Uuid], policies: &[Uuid]) -> Result<Uuid> {
        let stage = self.stage(name, Kind::Prompt, json!({})).await?;
        let fields = prompts
            .iter()
            .map(|prompt| prompt_rows::field::ActiveModel { stage_id: Set(stage), prompt_id: Set(*prompt) });
        prompt_rows::field::Entity::insert_many(fields).exec_without_returning(self.tx.conn()).await?;
        for policy in policies {
            prompt_rows::validation::ActiveModel { stage_id: Set(stage), policy_id: Set(*policy) }
                .insert(self.tx.conn())
                .await?;
        }
        Ok(stage)
    }
}

/// A prompt that must be answered, and shows its label.
pub(super) fn blank(id: Uuid, name: &str, key: &str, label: &str, kind: Prompt) -> prompts::Model {
    prompts::Model {
        id,
        name: name.into(),
        field_key: key.into(),
        label: label.into(),
        kind,
        required: true,
        placeholder: label.into(),
        initial_value: String::new(),
        position: 0,
        sub_text: String::new(),
        placeholder_expression: false,
        initial_value_expression: false,
        search: String::new(),
    }
}
