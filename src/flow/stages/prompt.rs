//! Asks questions (contract: authentik-core §6.4, prompt).

use super::Answer;
use crate::{
    error::{Error, Result},
    flow::{
        answer::{self, Reading},
        challenge::{self, Challenge, Faults, WHOLE},
        run::{Run, Turn},
    },
    policy::{Request, engine},
    resource::{
        prompts::{
            self, Kind,
            render::{Failing, Situation},
        },
        stages::Model,
        users,
    },
};
use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value, json};
use tessera_api::v3::models::StagePrompt;
use uuid::Uuid;

/// # Errors
/// When the database is away.
pub async fn turn(run: &mut Run<'_>, stage: &Model, answer: Answer<'_>) -> Result<Turn> {
    let prompts = prompts::store::of_stage(run.ctx.app.db.read(), stage.id).await?;
    let fields = fields(run, &prompts).await?;
    let Some(answer) = answer else { return asked(run, &fields).map(Turn::Ask) };
    let mut faults = Faults::default();
    let data = read(run, &prompts, &fields, answer, &mut faults).await?;
    if faults.is_empty() {
        faults = judged(run, stage.id, &data).await?;
    }
    if !faults.is_empty() {
        return Ok(Turn::Wrong(asked(run, &fields)?, faults));
    }
    for prompt in prompts.iter().filter(|prompt| prompt.kind == Kind::Password) {
        run.plan.secrets.insert(prompt.field_key.clone());
    }
    let mut all = run.plan.prompt_data();
    all.extend(data);
    run.plan.context.insert("prompt_data".to_owned(), Value::Object(all));
    Ok(Turn::Done)
}

/// The prompts as they are shown to this visitor. A password is never shown again.
pub async fn fields(run: &Run<'_>, prompts: &[prompts::Model]) -> Result<Vec<StagePrompt>> {
    let data = run.plan.prompt_data();
    let situation = Situation { data: &data, user: run.user(), failing: Failing::ShowsItsText };
    let made = prompts::render::fields(run.ctx, prompts, situation).await?.map_err(Error::internal)?;
    let shown = made.into_iter().map(|field| {
        let hidden = field.prompt.kind == Kind::Password;
        let mut shown = prompts::to_stage_prompt(field);
        if hidden {
            shown.initial_value.clear();
        }
        shown
    });
    Ok(shown.collect())
}

/// The challenge with these fields.
pub fn asked(run: &Run<'_>, fields: &[StagePrompt]) -> Result<Challenge> {
    let fields = serde_json::to_value(fields).map_err(Error::internal)?;
    Ok(challenge::of(&run.visit(), "ak-stage-prompt", json!({"fields": fields})))
}

/// Reads the answers; a field that was not answered is what it began with, if that was anything.
pub async fn read(
    run: &Run<'_>,
    prompts: &[prompts::Model],
    fields: &[StagePrompt],
    answer: &Map<String, Value>,
    faults: &mut Faults,
) -> Result<Map<String, Value>> {
    let mut data = Map::new();
    for (prompt, field) in prompts.iter().zip(fields) {
        let key = &*prompt.field_key;
        let begun = Some(&field.initial_value).filter(|value| !value.is_empty());
        if matches!(prompt.kind, Kind::TextReadOnly | Kind::TextAreaReadOnly | Kind::Static | Kind::Separator) {
            if prompt.kind != Kind::Separator {
                data.insert(key.to_owned(), field.initial_value.clone().into());
            }
            continue;
        }
        if !answer.contains_key(key) {
            match begun {
                Some(begun) => {
                    data.insert(key.to_owned(), begun.clone().into());
                }
                None if prompt.required && prompt.kind != Kind::Checkbox && prompt.kind != Kind::Hidden => {
                    faults.add(key, "This field is required.", "required");
                }
                None if prompt.kind == Kind::Checkbox => {
                    data.insert(key.to_owned(), false.into());
                }
                None => {}
            }
            continue;
        }
        if let Some(value) = value_of(run, prompt, field, answer, faults).await? {
            data.insert(key.to_owned(), value);
        }
    }
    let passwords: Vec<&str> =
        prompts.iter().filter(|prompt| prompt.kind == Kind::Password).map(|prompt| &*prompt.field_key).collect();
    if let [first, second] = passwords.as_slice()
        && faults.is_empty()
        && data.get(*first) != data.get(*second)
    {
        faults.add(WHOLE, "Passwords don't match.", "invalid");
    }
    Ok(data)
}

