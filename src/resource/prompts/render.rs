//! From prompts to the fields of a form: what stands in them, and what there is to choose from
//! (contract: authentik-core §6.1, §6.3). Expressions are run here.

use super::entity::{Kind, Model};
use crate::{
    ctx::Ctx,
    error::Result,
    policy::{Request, expression},
    resource::users,
};
use serde_json::{Map, Value};

/// After the key of a prompt: the key under which what came before says what there is to choose from.
const CHOICES: &str = "__choices";

/// A field of a form.
#[derive(Clone)]
pub struct Field {
    pub prompt: Model,
    /// What expressions give may be anything; a form shows it as Python's `str` has it.
    pub placeholder: Value,
    pub initial_value: Value,
    /// What there is to choose from; `None` also where there is nothing.
    pub choices: Option<Vec<Value>>,
}

/// What becomes of an expression that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// The form is not made; whoever tries it out is told why. Nothing else comes of the expressions.
    IsTold,
    /// The text of the expression stands where its value would.
    ShowsItsText,
}

/// For whom and with what the form is made.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// What has been entered so far, by the keys of prompts.
    pub data: &'a Map<String, Value>,
    pub user: Option<&'a users::Model>,
    pub failing: Failing,
}

/// Makes the fields of a form, in the order of `prompts`.
///
/// # Errors
/// When the database is away. The inner error is why an expression failed.
pub async fn fields(ctx: &Ctx, prompts: &[Model], situation: Situation<'_>) -> Result<Result<Vec<Field>, String>> {
    let mut fields = Vec::with_capacity(prompts.len());
    for prompt in prompts {
        match field(ctx, prompt, situation).await? {
            Ok(field) => fields.push(field),
            Err(text) => return Ok(Err(text)),
        }
    }
    Ok(Ok(fields))
}

async fn field(ctx: &Ctx, prompt: &Model, situation: Situation<'_>) -> Result<Result<Field, String>> {
    let chosen = matches!(prompt.kind, Kind::RadioButtonGroup | Kind::Dropdown);
    let given = situation.data.get(&format!("{}{CHOICES}", prompt.field_key)).filter(|_| chosen);
    let placeholder = match given {
        Some(choices) => Ok(choices.clone()),
        None => text(ctx, &prompt.placeholder, prompt.placeholder_expression, situation).await?,
    };
    let initial_value = match situation.data.get(&prompt.field_key) {
        Some(entered) => Ok(entered.clone()),
        None => text(ctx, &prompt.initial_value, prompt.initial_value_expression, situation).await?,
    };
    let (placeholder, initial_value) = match (placeholder, initial_value) {
        (Ok(placeholder), Ok(initial_value)) => (placeholder, initial_value),
        (Err(text), _) | (_, Err(text)) => return Ok(Err(text)),
    };
    let prompt = prompt.clone();
    if !chosen {
        return Ok(Ok(Field { prompt, placeholder, initial_value, choices: None }));
    }
    let choices = match placeholder {
        Value::Array(choices) => choices,
        only => vec![only],
    };
    let initial_value = match choices.first() {
        None => Value::String(String::new()),
        Some(_) if choices.contains(&initial_value) => initial_value,
        Some(first) => first.clone(),
    };
    let choices = Some(choices).filter(|choices| !choices.is_empty());
    Ok(Ok(Field { prompt, placeholder: Value::String(String::new()), initial_value, choices }))
}

/// A text, or what its expression gives.
async fn text(ctx: &Ctx, source: &str, is_expression: bool, situation: Situation<'_>) -> Result<Result<Value, String>> {
    if !is_expression {
        return Ok(Ok(source.into()));
    }
    let told = situation.failing == Failing::IsTold;
    let mut request = Request {
        user: situation.user.cloned(),
        context: Map::from_iter([("prompt_context".to_owned(), Value::Object(situation.data.clone()))]),
        debug: told,
        testing: told,
        log: Vec::new(),
    };
    Ok(match expression::value(ctx, source, &mut request).await? {
        Ok(value) => Ok(value),
        Err(fault) if told => Err(fault.to_string()),
        Err(_) => Ok(source.into()),
    })
}
