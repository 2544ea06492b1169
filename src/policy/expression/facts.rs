//! What an expression is told when it starts.

use super::objects::{self, Wants};
use crate::{
    access::Principal,
    ctx::{Ctx, RequestInfo},
    error::Result,
    policy::Request,
    resource::settings,
};
use sea_orm::EntityTrait as _;
use serde_json::{Map, Value, json};

/// What the page of the one brand is called.
const BRANDING_TITLE: &str = "authentik";

/// The input of the prelude.
///
/// # Errors
/// When the database is away.
pub async fn of(ctx: &Ctx, request: &Request, wants: &Wants) -> Result<Value> {
    let user = match &request.user {
        Some(user) => objects::user(ctx, user, wants).await?,
        None => Value::Null,
    };
    let http = match &ctx.request {
        Some(info) if wants.http => http(ctx, info, wants).await?,
        _ => Value::Null,
    };
    let address = ctx.request.as_ref().and_then(|info| info.client_ip).map(|ip| ip.to_string());
    Ok(json!({
        "context": request.context,
        "debug": request.debug,
        "user": user,
        "client_ip": address,
        "http": http,
    }))
}

/// The request over HTTP that the policy is asked for.
async fn http(ctx: &Ctx, info: &RequestInfo, wants: &Wants) -> Result<Value> {
    let mut meta = Map::new();
    let mut headers = Map::new();
    let shown = info.shown_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let agent = [("user-agent", info.user_agent.as_str())];
    for (name, value) in agent.into_iter().filter(|(_, value)| !value.is_empty()).chain(shown) {
        let key = match name {
            "content-type" | "content-length" => name.to_uppercase().replace('-', "_"),
            _ => format!("HTTP_{}", name.to_uppercase().replace('-', "_")),
        };
        meta.insert(key, value.into());
        headers.insert(title(name), value.into());
    }
    for (name, value) in [("PATH_INFO", &info.path), ("REQUEST_METHOD", &info.method), ("QUERY_STRING", &info.query)] {
        meta.insert(name.to_owned(), value.as_str().into());
    }
    if let Some(address) = info.client_ip {
        meta.insert("REMOTE_ADDR".to_owned(), address.to_string().into());
    }
    let get: Map<String, Value> = form_urlencoded::parse(info.query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let user = match &*ctx.principal {
        Principal::Account(account) => json!({
            "pk": account.id, "id": account.id, "uuid": account.uuid, "username": account.username,
            "email": account.email, "is_superuser": account.superuser, "is_active": true,
            "is_authenticated": true, "is_anonymous": false,
        }),
        Principal::Anonymous | Principal::System => Value::Null,
    };
    let tenant = if wants.tenant {
        let row = settings::Entity::find_by_id(1).one(ctx.app.db.read()).await?.unwrap_or_else(settings::defaults);
        json!({
            "name": "Default",
            "default_user_change_email": row.default_user_change_email,
            "default_user_change_name": row.default_user_change_name,
            "default_user_change_username": row.default_user_change_username,
        })
    } else {
        json!({})
    };
    Ok(json!({
        "id": info.id, "path": info.path, "method": info.method, "meta": meta, "headers": headers, "get": get,
        "user": user, "tenant": tenant,
        "brand": {"branding_title": BRANDING_TITLE, "domain": "fallback", "default": true, "attributes": {}},
    }))
}

/// `X-Forwarded-Host`
fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}
