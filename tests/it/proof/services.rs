//! Two processes of the service side by side, kept running as a supervisor would, and killed.

use super::processes::{Process, free_ports};
use crate::support::program_environment;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How many processes serve.
pub(super) const PROCESSES: usize = 2;
/// How long a process may take from its start to its first answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// The processes.
#[derive(Debug)]
pub(super) struct Services {
    folder: PathBuf,
    program: PathBuf,
    settings: Vec<(&'static str, String)>,
    ports: Vec<u16>,
    running: Vec<Process>,
    http: reqwest::Client,
}

impl Services {
    /// Starts both and waits until they serve.
    pub(super) async fn start(folder: &Path, program: &Path, settings: Vec<(&'static str, String)>) -> Self {
        let mut services = Self {
            folder: folder.to_owned(),
            program: program.to_owned(),
            settings,
            ports: free_ports(PROCESSES),
            running: Vec::new(),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(3))
                .no_proxy()
                .build()
                .unwrap(),
        };
        for one in 0..PROCESSES {
            let started = services.spawn(one);
            services.running.push(started);
        }
        for one in 0..PROCESSES {
            services.until_ready(one).await;
        }
        services
    }

    /// The address of each.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.ports
            .iter()
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect()
    }

    /// Ends one as a power failure would.
    pub(super) fn kill(&mut self, one: usize) {
        self.running[one].kill();
    }

    /// Starts one that was killed and waits until it serves.
    pub(super) async fn revive(&mut self, one: usize) {
        self.running[one] = self.spawn(one);
        self.until_ready(one).await;
    }

    /// Which processes have ended without being told to, and how; each is started again.
    pub(super) async fn ended_by_themselves(&mut self) -> Vec<String> {
        let mut ended = Vec::new();
        for one in 0..PROCESSES {
            if let Some(status) = self.running[one].ended() {
                ended.push(format!("service process {one} ended by itself: {status}"));
                self.revive(one).await;
            }
        }
        ended
    }

    /// Asks both to end; true when both ended well.
    pub(super) fn stop(self) -> bool {
        let well: Vec<bool> = self.running.into_iter().map(Process::stop).collect();
        well.into_iter().all(|well| well)
    }

    fn spawn(&self, one: usize) -> Process {
        let storage = self.folder.join(format!("service-{one}"));
        std::fs::create_dir_all(&storage).unwrap();
        let mut command = Command::new(&self.program);
        program_environment(
            &mut command,
            &storage,
            &self.folder.join("development-issuer.der"),
        );
        command
            .env("BIND_ADDR", format!("127.0.0.1:{}", self.ports[one]))
            .envs(self.settings.iter().map(|(name, value)| (*name, value)))
            .arg("serve");
        Process::start(&self.folder, &format!("service-{one}"), &mut command)
    }

    /// Waits until the process serves; one that finds no database at its start ends, and a supervisor starts it again.
    async fn until_ready(&mut self, one: usize) {
        let begun = Instant::now();
        let ready = format!("http://127.0.0.1:{}/health/ready", self.ports[one]);
        loop {
            assert!(
                begun.elapsed() < PATIENCE,
                "service process {one} does not come up; see its log"
            );
            if self.running[one].ended().is_some() {
                self.running[one] = self.spawn(one);
            }
            let answer = self.http.get(&ready).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
