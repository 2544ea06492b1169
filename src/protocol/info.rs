//! `/oauth/info`: where the endpoints are (contract: sailpoint-pat §7).

use super::tenant;
use crate::{ctx::Ctx, error::Result};
use uuid::Uuid;

/// What a client needs to know of this server.
pub(super) struct Info {
    pub tenant: Uuid,
    pub name: String,
    /// Where the server is, without a slash at the end.
    pub base: String,
}

pub(super) fn info(ctx: &Ctx) -> Result<Info> {
    Ok(Info { tenant: tenant(&ctx.app)?, name: ctx.app.config.tenant_name.clone(), base: ctx.base_url() })
}
