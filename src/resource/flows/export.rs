//! A flow as a blueprint (contract: authentik-core §6.1, `export`): the flow, its stages with their prompts, the
//! bindings, and the policies of all of them. Sealed secrets are not part of it.

use super::{store::FlowView, yaml};
use crate::{
    error::Result,
    resource::{
        bindings, policies, prompts, stage_bindings,
        stage_bindings::gone::{self, Of},
        stages,
    },
};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// One object of a blueprint.
fn entry(model: &str, identifiers: Value, attrs: Value) -> Value {
    json!({
        "model": model, "state": "present", "conditions": [], "identifiers": identifiers, "attrs": attrs,
    })
}

/// The blueprint, in YAML.
///
/// # Errors
/// When the database is away.
pub async fn blueprint(db: &impl ConnectionTrait, view: &FlowView) -> Result<String> {
    let flow = &view.flow;
    let bindings = gone::bindings(db, Of::Flow(flow.id)).await?;
    let mut entries = vec![entry(
        "authentik_flows.flow",
        json!({"pk": flow.id, "slug": flow.slug}),
        json!({
            "name": flow.name, "title": flow.title, "designation": flow.designation,
            "policy_engine_mode": view.mode.to_value(), "compatibility_mode": flow.compatibility_mode,
            "layout": flow.layout, "denied_action": flow.denied_action, "authentication": flow.authentication,
        }),
    )];
    let ids: BTreeSet<Uuid> = bindings.iter().map(|binding| binding.stage_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let stages = stages::store::completed(db, stages::store::by_ids(db, &ids).await?).await?;
    let asked: BTreeSet<Uuid> = stages.iter().flat_map(|view| view.prompts.iter().copied()).collect();
    for prompt in prompts_of(db, &asked).await? {
        entries.push(entry(
            "authentik_stages_prompt.prompt",
            json!({"pk": prompt.id, "name": prompt.name}),
            attrs(&prompt),
        ));
    }
    let targets: Vec<Uuid> = [flow.target_id].into_iter().chain(bindings.iter().map(|b| b.target_id)).collect();
    let bound = policy_bindings(db, &targets).await?;
    let judged = stages.iter().flat_map(|view| view.policies.iter().copied());
    let wanted: BTreeSet<Uuid> = bound.iter().filter_map(|binding| binding.policy_id).chain(judged).collect();
    let wanted: Vec<Uuid> = wanted.into_iter().collect();
    for policies::store::PolicyView { policy, .. } in policies::store::views(db, &wanted).await? {
        let words = policy.kind.words();
        let mut attrs = policy.fields();
        attrs.insert("execution_logging".to_owned(), Value::Bool(policy.execution_logging));
        let model = format!("{}.{}", words.app_label, words.model);
        entries.push(entry(&model, json!({"pk": policy.id, "name": policy.name}), Value::Object(attrs)));
    }
    for view in &stages {
        let (app, model) = view.stage.kind.model();
        let identifiers = json!({"pk": view.stage.id, "name": view.stage.name});
        entries.push(entry(&format!("{app}.{model}"), identifiers, Value::Object(view.fields())));
    }
    for binding in &bindings {
        entries.push(stage_binding(db, binding).await?);
    }
    entries.extend(bound.iter().map(policy_binding));
    let blueprint = [
        ("version", json!(1)),
        ("metadata", json!({"name": format!("Export of flow {}", flow.slug)})),
        ("entries", Value::Array(entries)),
    ];
    let blueprint: Map<String, Value> = blueprint.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(yaml::document(&Value::Object(blueprint)))
}

fn attrs(prompt: &prompts::Model) -> Value {
    json!({
        "field_key": prompt.field_key, "label": prompt.label, "type": prompt.kind, "required": prompt.required,
        "placeholder": prompt.placeholder, "initial_value": prompt.initial_value, "order": prompt.position,
        "sub_text": prompt.sub_text, "placeholder_expression": prompt.placeholder_expression,
        "initial_value_expression": prompt.initial_value_expression,
    })
}

async fn prompts_of(db: &impl ConnectionTrait, ids: &BTreeSet<Uuid>) -> Result<Vec<prompts::Model>> {
    let select = prompts::Entity::find().filter(prompts::Column::Id.is_in(ids.iter().copied()));
    Ok(select.order_by_asc(prompts::Column::Name).all(db).await?)
}

async fn policy_bindings(db: &impl ConnectionTrait, targets: &[Uuid]) -> Result<Vec<bindings::Model>> {
    use bindings::Column as C;
    let select = bindings::Entity::find().filter(C::TargetId.is_in(targets.iter().copied()));
    Ok(select.order_by_asc(C::TargetId).order_by_asc(C::Position).order_by_asc(C::Id).all(db).await?)
}

async fn stage_binding(db: &impl ConnectionTrait, binding: &stage_bindings::Model) -> Result<Value> {
    let target = bindings::target::Entity::find_by_id(binding.target_id).one(db).await?;
    Ok(entry(
        "authentik_flows.flowstagebinding",
        json!({"pk": binding.id, "target": binding.flow_id, "stage": binding.stage_id, "order": binding.position}),
        json!({
            "evaluate_on_plan": binding.evaluate_on_plan, "re_evaluate_policies": binding.re_evaluate_policies,
            "policy_engine_mode": target.map(|target| target.engine_mode.to_value()),
            "invalid_response_action": binding.invalid_response_action,
        }),
    ))
}

fn policy_binding(binding: &bindings::Model) -> Value {
    entry(
        "authentik_policies.policybinding",
        json!({"pk": binding.id, "target": binding.target_id, "policy": binding.policy_id, "order": binding.position}),
        json!({
            "group": binding.group_id, "user": binding.user_id, "negate": binding.negate, "enabled": binding.enabled,
            "timeout": binding.timeout, "failure_result": binding.failure_result,
        }),
    )
}