/// One answer, by what the prompt asks for.
async fn value_of(
    run: &Run<'_>,
    prompt: &prompts::Model,
    field: &StagePrompt,
    answer: &Map<String, Value>,
    faults: &mut Faults,
) -> Result<Option<Value>> {
    let key = &*prompt.field_key;
    // No locale is the one that the browser asks for.
    let blank = !prompt.required || prompt.kind == Kind::Locale;
    let how = |trimmed| Reading { required: false, trimmed, blank };
    Ok(match prompt.kind {
        Kind::Checkbox => answer::truth(answer, key, false, faults).map(Value::Bool),
        Kind::Number => match answer.get(key) {
            Some(Value::String(text)) if text.is_empty() && !prompt.required => None,
            given => {
                let number = match given {
                    Some(Value::Number(number)) => number.as_i64(),
                    Some(Value::String(text)) => text.trim().parse().ok(),
                    _ => None,
                };
                if given.is_some_and(Value::is_null) {
                    faults.add(key, "This field may not be null.", "null");
                } else if number.is_none() {
                    faults.add(key, "A valid integer is required.", "invalid");
                }
                number.map(Value::from)
            }
        },
        Kind::Dropdown | Kind::RadioButtonGroup => {
            let given = match answer.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => {
                    faults.add(key, "This field may not be null.", "null");
                    return Ok(None);
                }
                Some(other) => other.to_string(),
            };
            let known = field.choices.as_ref().is_some_and(|choices| choices.contains(&given));
            if !known && (prompt.required || !given.is_empty()) {
                faults.add(key, format!("\"{given}\" is not a valid choice."), "invalid_choice");
                return Ok(None);
            }
            Some(given.into())
        }
        kind => {
            let trimmed = !matches!(kind, Kind::Text | Kind::TextArea | Kind::Hidden);
            let Some(text) = answer::text(answer, key, how(trimmed), faults) else { return Ok(None) };
            check(run, kind, key, &text, faults).await?;
            Some(text.into())
        }
    })
}

/// Whether a text is of the form that its kind has.
async fn check(run: &Run<'_>, kind: Kind, key: &str, text: &str, faults: &mut Faults) -> Result<()> {
    let (ctx, own) = (run.ctx, run.user().map(|user| user.id));
    if text.is_empty() {
        return Ok(());
    }
    match kind {
        Kind::Email if !crate::dialect::v3::is_email(text) => {
            faults.add(key, "Enter a valid email address.", "invalid");
        }
        Kind::Date if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() => {
            let sentence = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
            faults.add(key, sentence, "invalid");
        }
        Kind::DateTime if !is_moment(text) => {
            let sentence = "Datetime has wrong format. Use one of these formats instead: \
                YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
            faults.add(key, sentence, "invalid");
        }
        Kind::Username => {
            let other = users::store::by_username(ctx.app.db.read(), text).await?;
            if other.is_some_and(|other| Some(other.id) != own) {
                faults.add(key, "Username is already taken.", "invalid");
            }
        }
        _ => {}
    }
    Ok(())
}

fn is_moment(text: &str) -> bool {
    let naive = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f"];
    DateTime::parse_from_rfc3339(text).is_ok()
        || naive.iter().any(|form| chrono::NaiveDateTime::parse_from_str(text, form).is_ok())
        || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z").is_ok()
}

/// What the validation policies of the stage say; all of them must pass.
pub async fn judged(run: &Run<'_>, stage: Uuid, data: &Map<String, Value>) -> Result<Faults> {
    let policies = prompts::store::policies_of(run.ctx.app.db.read(), stage).await?;
    let mut faults = Faults::default();
    if policies.is_empty() {
        return Ok(faults);
    }
    let mut context = run.plan.told(&run.flow, run.user());
    let mut all = run.plan.prompt_data();
    all.extend(data.clone());
    context.insert("prompt_data".to_owned(), Value::Object(all));
    let user = run.user().cloned();
    let mut request = Request { user, context, debug: false, testing: false, log: Vec::new() };
    let outcome = engine::validate(run.ctx, policies, &mut request, run.flow.subject()).await?;
    if !outcome.passing {
        let mut messages = outcome.messages;
        if messages.is_empty() {
            messages.push("The answer is not acceptable.".to_owned());
        }
        for message in messages {
            faults.add(WHOLE, message, "invalid");
        }
    }
    Ok(faults)
}
