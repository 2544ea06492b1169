//! Rules for applications (contract: authentik-core §4.2). Administrators see them by permission; everybody
//! else by what the policies bound to them say.

use super::{
    entity::{ActiveModel, Model},
    launch,
    store::{self, ApplicationFilter, ApplicationRow},
};
use crate::{
    access::code,
    audit::{self, Event, Subject, entity as events},
    ctx::Ctx,
    error::{Error, FieldErrors, Problem, Result},
    list::{ListRequest, Page, Point},
    policy::{
        Outcome, Request,
        engine::{self, Target},
    },
    resource::{
        bindings::{self, service::Of, target::Mode},
        events::{statistics, store as event_store},
        grants::store as grants,
        users::{self, view::UserView},
    },
};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, IntoActiveModel as _, QueryFilter as _};
use serde_json::{Map, json};

/// What a write says about an application; what is absent stays, or is the default.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub name: Option<String>,
    pub slug: Option<String>,
    pub provider: Option<i32>,
    pub backchannel_providers: Vec<i32>,
    pub open_in_new_tab: Option<bool>,
    pub meta_launch_url: Option<String>,
    pub meta_description: Option<String>,
    pub meta_publisher: Option<String>,
    pub group: Option<String>,
    pub mode: Option<Mode>,
}

/// How a listing goes about it.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// All there are, whatever policies say; for superusers only.
    pub superuser_full_list: bool,
    /// As this account sees it.
    pub for_user: Option<i32>,
    pub only_with_launch_url: bool,
}

/// An application with where the caller opens it.
#[derive(Debug, Clone)]
pub struct ApplicationView {
    pub application: Model,
    pub mode: Mode,
    pub launch_url: Option<String>,
}

fn viewed(row: ApplicationRow, user: Option<&UserView>) -> ApplicationView {
    let ApplicationRow { application, engine_mode } = row;
    let launch_url = Some(&application.meta_launch_url).filter(|url| !url.is_empty());
    let launch_url = launch_url.map(|url| launch::url(url, user));
    ApplicationView { application, mode: engine_mode, launch_url }
}

/// The caller's own account, where one of these has a launch URL to be filled in with it.
async fn filler(db: &impl ConnectionTrait, ctx: &Ctx, rows: &[ApplicationRow]) -> Result<Option<UserView>> {
    let wanted = rows.iter().any(|row| row.application.meta_launch_url.contains('%'));
    match ctx.principal.account().filter(|_| wanted) {
        Some(account) => Ok(users::store::views(db, &[account.id]).await?.pop()),
        None => Ok(None),
    }
}

/// Within a transaction ask before it commits: afterwards a failure could no longer be answered truly.
async fn shown(db: &impl ConnectionTrait, ctx: &Ctx, row: ApplicationRow) -> Result<ApplicationView> {
    let user = filler(db, ctx, std::slice::from_ref(&row)).await?;
    Ok(viewed(row, user.as_ref()))
}

fn subject(application: &Model) -> Subject {
    Subject::new("authentik_core", "application", application.id.simple(), application.name.clone())
}

fn target(row: &ApplicationRow) -> Target {
    Target { id: row.application.id, mode: row.engine_mode, subject: subject(&row.application) }
}

/// The applications that policies let somebody into. The page counts these and no others: how many there
/// are beside them is none of the caller's business.
///
/// # Errors
/// [`Error::InvalidPage`]; [`Error::Invalid`] for an account that does not exist.
pub async fn list(
    ctx: &Ctx,
    request: &ListRequest,
    filter: ApplicationFilter,
    listing: Listing,
) -> Result<Page<ApplicationView>> {
    let db = ctx.app.db.read();
    // Before anything is read that a decision depends on.
    let generation = ctx.app.generation.current();
    let mut rows = store::all(db, request, filter).await?;
    if !(listing.superuser_full_list && ctx.principal.is_superuser()) {
        let user = seen_as(ctx, listing.for_user).await?;
        let targets: Vec<Target> = rows.iter().map(target).collect();
        let mut open = engine::open_to(ctx, generation, &targets, &user).await?.into_iter();
        rows.retain(|_| open.next().unwrap_or(false));
    }
    let caller = filler(db, ctx, &rows).await?;
    let mut views: Vec<ApplicationView> = rows.into_iter().map(|row| viewed(row, caller.as_ref())).collect();
    if listing.only_with_launch_url {
        views.retain(|view| view.launch_url.is_some());
    }
    request.cut(views)
}

