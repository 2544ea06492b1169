//! What the process counts about itself, for Prometheus: `/metrics` of the management listener.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counters. Labels only take values
//! from the documents and from this program, never from callers, so their number is bounded.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    /// `operationId`, or `none`.
    operation: &'static str,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// The counters of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Operation, Histogram>,
    in_flight: Gauge,
    refused: Counter,
    principals: Family<Kind, Counter>,
    swept: Family<Kind, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tessera");
        // From 50 µs, about what one read takes, to 1.6 s.
        let durations =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(5e-5, 2.0, 16))) as fn() -> _);
        let metrics = Self {
            requests: Family::default(),
            durations,
            in_flight: Gauge::default(),
            refused: Counter::default(),
            principals: Family::default(),
            swept: Family::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests answered, by operation and status", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from the request's head to the answer's",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register("requests_in_flight", "Requests being answered", metrics.in_flight.clone());
        registry.register(
            "authentications_refused",
            "Requests whose credentials were not valid",
            metrics.refused.clone(),
        );
        registry.register(
            "principals",
            "Callers with valid credentials: remembered, or looked up in the database",
            metrics.principals.clone(),
        );
        registry.register(
            "swept",
            "What the sweep did: tokens rotated and deleted, events pruned and erased",
            metrics.swept.clone(),
        );
        registry.register("build", "The program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A request begins; dropped, it is over.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A request has been answered.
    pub fn answered(&self, operation: Option<&'static str>, status: u16, took: Duration) {
        let operation = operation.unwrap_or("none");
        self.requests.get_or_create(&Request { operation, status: status.into() }).inc();
        self.durations.get_or_create(&Operation { operation }).observe(took.as_secs_f64());
    }

    /// Credentials were not valid.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// A caller was recognised, from memory or from the database.
    pub fn recognised(&self, remembered: bool) {
        let kind = if remembered { "remembered" } else { "looked_up" };
        self.principals.get_or_create(&Kind { kind }).inc();
    }

    /// The sweep handled so many of a kind.
    pub fn swept(&self, kind: &'static str, amount: u64) {
        self.swept.get_or_create(&Kind { kind }).inc_by(amount);
    }

    /// Everything, in OpenMetrics' text format 1.0.0.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into memory cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_written() {
        let metrics = Metrics::default();
        let busy = metrics.begin();
        metrics.answered(Some("core_tokens_list"), 200, Duration::from_micros(80));
        metrics.answered(None, 404, Duration::ZERO);
        metrics.swept("rotated", 3);
        let text = metrics.text();
        for line in [
            "tessera_requests_total{operation=\"core_tokens_list\",status=\"200\"} 1",
            "tessera_requests_total{operation=\"none\",status=\"404\"} 1",
            "tessera_request_duration_seconds_count{operation=\"core_tokens_list\"} 1",
            "tessera_requests_in_flight 1",
            "tessera_swept_total{kind=\"rotated\"} 3",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        drop(busy);
        assert!(metrics.text().contains("tessera_requests_in_flight 0"));
    }
}
