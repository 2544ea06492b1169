//! The management listener: for whoever runs the server, not for its clients. It is described by its
//! own document, from the code, because nobody else's contract says what it looks like.

use crate::app::App;
use http::{Method, Request};
use hyper::body::Incoming;
use serde::Serialize;
use std::sync::LazyLock;
use tessera_api_runtime::{Response, empty, json, raw};
use utoipa::{OpenApi, ToSchema};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, or `unavailable` when the database does not answer.
    status: &'static str,
    /// Version of this program.
    version: &'static str,
}

#[derive(OpenApi)]
#[openapi(paths(health, metrics, document), components(schemas(Health)), info(title = "Tessera management"))]
struct Document;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().unwrap_or_default());

/// Whether the server can answer.
#[utoipa::path(
    get,
    path = "/health",
    responses((status = 200, description = "It can.", body = Health), (status = 503, description = "It cannot.", body = Health))
)]
async fn health(app: &App) -> Response {
    let (code, status) = if app.db.epoch().await.is_ok() { (200, "ok") } else { (503, "unavailable") };
    json(code, &Health { status, version: env!("CARGO_PKG_VERSION") })
}

/// Counters of this process, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "OpenMetrics 1.0.0.", content_type = "application/openmetrics-text", body = String))
)]
fn metrics(app: &App) -> Response {
    raw(200, "application/openmetrics-text; version=1.0.0; charset=utf-8", app.metrics.text())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "OpenAPI 3.1.")))]
fn document() -> Response {
    raw(200, "application/json", DOCUMENT.as_bytes().to_vec())
}

/// Answers one request.
pub async fn answer(app: &App, request: &Request<Incoming>) -> Response {
    let known = ["/health", "/metrics", "/openapi.json"];
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/health") => health(app).await,
        (&Method::GET | &Method::HEAD, "/metrics") => metrics(app),
        (&Method::GET | &Method::HEAD, "/openapi.json") => document(),
        (_, path) if known.contains(&path) => empty(405),
        _ => empty(404),
    }
}
