//! The objects an installation begins with, so that people can sign in (contract: authentik-core §6.5), and a
//! recovery flow that only a link enters. They are made once: whoever deletes one has done so for good.

mod maker;

use self::maker::{Maker, NewFlow, blank};
use crate::{
    ctx::Ctx,
    db::Tx,
    error::Result,
    installation, list,
    resource::{
        bindings::target,
        brands,
        flows::{Authentication, Designation},
        prompts::Kind as Prompt,
        stages::Kind,
    },
};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};
use serde_json::json;
use uuid::Uuid;

/// How often the objects were made; a later version that has more will make them when this is less.
pub const VERSION: i32 = 1;

/// The recovery flow that only a link enters.
pub const RECOVERY: &str = "default-recovery-flow";

/// Asks for the password unless it was shown together with the name.
const PASSWORD_STAGE: &str = "# Whoever has shown the password together with the name is not asked again.\n\
    return \"auth_method\" not in context";
/// Only plans that were made for somebody.
const BY_LINK: &str = "# Only a plan that was made for somebody: a visitor's own has nobody yet.\n\
    return context.get(\"pending_user\") is not None";
const SSO: &str = "# Only where somebody comes from another source.\nreturn ak_is_sso_flow";
const NO_USERNAME: &str =
    "# Only where the source gave no name.\nreturn \"username\" not in context.get(\"prompt_data\", {})";
const OWN_FIELDS: &str = "\
data = context.get(\"prompt_data\", {})\n\
tenant = http_request.tenant\n\
rules = (\n    \
    (\"email\", tenant.default_user_change_email, \"Not allowed to change email address.\"),\n    \
    (\"name\", tenant.default_user_change_name, \"Not allowed to change name.\"),\n    \
    (\"username\", tenant.default_user_change_username, \"Not allowed to change username.\"),\n\
)\n\
attributes = request.user.group_attributes(http_request)\n\
for field, default, message in rules:\n    \
    allowed = attributes.get(\"goauthentik.io/user/can-change-\" + field, default)\n    \
    if not allowed and field in data and data[field] != getattr(request.user, field):\n        \
        ak_message(message)\n        \
        return False\n\
return True";

/// Makes the objects unless they were made before.
///
/// # Errors
/// When the database is away.
pub async fn install(ctx: &Ctx, tx: &mut Tx) -> Result<()> {
    if !installation::claim_defaults(tx.conn(), VERSION).await? {
        return Ok(());
    }
    Maker { ctx, tx }.all().await?;
    tx.touch();
    Ok(())
}

