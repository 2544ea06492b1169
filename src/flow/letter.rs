//! Mails with links, as e-mail stages send them (contract: authentik-core §6.4, email).

use super::recovery;
use crate::{
    audit::{self, Action, Event},
    config::SmtpTls,
    ctx::Ctx,
    db::Tx,
    error::{Error, Result},
    mail::{
        Message, SmtpSettings,
        templates::{Facts, Template, render},
    },
    resource::{
        flows,
        stages::{self, settings::Email},
        users,
    },
    secret::PlainSecret,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::time::Duration;

/// A mail with a link.
pub struct Letter<'a> {
    pub stage: &'a stages::Model,
    pub settings: &'a Email,
    pub user: &'a users::Model,
    pub flow: &'a flows::Model,
    pub key: &'a PlainSecret,
    pub expires: DateTime<Utc>,
}

/// Whether mail can be sent as this stage says.
///
/// # Errors
/// [`Error::Refused`] with what has to be configured.
pub fn check(ctx: &Ctx, settings: &Email) -> Result<()> {
    if settings.use_global_settings && !ctx.app.mail.is_configured() {
        return Err(Error::Refused(crate::mail::NOT_CONFIGURED.to_owned()));
    }
    // The host that a stranger's request names would be the host of the link that somebody else gets.
    let local = ctx.request.as_ref().and_then(|request| request.client_ip).is_some_and(|ip| ip.is_loopback());
    if ctx.app.config.external_url().is_none() && !local && !ctx.principal.is_superuser() {
        let text = "E-mail is not configured: set TESSERA_EXTERNAL_URL to the address that links lead to.";
        return Err(Error::Refused(text.to_owned()));
    }
    Ok(())
}

impl Letter<'_> {
    /// Writes the mail, and the event that it was sent; the link is in neither event nor log.
    ///
    /// # Errors
    /// [`Error::Refused`] with what has to be configured.
    pub fn write(&self, ctx: &Ctx, tx: &Tx) -> Result<Message> {
        check(ctx, self.settings)?;
        let template = Template::named(&self.settings.template)
            .ok_or_else(|| Error::internal("an e-mail stage names a template that does not exist"))?;
        let name = if self.user.name.trim().is_empty() { &self.user.username } else { &self.user.name };
        let facts = Facts {
            name: name.clone(),
            link: recovery::address(ctx, self.flow, self.key),
            valid: self.expires - ctx.now,
        };
        let via = if self.settings.use_global_settings { None } else { Some(self.server(ctx)?) };
        let event = Event::plain(Action::EmailSent, "authentik.stages.email")
            .saying(format!("Email to {} sent", self.user.email))
            .with("subject", self.settings.subject.clone().into())
            .with("from_email", via.as_ref().map_or(Value::Null, |via| via.from.clone().into()))
            .with("to_email", Value::from(vec![self.user.email.clone()]));
        audit::record(tx, ctx, event);
        Ok(Message {
            to: self.user.email.clone(),
            name: name.clone(),
            subject: self.settings.subject.clone(),
            content: render(template, &facts)?,
            via,
        })
    }

    /// The stage's own server.
    fn server(&self, ctx: &Ctx) -> Result<SmtpSettings> {
        let settings = self.settings;
        let password = stages::service::password_of(ctx, self.stage)?;
        let credentials = Some(&settings.username).filter(|name| !name.is_empty());
        Ok(SmtpSettings {
            host: settings.host.clone(),
            port: u16::try_from(settings.port).unwrap_or_default(),
            tls: SmtpTls::from_switches(settings.use_tls, settings.use_ssl),
            credentials: credentials
                .map(|name| (name.clone(), password.unwrap_or_else(|| PlainSecret::new(String::new())))),
            from: settings.from_address.clone(),
            timeout: Duration::from_secs(u64::try_from(settings.timeout).unwrap_or(10).clamp(1, 60)),
        })
    }
}
