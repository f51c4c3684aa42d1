//! Logs and metrics.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// What is logged where `WAPID_LOG` says nothing. The protocol client is silent: its lines name
/// phone numbers. Whoever turns it on (`WAPID_LOG=whatsapp_rust=debug`) gets them in the log.
const DEFAULT_FILTER: &str =
    "off,wapid=info,wapid_core=info,wapid_keystore=info,wapid_sandbox=info,sqlx=error";

/// For `wapid_send_seconds`: from a local sandbox to a slow phone network.
const LATENCY_BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Starts logging to standard error: readable on a terminal, JSON elsewhere.
///
/// # Errors
/// When `WAPID_LOG` is no filter.
pub fn start_logs() -> anyhow::Result<()> {
    let text = std::env::var("WAPID_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(&text)
        .map_err(|problem| anyhow::anyhow!("WAPID_LOG: {problem}; try info, or {DEFAULT_FILTER}"))?;
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
                .build_recorder();
            let handle = recorder.handle();
            // Whoever set another recorder first keeps it; ours then renders nothing.
            let _ = metrics::set_global_recorder(recorder);
            describe();
            handle
        })
        .clone()
}

fn describe() {
    metrics::describe_gauge!("wapid_sessions", "Sessions by status");
    metrics::describe_gauge!("wapid_messages_underway", "Messages with intent and without a verdict");
    metrics::describe_gauge!("wapid_ledger_queue", "Writes waiting for their commit");
    metrics::describe_gauge!("wapid_deliveries_waiting", "Webhook deliveries that were not taken yet");
    metrics::describe_counter!("wapid_deliveries_total", "Requests to webhooks by outcome");
    metrics::describe_counter!("wapid_sends_total", "Sends by outcome");
    metrics::describe_counter!("wapid_messages_received_total", "Inbound messages stored");
    metrics::describe_histogram!(
        "wapid_send_seconds",
        metrics::Unit::Seconds,
        "From request to WhatsApp's answer, committed"
    );
}
