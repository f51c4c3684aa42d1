//! Logs and metrics.
//!
//! Names and units of metrics are those that Prometheus' own linter asks for: `wapid_` first, counters end in
//! `_total`, times are seconds. No label holds a tenant, a number or an id.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Whose lines a plain word in `WAPID_LOG` is about.
const OURS: [&str; 4] = ["wapid", "wapid_core", "wapid_keystore", "wapid_sandbox"];
/// What is logged where `WAPID_LOG` says nothing.
const DEFAULT_LEVEL: &str = "info";

/// A filter in full. A plain level is for our own lines: the protocol client's name phone numbers, and are logged only
/// where somebody names it (`WAPID_LOG=info,whatsapp_rust=debug`).
fn filter_of(text: &str) -> String {
    let mut parts = vec!["off".to_owned(), "sqlx=error".to_owned()];
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if part.parse::<LevelFilter>().is_ok() {
            parts.extend(OURS.map(|target| format!("{target}={part}")));
        } else {
            parts.push(part.to_owned());
        }
    }
    parts.join(",")
}

/// For `wapid_send_seconds`: from a local sandbox to a slow phone network.
const LATENCY_BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// For `wapid_http_request_duration_seconds`: most are a read of the database; a long poll waits for 45 s.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0];
const REQUESTS: &str = "wapid_http_request_duration_seconds";

/// Starts logging to standard error: readable on a terminal, JSON elsewhere.
///
/// # Errors
/// When `WAPID_LOG` is no filter.
pub fn start_logs() -> anyhow::Result<()> {
    let text = std::env::var("WAPID_LOG").unwrap_or_else(|_| DEFAULT_LEVEL.to_owned());
    let filter = EnvFilter::try_new(filter_of(&text))
        .map_err(|problem| anyhow::anyhow!("WAPID_LOG: {problem}; try info, or wapid=debug,sqlx=warn"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.with_target(false).init();
    } else {
        logs.json().flatten_event(true).init();
    }
    Ok(())
}

/// Starts collecting metrics for `/metrics`. One recorder serves a process; a second gateway in the
/// same process (tests) shares the first's.
pub fn start_metrics() -> PrometheusHandle {
    static RECORDER: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Full("wapid_send_seconds".to_owned()), &LATENCY_BUCKETS)
                .expect("the bucket list is not empty")
                .set_buckets_for_metric(Matcher::Full(REQUESTS.to_owned()), &REQUEST_BUCKETS)
                .expect("the bucket list is not empty")
                .build_recorder();
            let handle = recorder.handle();
            // Whoever set another recorder first keeps it; ours then renders nothing.
            let _ = metrics::set_global_recorder(recorder);
            describe();
            handle
        })
        .clone()
}

/// What is measured when it is asked for: the process itself, and which build it is.
pub fn observe_process() {
    metrics_process::Collector::default().collect();
    // Whoever builds says of what: a build that looked for itself would be made anew after every commit.
    let commit = option_env!("WAPID_COMMIT").unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    metrics::gauge!("wapid_build_info", "version" => version, "commit" => commit).set(1.0);
}

/// A label, and those of its values that are known before.
type Label = (&'static str, &'static [&'static str]);

/// Counters, with what is counted. A rate needs a beginning: what has not happened yet is 0, by each value of its
/// label that is known before.
const COUNTERS: [(&str, Option<Label>, &str); 11] = [
    (
        "wapid_messages_settled_total",
        Some(("outcome", &["sent", "failed"])),
        "Outbound messages of sends and jobs by WhatsApp's verdict",
    ),
    ("wapid_sends_total", Some(("outcome", &["sent", "failed"])), "Sends by outcome"),
    ("wapid_messages_received_total", None, "Inbound messages stored"),
    (
        "wapid_messages_unreadable_total",
        None,
        "Inbound messages kept as of an unknown kind, for the database refused them",
    ),
    (
        "wapid_job_recipients_total",
        Some(("outcome", &["sent", "failed", "skipped"])),
        "Recipients of bulk jobs by outcome; one whose message is tried again after a refusal counts again",
    ),
    ("wapid_deliveries_total", Some(("outcome", &["taken"])), "Requests to webhooks by outcome"),
    (
        "wapid_connects_total",
        Some(("outcome", &["connected", "failed"])),
        "Connections of sessions to WhatsApp or the sandbox, each one made again included",
    ),
    (
        "wapid_news_dropped_total",
        Some(("kind", &["a receipt"])),
        "What WhatsApp told and the database could not take in time",
    ),
    (
        "wapid_connections_refused_total",
        None,
        "Connections that were closed at once because all there may be carried requests",
    ),
    ("wapid_connections_sent_away_total", None, "Idle connections that were closed for another"),
    ("wapid_http_requests_total", None, "Requests by method, route and status"),
];

const GAUGES: [(&str, &str); 6] = [
    ("wapid_build_info", "Always 1; its labels say which build this is"),
    ("wapid_sessions", "Sessions by status"),
    ("wapid_messages_underway", "Messages with intent and without a verdict"),
    ("wapid_ledger_queue", "Writes waiting for their commit"),
    ("wapid_deliveries_waiting", "Webhook deliveries that were not taken yet"),
    ("wapid_wakeups_waiting", "Wake-ups that are due later or now"),
];

const HISTOGRAMS: [(&str, &str); 2] = [
    (REQUESTS, "From a request's head to its answer's"),
    ("wapid_send_seconds", "From request to WhatsApp's answer, committed"),
];

fn describe() {
    metrics_process::Collector::default().describe();
    for (name, label, about) in COUNTERS {
        metrics::describe_counter!(name, about);
        let (label, values) = label.unwrap_or(("", &[]));
        for value in values {
            metrics::counter!(name, label => *value).absolute(0);
        }
        // With labels that nobody knows before it begins by itself.
        if values.is_empty() && name != "wapid_http_requests_total" {
            metrics::counter!(name).absolute(0);
        }
    }
    for (name, about) in GAUGES {
        metrics::describe_gauge!(name, about);
    }
    for (name, about) in HISTOGRAMS {
        metrics::describe_histogram!(name, metrics::Unit::Seconds, about);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_level_is_for_our_own_lines() {
        for (text, named) in [
            ("info", "wapid=info,wapid_core=info,wapid_keystore=info,wapid_sandbox=info"),
            (" debug ", "wapid=debug,wapid_core=debug,wapid_keystore=debug,wapid_sandbox=debug"),
            ("wapid=warn", "wapid=warn"),
            ("whatsapp_rust=debug", "whatsapp_rust=debug"),
            ("", ""),
        ] {
            let filter = filter_of(text);
            assert_eq!(filter, ["off,sqlx=error", named].join(",").trim_end_matches(','), "{text}");
            assert!(EnvFilter::try_new(&filter).is_ok(), "{filter}");
        }
        assert!(filter_of("info,whatsapp_rust=debug").ends_with(",whatsapp_rust=debug"));
        assert!(EnvFilter::try_new(filter_of("wapid=loud")).is_err());
    }
}
