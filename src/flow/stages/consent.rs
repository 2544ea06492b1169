//! Asks whether an application may have what it wants. Without one, and there is none before OAuth, it asks every
//! time, and whoever agrees goes on.

use super::Answer;
use crate::{
    error::Result,
    flow::{
        answer::{self, Reading},
        challenge::{self, Faults},
        run::{Run, Turn},
    },
};
use serde_json::{Value, json};

/// What the present display of the question is known by.
const SHOWN: &str = "consent_token";

/// # Errors
/// None yet.
pub fn turn(run: &mut Run<'_>, answer: Answer<'_>) -> Result<Turn> {
    let mut faults = Faults::default();
    let given = answer
        .map(|answer| answer::text(answer, "token", Reading { required: true, ..Reading::default() }, &mut faults));
    let shown = run.plan.context.get(SHOWN).and_then(Value::as_str).map(str::to_owned);
    if let Some(Some(given)) = &given
        && shown.as_ref() == Some(given)
    {
        run.plan.context.remove(SHOWN);
        return Ok(Turn::Done);
    }
    let token = run.ctx.uuid().to_string();
    run.plan.context.insert(SHOWN.to_owned(), Value::String(token.clone()));
    let mut own = challenge::whom(&run.visit());
    own["permissions"] = json!([]);
    own["additional_permissions"] = json!([]);
    own["token"] = token.into();
    let asked = challenge::of(&run.visit(), "ak-stage-consent", own);
    Ok(if faults.is_empty() { Turn::Ask(asked) } else { Turn::Wrong(asked, faults) })
}
