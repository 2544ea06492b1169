//! `admin/settings` (contract: authentik-core §1.9).

mod effects;
mod input;

use crate::harness::Test;
use serde_json::{Value, json};

pub fn all() -> Vec<Test> {
    [effects::all(), input::all()].concat()
}

const PATH: &str = "/admin/settings/";

fn defaults() -> Value {
    json!({
        "avatars": "gravatar,initials", "default_user_change_name": true, "default_user_change_email": false,
        "default_user_change_username": false, "event_retention": "days=365", "footer_links": [],
        "gdpr_compliance": true, "impersonation": true, "default_token_duration": "minutes=30",
        "default_token_length": 60,
    })
}
