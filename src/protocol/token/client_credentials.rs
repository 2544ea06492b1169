//! The grant `client_credentials` (RFC 6749 §4.4): a personal access token speaks for its owner.

use super::Claimed;
use crate::{
    ctx::Ctx,
    error::Result,
    protocol::{
        bearer::{self, Issued},
        client,
    },
    resource::pats::usage,
};

pub(super) async fn issue(ctx: &Ctx, claimed: Claimed) -> Result<Issued> {
    let client = client::authenticate(ctx, &claimed.id, &claimed.secret, claimed.basic).await?;
    let issued = bearer::issue(ctx, &client).await?;
    usage::note_use(ctx, client.id);
    Ok(issued)
}