/// Whose eyes a listing is seen with: the caller's, or somebody's whom he may look over the shoulder.
async fn seen_as(ctx: &Ctx, for_user: Option<i32>) -> Result<users::Model> {
    let db = ctx.app.db.read();
    let own = ctx.principal.require_account()?.id;
    let Some(wanted) = for_user else { return users::store::by_id(db, own).await?.ok_or(Error::NotAuthenticated) };
    // One answer for an account that is not there and for one out of reach.
    if !ctx.principal.holds_on(code::VIEW_USER_APPLICATIONS, &wanted.to_string()) {
        return Err(no_such_user());
    }
    users::store::by_id(db, wanted).await?.ok_or_else(no_such_user)
}

/// The answer to a question about an account that does not exist for the caller.
#[must_use]
pub fn no_such_user() -> Error {
    Error::RefusedField("for_user", "User not found".to_owned())
}

/// # Errors
/// [`Error::NotFound`].
pub async fn view(ctx: &Ctx, slug: &str) -> Result<ApplicationView> {
    let db = ctx.app.db.read();
    shown(db, ctx, store::view(db, &ctx.principal, slug).await?).await
}

/// The key under which permissions on an application are held, whoever asks.
///
/// # Errors
/// When the database is away.
pub async fn key_of(ctx: &Ctx, slug: &str) -> Result<Option<String>> {
    Ok(store::id_of(ctx.app.db.read(), slug).await?.map(|id| id.to_string()))
}

fn check_providers(draft: &Draft, errors: &mut FieldErrors) {
    // There are none yet.
    if let Some(provider) = draft.provider {
        errors.add("provider", Problem::UnknownKey(provider.to_string()));
    }
    if let Some(provider) = draft.backchannel_providers.first() {
        errors.add("backchannel_providers", Problem::UnknownKey(provider.to_string()));
    }
}

/// Makes an application.
///
/// # Errors
/// [`Error::Invalid`] for a taken slug or a provider that does not exist.
pub async fn create(ctx: &Ctx, draft: Draft) -> Result<ApplicationView> {
    let tx = ctx.begin().await?;
    let mut errors = FieldErrors::default();
    check_providers(&draft, &mut errors);
    let slug = draft.slug.unwrap_or_default();
    if store::id_of(tx.conn(), &slug).await?.is_some() {
        errors.add("slug", Problem::Taken(Some(("Application", "slug"))));
    }
    errors.finish()?;
    let mode = draft.mode.unwrap_or(Mode::Any);
    let application = Model {
        id: ctx.uuid(),
        name: draft.name.unwrap_or_default(),
        slug,
        group_name: draft.group.unwrap_or_default(),
        open_in_new_tab: draft.open_in_new_tab.unwrap_or(false),
        meta_launch_url: draft.meta_launch_url.unwrap_or_default(),
        meta_icon: None,
        meta_description: draft.meta_description.unwrap_or_default(),
        meta_publisher: draft.meta_publisher.unwrap_or_default(),
        search: String::new(),
    };
    let application = write(application);
    let application = store::insert(tx.conn(), application, mode).await?;
    let fields = json!({
        "name": application.name, "slug": application.slug, "group": application.group_name,
        "meta_launch_url": application.meta_launch_url, "meta_description": application.meta_description,
        "meta_publisher": application.meta_publisher, "open_in_new_tab": application.open_in_new_tab,
    });
    audit::record(&tx, ctx, Event::created(&subject(&application), &fields));
    let view = shown(tx.conn(), ctx, ApplicationRow { application, engine_mode: mode }).await?;
    tx.commit().await?;
    Ok(view)
}

/// All of a row, with its search text.
fn write(mut application: Model) -> ActiveModel {
    application.search = application.searchable();
    application.into_active_model().reset_all()
}

/// Changes an application.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] as in [`create`].
pub async fn update(ctx: &Ctx, slug: &str, draft: Draft) -> Result<ApplicationView> {
    let mut tx = ctx.begin().await?;
    let mut application = store::find_for_update(tx.conn(), &ctx.principal, slug).await?;
    let mut errors = FieldErrors::default();
    check_providers(&draft, &mut errors);
    if let Some(slug) = &draft.slug
        && store::id_of(tx.conn(), slug).await?.is_some_and(|other| other != application.id)
    {
        errors.add("slug", Problem::Taken(Some(("Application", "slug"))));
    }
    errors.finish()?;
    let set = |old: &mut String, new: Option<String>| {
        if let Some(new) = new {
            *old = new;
        }
    };
    set(&mut application.name, draft.name);
    set(&mut application.slug, draft.slug);
    set(&mut application.group_name, draft.group);
    set(&mut application.meta_launch_url, draft.meta_launch_url);
    set(&mut application.meta_description, draft.meta_description);
    set(&mut application.meta_publisher, draft.meta_publisher);
    application.open_in_new_tab = draft.open_in_new_tab.unwrap_or(application.open_in_new_tab);
    let application = store::update(tx.conn(), write(application)).await?;
    if let Some(mode) = draft.mode {
        store::set_mode(tx.conn(), application.id, mode).await?;
    }
    audit::record(&tx, ctx, Event::updated(&subject(&application)));
    let row = store::view(tx.conn(), &ctx.principal, &application.slug).await?;
    let view = shown(tx.conn(), ctx, row).await?;
    tx.touch();
    tx.commit().await?;
    Ok(view)
}

