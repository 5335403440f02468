//! The service as processes of its own, built as it is shipped.

use crate::http::{Call, Connection};
use crate::process::Pid;
use anyhow::Context;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What a process of the service is started with.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The program.
    pub(crate) program: PathBuf,
    /// The database server.
    pub(crate) uri: String,
    /// The database.
    pub(crate) database: String,
    /// The folder with the people and the issuer's key.
    pub(crate) folder: PathBuf,
    /// The people.
    pub(crate) people: PathBuf,
    /// Whether it also runs the background jobs, and with them sends mail.
    pub(crate) jobs: bool,
}

/// A running process; it ends with this value.
#[derive(Debug)]
pub(crate) struct Service {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process.
    pub(crate) pid: Pid,
    child: Child,
}

impl Service {
    /// Starts a process and waits until it is ready.
    pub(crate) async fn start(setup: &Setup) -> anyhow::Result<Self> {
        let address = free_address()?;
        let log = std::fs::File::create(setup.folder.join(format!("service-{}.log", address.port())))?;
        let child =
            Command::new(&setup.program)
                .arg("serve")
                .env_clear()
                // As the unit and the container of config/ say it.
                .env("MIMALLOC_PURGE_DELAY", "100")
                .env("ENVIRONMENT", "development")
                .env("LOG_FORMAT", "json")
                .env("MONGO_URI", &setup.uri)
                .env("MONGO_DB", &setup.database)
                .env("BIND_ADDR", address.to_string())
                .env("STORAGE_PATH", &setup.folder)
                .env("DEV_PEOPLE_FILE", &setup.people)
                .env("MAIL_TRANSPORT", "disabled")
                .env("SCHEDULER_ENABLED", setup.jobs.to_string())
                .env("REQUESTS_PER_SECOND_PER_PERSON", "0")
                .envs(std::env::vars().filter_map(|(name, value)| {
                    Some((name.strip_prefix("BENCH_SERVICE_")?.to_owned(), value))
                }))
                .current_dir(&setup.folder)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("cannot start {}", setup.program.display()))?;
        let pid = Pid::of(child.id().context("the service ended at once")?);
        let service = Self { address, pid, child };
        service.wait_until_ready().await?;
        Ok(service)
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let ready = Call::get("/health/ready".to_owned(), &Arc::from("Bearer -"));
        for _ in 0..600 {
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.send(&ready).await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the service did not become ready within 30 s; its log is beside the people file")
    }

    /// The 99th percentile of the relay's lag over the last minute, in milliseconds.
    pub(crate) async fn relay_lag(&self) -> anyhow::Result<Option<f64>> {
        let call = Call::get("/metrics".to_owned(), &Arc::from("Bearer -"));
        let body = Connection::open(self.address).await?.send(&call).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("workflow_relay_lag_seconds{quantile=\"0.99\"} "));
        Ok(line
            .and_then(|value| value.parse::<f64>().ok())
            .map(|seconds| seconds * 1_000.0))
    }

    /// Asks the process to end and waits for it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.pid.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let ended = tokio::time::timeout(Duration::from_secs(40), self.child.wait()).await;
        ended.context("the service did not end when asked")??;
        Ok(())
    }
}

/// Two processes, or one, as clients see them.
pub(crate) fn address_of(services: &[Service], client: usize) -> anyhow::Result<SocketAddr> {
    let at = client % services.len().max(1);
    Ok(services.get(at).context("no service is running")?.address)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The service's program: as given, or the one built beside this program.
pub(crate) fn program(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let program = match given {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name("workflow-ops"),
    };
    anyhow::ensure!(program.exists(), "{} is not built", program.display());
    Ok(program.canonicalize()?)
}
