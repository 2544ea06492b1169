//! Asks who it is (contract: authentik-core §6.4, identification).

use super::{Answer, password};
use crate::{
    error::Result,
    flow::{
        answer::{self, Reading},
        challenge::{self, Challenge, Faults, WHOLE},
        run::{Run, Turn},
        store::{self, Sought},
        throttle,
    },
    resource::{
        flows::Designation,
        stages::{
            Model,
            settings::{Identification, Password, Settings, UserField},
        },
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, settings: &Identification, answer: Answer<'_>) -> Result<Turn> {
    let with_password = password_stage(run, settings).await?;
    let Some(answer) = answer else {
        return Ok(Turn::Ask(asked(run, settings, with_password.as_ref()).await?));
    };
    let mut faults = Faults::default();
    let how = Reading { required: true, trimmed: true, blank: false };
    let uid = answer::text(answer, "uid_field", how, &mut faults);
    let password = match answer.get("password") {
        None | Some(Value::Null) => None,
        Some(value) => answer::of_value(value, "password", Reading { blank: true, ..Reading::default() }, &mut faults),
    };
    let Some(uid) = uid.filter(|_| faults.is_empty()) else { return wrong(run, settings, with_password, faults).await };
    let sought = |field| settings.user_fields.contains(&field).then_some(uid.as_str());
    let sought = Sought {
        username: sought(UserField::Username),
        email: sought(UserField::Email),
        upn: sought(UserField::Upn),
        exactly: !settings.case_insensitive_matching,
    };
    let found = store::account(run.ctx.app.db.read(), sought).await?;
    let failed = || Faults::one(WHOLE, "Failed to authenticate.", "invalid");
    if found.is_none() {
        if with_password.is_none() {
            let ctx = run.ctx;
            throttle::failed(ctx, run.tx().await?, &uid.to_lowercase()).await?;
        }
        // Recovery that pretends would ask a stranger for his new password.
        if !settings.pretend_user_exists && with_password.is_none() {
            return wrong(run, settings, None, failed()).await;
        }
    }
    let unknown = found.is_none();
    run.turn_to(found, unknown);
    run.plan.shown_as = Some(uid.clone()).filter(|_| unknown || !settings.show_matched_user);
    if let Some((judging, with)) = &with_password {
        // Together, so that one answer does not tell which of the two was wrong.
        let name = run.pending.as_ref().map_or_else(|| uid.to_lowercase(), |user| user.username.clone());
        let verdict = password::check(run, judging, with, &name, password.unwrap_or_default()).await?;
        if verdict != password::Checked::Right {
            run.turn_to(None, false);
            run.plan.shown_as = None;
            return wrong(run, settings, with_password, failed()).await;
        }
    }
    Ok(Turn::Done)
}

async fn wrong(
    run: &Run<'_>,
    settings: &Identification,
    with_password: Option<(Model, Password)>,
    faults: Faults,
) -> Result<Turn> {
    Ok(Turn::Wrong(asked(run, settings, with_password.as_ref()).await?, faults))
}

/// The password stage that is asked together with this one.
async fn password_stage(run: &Run<'_>, settings: &Identification) -> Result<Option<(Model, Password)>> {
    let Some(id) = settings.password_stage else { return Ok(None) };
    let Some(stage) = store::stage(run.ctx.app.db.read(), id).await? else { return Ok(None) };
    match stage.typed()? {
        Settings::Password(password) => Ok(Some((stage, password))),
        _ => Ok(None),
    }
}

async fn asked(run: &Run<'_>, settings: &Identification, password: Option<&(Model, Password)>) -> Result<Challenge> {
    let mut own = json!({
        "user_fields": settings.user_fields,
        "password_fields": password.is_some(),
        "allow_show_password": password.is_some_and(|(_, password)| password.allow_show_password),
        "flow_designation": run.flow.designation,
        "primary_action":
            if run.flow.designation == Designation::Authentication { "Log in" } else { "Continue" },
        "sources": [],
        "show_source_labels": settings.show_source_labels,
    });
    for (key, flow) in [
        ("enroll_url", settings.enrollment_flow),
        ("recovery_url", settings.recovery_flow),
        ("passwordless_url", settings.passwordless_flow),
    ] {
        if let Some(url) = page_of(run, flow).await? {
            own[key] = url.into();
        }
    }
    Ok(challenge::of(&run.visit(), "ak-stage-identification", own))
}

/// The page of a flow.
async fn page_of(run: &Run<'_>, flow: Option<Uuid>) -> Result<Option<String>> {
    let Some(flow) = flow else { return Ok(None) };
    let flow = store::by_id(run.ctx.app.db.read(), flow).await?;
    Ok(flow.map(|flow| format!("/if/flow/{}/", flow.slug)))
}
