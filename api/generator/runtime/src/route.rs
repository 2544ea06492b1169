//! Routing: from a method and a path to an operation, and from there to its handler.
//!
//! The two steps are apart because the gate must know the operation before it authenticates.

use crate::{Body, Decoder, Limits, Operation, Rejection, Response};
use http::{Method, request::Parts};
use std::{collections::BTreeMap, pin::Pin, sync::Arc};

pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the server supplies besides the handlers.
pub trait Application: Send + Sync + 'static {
    /// What a handler knows of its request.
    type Ctx: Send + Sync + 'static;
    type Error: From<Rejection> + Send + 'static;

    /// The dialect of the operation's document.
    fn decoder(&self, op: &'static Operation) -> &dyn Decoder;

    fn limits(&self) -> Limits;

    /// Decides whether the caller may do this to this object, before the body is read:
    /// who may not call must not learn what a good body looks like.
    fn authorize(
        &self,
        ctx: &Self::Ctx,
        op: &'static Operation,
        params: &[(String, String)],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The body has arrived, perhaps long after its head: what was decided then must still be so. Gives the
    /// context to go on with.
    fn arrived(
        &self,
        ctx: Arc<Self::Ctx>,
        op: &'static Operation,
        params: &[(String, String)],
    ) -> impl Future<Output = Result<Arc<Self::Ctx>, Self::Error>> + Send;
}

/// A request whose operation is known.
pub struct Request {
    pub parts: Parts,
    /// Path parameters by name, percent-decoded.
    pub params: Vec<(String, String)>,
    pub body: Body,
}

type Handler<A> =
    fn(Arc<A>, Arc<<A as Application>::Ctx>, Request) -> BoxFuture<Result<Response, <A as Application>::Error>>;

struct Endpoint<A: Application> {
    op: &'static Operation,
    base: &'static str,
    run: Handler<A>,
}

/// All operations of one path.
struct Resource<A: Application> {
    endpoints: Vec<Endpoint<A>>,
    /// Value of the `Allow` header (RFC 9110 §10.2.1), ready to be sent.
    allow: String,
}

/// Collects operations; see [`Router`].
pub struct RouterBuilder<A: Application>(BTreeMap<String, Vec<Endpoint<A>>>);

impl<A: Application> Default for RouterBuilder<A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<A: Application> RouterBuilder<A> {
    /// Serves an operation below each of its bases.
    pub fn add(&mut self, op: &'static Operation, run: Handler<A>) {
        for base in op.bases {
            self.0.entry(format!("{base}{}", op.path)).or_default().push(Endpoint { op, base, run });
        }
    }

    /// # Errors
    /// When two paths cannot be told apart; a fault of the documents, found at start-up.
    pub fn build(self) -> Result<Router<A>, matchit::InsertError> {
        let mut table = matchit::Router::new();
        for (path, endpoints) in self.0 {
            // Clients compare the text.
            const ORDER: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
            let has = |method: &&Method| endpoints.iter().any(|endpoint| endpoint.op.method == **method);
            let mut methods: Vec<&str> = ORDER.iter().filter(has).map(Method::as_str).collect();
            if has(&&Method::GET) {
                methods.push("HEAD");
            }
            methods.push("OPTIONS");
            let allow = methods.join(", ");
            table.insert(path, Resource { endpoints, allow })?;
        }
        Ok(Router(table))
    }
}

/// The routing table, built once. `HEAD` finds the `GET` operation.
pub struct Router<A: Application>(matchit::Router<Resource<A>>);

/// The operation of a request.
pub struct Found<'r, A: Application> {
    pub op: &'static Operation,
    /// Which of the operation's bases the path begins with.
    pub base: &'static str,
    /// Value of the `Allow` header of this path.
    pub allow: &'r str,
    /// Path parameters by name, percent-decoded.
    pub params: Vec<(String, String)>,
    run: Handler<A>,
}

impl<A: Application> Router<A> {
    /// # Errors
    /// [`Rejection::UnknownPath`], or [`Rejection::MethodNotAllowed`] with the operation that
    /// tells who may see the path.
    pub fn find(&self, method: &Method, path: &str) -> Result<Found<'_, A>, (Rejection, Option<&'static Operation>)> {
        let matched = self.0.at(path).map_err(|_| (Rejection::UnknownPath, None))?;
        let resource = matched.value;
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let Some(endpoint) = resource.endpoints.iter().find(|e| e.op.method == *wanted) else {
            let rejection = Rejection::MethodNotAllowed { allow: resource.allow.clone() };
            return Err((rejection, resource.endpoints.first().map(|e| e.op)));
        };
        let mut params = Vec::with_capacity(matched.params.len());
        for (name, raw) in matched.params.iter() {
            // A parameter that is not UTF-8 names nothing we could hold.
            let value =
                percent_encoding::percent_decode_str(raw).decode_utf8().map_err(|_| (Rejection::UnknownPath, None))?;
            params.push((name.to_owned(), value.into_owned()));
        }
        Ok(Found { op: endpoint.op, base: endpoint.base, allow: &resource.allow, params, run: endpoint.run })
    }
}

impl<A: Application> Found<'_, A> {
    /// Decodes the request and calls the handler.
    pub fn dispatch(
        self,
        app: Arc<A>,
        ctx: Arc<A::Ctx>,
        parts: Parts,
        body: Body,
    ) -> BoxFuture<Result<Response, A::Error>> {
        (self.run)(app, ctx, Request { parts, params: self.params, body })
    }
}
