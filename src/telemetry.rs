//! Logs and metrics of the process.

use crate::config::{LogFormat, LogSettings};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
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
        LogFormat::Json => registry.with(json_lines(std::io::stderr)).try_init()?,
    }
    log_panics();
    Ok(())
}

/// One JSON object a line, whatever the texts in it hold: nobody's words can begin a line of their own.
fn json_lines<S, W>(writer: W) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(writer)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobodys_words_become_a_line_of_the_log() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(json_lines(move || writer.clone()));
        let words = "a\r\n{\"level\":\"ERROR\",\"message\":\"all is lost\"}\u{1b}[2J\u{0}\u{2028}";
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", http.route = %words);
            span.in_scope(|| tracing::info!(file.name = %words, text = ?words, "{words}"));
        });
        let written = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let (line, rest) = written.split_once('\n').unwrap();
        assert_eq!(rest, "");
        assert!(line.chars().all(|sign| !sign.is_control()), "{line:?}");
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["level"], "INFO");
        assert_eq!(read["message"], words);
        assert_eq!(read["file.name"], words);
        assert_eq!(read["span"]["http.route"], words);
    }
}