impl Maker<'_> {
    async fn all(&self) -> Result<()> {
        let change = self.password_change().await?;
        let (authentication, login) = self.authentication(change).await?;
        let invalidation = self.invalidation().await?;
        let settings = self.user_settings().await?;
        self.authorization().await?;
        self.sources(login).await?;
        let recovery = self.recovery(login).await?;
        let [authentication, invalidation, settings, recovery] =
            [authentication, invalidation, settings, recovery].map(|flow| Set(Some(flow)));
        brands::entity::ActiveModel {
            id: Set(self.ctx.uuid()),
            domain: Set("authentik-default".into()),
            is_default: Set(true),
            branding_title: Set("authentik".into()),
            branding_logo: Set("/static/dist/assets/icons/icon_left_brand.svg".into()),
            branding_favicon: Set("/static/dist/assets/icons/icon.png".into()),
            default_application_id: Set(None),
            attributes: Set(json!({})),
            search: Set(list::folded(&["authentik-default", "authentik"])),
            flow_authentication_id: authentication,
            flow_invalidation_id: invalidation,
            flow_recovery_id: recovery,
            flow_unenrollment_id: Set(None),
            flow_user_settings_id: settings,
            flow_device_code_id: Set(None),
        }
        .insert(self.tx.conn())
        .await?;
        Ok(())
    }

    async fn authentication(&self, change: Uuid) -> Result<(Uuid, Uuid)> {
        let flow = self
            .flow(NewFlow {
                slug: "default-authentication-flow",
                name: "Welcome to authentik!",
                title: "Welcome to authentik!",
                designation: Designation::Authentication,
                authentication: Authentication::None,
            })
            .await?;
        let name = json!({"user_fields": ["email", "username"]});
        let name = self.stage("default-authentication-identification", Kind::Identification, name).await?;
        let password = json!({
            "backends": [
                "authentik.core.auth.InbuiltBackend",
                "authentik.sources.ldap.auth.LDAPBackend",
                "authentik.core.auth.TokenBackend",
            ],
            "configure_flow": change,
        });
        let password = self.stage("default-authentication-password", Kind::Password, password).await?;
        let device =
            self.stage("default-authentication-mfa-validation", Kind::AuthenticatorValidate, json!({})).await?;
        let login = self.stage("default-authentication-login", Kind::UserLogin, json!({})).await?;
        self.bind(flow.0, name, 10).await?;
        let asked = self.bind(flow.0, password, 20).await?;
        self.bind(flow.0, device, 30).await?;
        self.bind(flow.0, login, 100).await?;
        let policy = self.policy("default-authentication-flow-password-stage", PASSWORD_STAGE).await?;
        self.guard(asked, policy).await?;
        // All of them: what an administrator adds, the age of passwords above all, must not be outvoted by ours.
        let mode = target::ActiveModel { id: Set(asked), engine_mode: Set(target::Mode::All) };
        mode.update(self.tx.conn()).await?;
        Ok((flow.0, login))
    }

    async fn invalidation(&self) -> Result<Uuid> {
        let flow = self
            .flow(NewFlow {
                slug: "default-invalidation-flow",
                name: "Logout",
                title: "Default Invalidation Flow",
                designation: Designation::Invalidation,
                authentication: Authentication::None,
            })
            .await?;
        let logout = self.stage("default-invalidation-logout", Kind::UserLogout, json!({})).await?;
        self.bind(flow.0, logout, 0).await?;
        Ok(flow.0)
    }

    async fn password_change(&self) -> Result<Uuid> {
        let flow = self
            .flow(NewFlow {
                slug: "default-password-change",
                name: "Change Password",
                title: "Change password",
                designation: Designation::StageConfiguration,
                authentication: Authentication::RequireAuthenticated,
            })
            .await?;
        let prompts = [
            self.password_prompt("default-password-change-field-password", "password", "Password", 300).await?,
            self.password_prompt(
                "default-password-change-field-password-repeat",
                "password_repeat",
                "Password (repeat)",
                301,
            )
            .await?,
        ];
        let asked = self.prompt_stage("default-password-change-prompt", &prompts, &[]).await?;
        let write = json!({"user_creation_mode": "never_create"});
        let write = self.stage("default-password-change-write", Kind::UserWrite, write).await?;
        self.bind(flow.0, asked, 0).await?;
        self.bind(flow.0, write, 1).await?;
        Ok(flow.0)
    }

    async fn user_settings(&self) -> Result<Uuid> {
        let flow = self
            .flow(NewFlow {
                slug: "default-user-settings-flow",
                name: "User settings",
                title: "Update your info",
                designation: Designation::StageConfiguration,
                authentication: Authentication::RequireAuthenticated,
            })
            .await?;
        let mut prompts = Vec::new();
        for (key, label, kind, order, value) in [
            ("username", "Username", Prompt::Username, 200, "return user.username"),
            ("name", "Name", Prompt::Text, 201, "return user.name"),
            ("email", "Email", Prompt::Email, 202, "return user.email"),
            (
                "attributes.settings.locale",
                "Locale",
                Prompt::Locale,
                203,
                "return user.attributes.get(\"settings\", {}).get(\"locale\", \"\")",
            ),
        ] {
            let last = key.rsplit('.').next().unwrap_or(key);
            let mut row = blank(self.ctx.uuid(), &format!("default-user-settings-field-{last}"), key, label, kind);
            row.position = order;
            row.initial_value = value.into();
            row.initial_value_expression = true;
            prompts.push(self.prompt(row).await?);
        }
        let policy = self.policy("default-user-settings-authorization", OWN_FIELDS).await?;
        let asked = self.prompt_stage("default-user-settings", &prompts, &[policy]).await?;
        let write = json!({"user_creation_mode": "never_create"});
        let write = self.stage("default-user-settings-write", Kind::UserWrite, write).await?;
        self.bind(flow.0, asked, 20).await?;
        self.bind(flow.0, write, 100).await?;
        Ok(flow.0)
    }

    async fn authorization(&self) -> Result<()> {
        let (designation, authentication) = (Designation::Authorization, Authentication::RequireAuthenticated);
        let (name, title) = ("Authorize Application", "Redirecting to %(app)s");
        let slug = "default-provider-authorization-explicit-consent";
        let flow = self.flow(NewFlow { slug, name, title, designation, authentication }).await?;
        let consent = self.stage("default-provider-authorization-consent", Kind::Consent, json!({})).await?;
        self.bind(flow.0, consent, 0).await?;
        let slug = "default-provider-authorization-implicit-consent";
        self.flow(NewFlow { slug, name, title, designation, authentication }).await?;
        Ok(())
    }

    async fn sources(&self, login: Uuid) -> Result<()> {
        let flow = self
            .flow(NewFlow {
                slug: "default-source-authentication",
                name: "Welcome to authentik!",
                title: "Welcome to authentik!",
                designation: Designation::Authentication,
                authentication: Authentication::RequireUnauthenticated,
            })
            .await?;
        let sso = self.policy("default-source-authentication-if-sso", SSO).await?;
        self.guard(flow.1, sso).await?;
        self.bind(flow.0, login, 0).await?;
        let flow = self
            .flow(NewFlow {
                slug: "default-source-enrollment",
                name: "Welcome to authentik! Please select a username.",
                title: "Welcome to authentik! Please select a username.",
                designation: Designation::Enrollment,
                authentication: Authentication::None,
            })
            .await?;
        let sso = self.policy("default-source-enrollment-if-sso", SSO).await?;
        self.guard(flow.1, sso).await?;
        let name = "default-source-enrollment-field-username";
        let mut row = blank(self.ctx.uuid(), name, "username", "Username", Prompt::Username);
        row.position = 100;
        let prompt = self.prompt(row).await?;
        let asked = self.prompt_stage("default-source-enrollment-prompt", &[prompt], &[]).await?;
        let write = json!({"user_creation_mode": "always_create"});
        let write = self.stage("default-source-enrollment-write", Kind::UserWrite, write).await?;
        let asked = self.bind(flow.0, asked, 0).await?;
        let unnamed = self.policy("default-source-enrollment-if-username", NO_USERNAME).await?;
        self.guard(asked, unnamed).await?;
        self.bind(flow.0, write, 1).await?;
        self.bind(flow.0, login, 2).await?;
        self.flow(NewFlow {
            slug: "default-source-pre-authentication",
            name: "Pre-Authentication",
            title: "",
            designation: Designation::StageConfiguration,
            authentication: Authentication::None,
        })
        .await?;
        Ok(())
    }

    async fn recovery(&self, login: Uuid) -> Result<Uuid> {
        let flow = self
            .flow(NewFlow {
                slug: RECOVERY,
                name: "Recovery",
                title: "Choose a new password",
                designation: Designation::Recovery,
                authentication: Authentication::None,
            })
            .await?;
        let policy = self.policy("default-recovery-only-by-link", BY_LINK).await?;
        self.guard(flow.1, policy).await?;
        let prompts = [
            self.password_prompt("default-recovery-field-password", "password", "New password", 0).await?,
            self.password_prompt(
                "default-recovery-field-password-repeat",
                "password_repeat",
                "New password (repeat)",
                1,
            )
            .await?,
        ];
        let asked = self.prompt_stage("default-recovery-prompt", &prompts, &[]).await?;
        let write = json!({"user_creation_mode": "never_create"});
        let write = self.stage("default-recovery-write", Kind::UserWrite, write).await?;
        self.bind(flow.0, asked, 30).await?;
        self.bind(flow.0, write, 40).await?;
        self.bind(flow.0, login, 100).await?;
        Ok(flow.0)
    }
}
