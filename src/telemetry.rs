//! Logs and metrics of the process.

use crate::config::{LogFormat, LogSettings};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How often histograms are drained; the recorder does not do it by itself.
const UPKEEP: Duration = Duration::from_secs(5);

/// Sends logs to standard error in the wanted form, and panics with them.
///
/// # Errors
/// The filter cannot be parsed, or logging was set up before.
pub fn init_logging(settings: &LogSettings) -> anyhow::Result<()> {
    // async-openai logs bodies that it cannot read; they hold what people wrote.
    let filter = EnvFilter::try_new(&settings.level)?.add_directive("async_openai=off".parse()?);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Pretty => {
            registry
                .with(
                    tracing_subscriber::fmt::layer()
                        .with_target(false)
                        .with_writer(std::io::stderr),
                )
                .try_init()?;
        }
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .with_writer(std::io::stderr);
            registry.with(layer).try_init()?;
        }
    }
    log_panics();
    Ok(())
}

/// Logs each panic where it happened; the message of a panic is a defect's, never a client's.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::error!(panic.place = %place, panic.text = %text, "a task panicked");
    }));
}

/// The recorder of this process; it can be installed once.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder behind `/metrics`; `None` when one is there already.
pub fn init_metrics() -> Option<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder().ok()?;
    let _ = RECORDER.set(handle.clone());
    Some(handle)
}

/// All metrics in the text form of Prometheus; `None` when this process records none.
pub fn rendered_metrics() -> Option<String> {
    RECORDER.get().map(PrometheusHandle::render)
}

/// Drains histograms until the process ends.
pub async fn keep_metrics(handle: PrometheusHandle, stopping: tokio_util::sync::CancellationToken) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => handle.run_upkeep(),
        }
    }
}