/// Removes an application with its bindings.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(ctx: &Ctx, slug: &str) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let application = store::find_for_update(tx.conn(), &ctx.principal, slug).await?;
    bindings::service::forget(ctx, &mut tx, Of::Target(application.id)).await?;
    store::delete(tx.conn(), application.id).await?;
    grants::forget_object(tx.conn(), "authentik_core", "application", &application.id.to_string()).await?;
    audit::record(&tx, ctx, Event::deleted(&subject(&application)));
    tx.touch();
    tx.commit().await
}

/// Gives an application an icon by its address; an empty one takes it away.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Unexplained`] for an address that is none, or one that would run code.
pub async fn set_icon_url(ctx: &Ctx, slug: &str, url: Option<&str>) -> Result<()> {
    let tx = ctx.begin().await?;
    let mut application = store::find_for_update(tx.conn(), &ctx.principal, slug).await?;
    let url = picture(url)?;
    application.meta_icon = Some(url.to_owned()).filter(|url| !url.is_empty());
    let application = store::update(tx.conn(), write(application)).await?;
    audit::record(&tx, ctx, Event::updated(&subject(&application)));
    tx.commit().await
}

/// The address of a picture; empty for none.
///
/// # Errors
/// [`Error::Unexplained`] for one that is no address, or would run code.
pub fn picture(url: Option<&str>) -> Result<&str> {
    // Nothing sent is no address; an empty one is.
    let url = url.ok_or(Error::Unexplained)?.trim();
    let fits = ["https://", "http://", "/", "fa://"].iter().any(|start| url.starts_with(start)) || url.is_empty();
    // Browsers read a backslash as a slash, and two of them lead to another server.
    let elsewhere = url.starts_with('/') && url[1..].starts_with(['/', '\\']);
    if !fits || elsewhere || url.chars().any(char::is_control) || url.chars().count() > MOST_ICON {
        return Err(Error::Unexplained);
    }
    Ok(url)
}

/// Longest address of an icon, in characters.
const MOST_ICON: usize = 500;

/// Whether policies let the caller in, or for superusers: whether they let somebody in, and why.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for an account that does not exist.
pub async fn check_access(ctx: &Ctx, slug: &str, for_user: Option<&str>) -> Result<Outcome> {
    let db = ctx.app.db.read();
    let row = store::by_slug(db, slug).await?;
    let superuser = ctx.principal.is_superuser();
    let id = match for_user.filter(|text| superuser && !text.is_empty()) {
        Some(text) => text
            .trim()
            .parse::<i64>()
            .map_err(|_| Error::RefusedField("for_user", "for_user must be numerical".to_owned()))?,
        None => i64::from(ctx.principal.require_account()?.id),
    };
    let account = match i32::try_from(id) {
        Ok(id) => users::store::by_id(db, id).await?,
        Err(_) => None,
    };
    let user = account.ok_or_else(no_such_user)?;
    let mut request = Request { user: Some(user), context: Map::new(), debug: false, testing: false, log: Vec::new() };
    let mut outcome = engine::decide(ctx, &target(&row), &mut request).await?;
    if !superuser {
        outcome = Outcome { passing: outcome.passing, ..Outcome::default() };
    }
    Ok(outcome)
}

/// How often people were let into an application in the last seven days, as far as the caller may see it.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn metrics(ctx: &Ctx, slug: &str) -> Result<Vec<Point>> {
    let db = ctx.app.db.read();
    let application = store::view(db, &ctx.principal, slug).await?.application;
    let key = audit::store::json_text(db.get_database_backend(), "context", &["authorized_application", "pk"]);
    let authorized = event_store::visible(&ctx.principal)
        .filter(events::Column::Action.eq("authorize_application"))
        .filter(sea_orm::sea_query::ExprTrait::eq(key, application.id.simple().to_string()));
    statistics::along(db, ctx.now, statistics::WEEK, authorized).await
}

/// Whether there is such an application for the caller.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn require(ctx: &Ctx, slug: &str) -> Result<()> {
    store::view(ctx.app.db.read(), &ctx.principal, slug).await.map(drop)
}
