//! Has a password changed that is too old, before its owner goes on (contract: authentik-core §6.6). He has shown
//! the old one; the new one must pass the policies of the stage in which passwords are chosen, and be another.

use super::{Answer, prompt};
use crate::{
    error::Result,
    flow::{
        challenge::{Faults, WHOLE},
        plan::Proof,
        run::{Run, Turn},
        store,
    },
    resource::{
        prompts::{self, Kind},
        users,
    },
    secret::{
        PlainSecret,
        password::{MAX_LENGTH, Verdict},
    },
};
use serde_json::{Map, Value};
use tessera_api::v3::models::{PromptTypeEnum, StagePrompt};
use uuid::Uuid;

/// The field that says why, before the questions.
const WHY: &str = "password_expired";

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, message: &str, stage: Option<Uuid>, answer: Answer<'_>) -> Result<Turn> {
    let Some(user) = run.user().cloned() else { return Ok(Turn::Denied(String::new())) };
    let shown = matches!(run.plan.proof, Some(Proof::Password | Proof::Link | Proof::Created)) || run.is_own();
    if !shown || !run.plan.is_current(&user) {
        return Ok(Turn::Denied(String::new()));
    }
    if let Some(stage) = stage
        && store::stage(run.ctx.app.db.read(), stage).await?.is_none()
    {
        // Its policies have gone with it.
        return Ok(Turn::Denied("This step is no longer there. Please start again.".to_owned()));
    }
    let prompts = questions(run, stage).await?;
    let fields = prompt::fields(run, &prompts).await?;
    let mut shown = vec![why(message)];
    shown.extend(fields.iter().cloned());
    let Some(answer) = answer else { return prompt::asked(run, &shown).map(Turn::Ask) };
    let mut faults = Faults::default();
    let data = prompt::read(run, &prompts, &fields, answer, &mut faults).await?;
    if faults.is_empty()
        && let Some(stage) = stage
    {
        faults = prompt::judged(run, stage, &data).await?;
    }
    let new = new_password(&prompts, &data);
    if faults.is_empty() {
        match &new {
            None => faults.add(WHOLE, "A new password is required.", "required"),
            Some(new) if new.reveal().chars().count() > MAX_LENGTH => {
                let text = format!("Ensure this field has no more than {MAX_LENGTH} characters.");
                faults.add(WHOLE, text, "max_length");
            }
            Some(new) if users::own::verify_password(run.ctx, Some(&user), new.clone()).await? != Verdict::Wrong => {
                faults.add(WHOLE, "The new password must not be the old one.", "invalid");
            }
            Some(_) => {}
        }
    }
    let Some(new) = new.filter(|_| faults.is_empty()) else {
        return Ok(Turn::Wrong(prompt::asked(run, &shown)?, faults));
    };
    let hash = users::service::hash_password(run.ctx, Some(new)).await?;
    let (ctx, own) = (run.ctx, run.session.id);
    let tx = run.tx().await?;
    let Some(user) = users::own::change_password(ctx, tx, &user, hash, Some(own)).await? else {
        return Ok(Turn::Outrun);
    };
    if let Some(proof) = run.plan.proof {
        run.plan.prove(proof, &user);
    }
    run.pending = run.pending.take().map(|_| user);
    run.plan.renewed = true;
    Ok(Turn::Done)
}

/// What is asked: the stage's passwords, or two of our own.
async fn questions(run: &Run<'_>, stage: Option<Uuid>) -> Result<Vec<prompts::Model>> {
    let asked = match stage {
        Some(stage) => prompts::store::of_stage(run.ctx.app.db.read(), stage).await?,
        None => Vec::new(),
    };
    let passwords: Vec<_> = asked.into_iter().filter(|prompt| prompt.kind == Kind::Password).collect();
    Ok(if passwords.is_empty() {
        vec![own("password", "New password"), own("password_repeat", "New password (repeat)")]
    } else {
        passwords
    })
}

fn own(key: &str, label: &str) -> prompts::Model {
    prompts::Model {
        id: Uuid::nil(),
        name: key.to_owned(),
        field_key: key.to_owned(),
        label: label.to_owned(),
        kind: Kind::Password,
        required: true,
        placeholder: String::new(),
        initial_value: String::new(),
        position: 0,
        sub_text: String::new(),
        placeholder_expression: false,
        initial_value_expression: false,
        search: String::new(),
    }
}

fn why(message: &str) -> StagePrompt {
    StagePrompt {
        field_key: WHY.to_owned(),
        label: String::new(),
        r_type: PromptTypeEnum::Static,
        required: false,
        placeholder: String::new(),
        initial_value: message.to_owned(),
        order: 0,
        sub_text: String::new(),
        choices: None,
    }
}

fn new_password(prompts: &[prompts::Model], data: &Map<String, Value>) -> Option<PlainSecret> {
    let named = data.get("password");
    let first = named.or_else(|| prompts.iter().find_map(|prompt| data.get(&prompt.field_key))).and_then(Value::as_str);
    first.filter(|text| !text.is_empty()).map(|text| PlainSecret::new(text.to_owned()))
}
