//! The program itself as a process of its own, to be killed.

use super::mongo;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running process of the service; it is killed when this value goes away.
#[derive(Debug)]
pub(crate) struct ServiceProcess {
    child: Child,
    _storage: TempDir,
}

impl ServiceProcess {
    /// Starts the program on a database of this run's server.
    pub(crate) fn start(database: &str, settings: &[(&str, String)]) -> Self {
        let storage = tempfile::tempdir().unwrap();
        let child = program(database, settings, &storage)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            _storage: storage,
        }
    }

    /// Runs the program with these arguments to its end and returns what it printed.
    pub(crate) fn run(database: &str, arguments: &[&str]) -> String {
        let storage = tempfile::tempdir().unwrap();
        let output = program(database, &[], &storage).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends the process as a power failure would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the process to end and waits until it has; true when it ended well.
    pub(crate) fn stop(mut self) -> bool {
        self.ask_to_stop();
        self.child.wait().is_ok_and(|status| status.success())
    }

    /// Asks the process to end, as a service manager does; asked again it stops at once.
    pub(crate) fn ask_to_stop(&self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
    }

    /// Waits until a process that was asked to end has; true when it ended well.
    pub(crate) fn ended_well(mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success())
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is alive.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program on a database of this run's server, with nothing of this process's environment.
fn program(database: &str, settings: &[(&str, String)], storage: &TempDir) -> Command {
    let key = storage.path().join("key.der");
    std::fs::write(&key, super::issuer_key()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_workflow-ops"));
    program_environment(&mut program, storage.path(), &key);
    program
        .env("MONGO_URI", mongo::uri())
        .env("MONGO_DB", database)
        .env("BIND_ADDR", "127.0.0.1:0")
        .envs(settings.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null());
    program
}

/// Gives the program the people of development, a storage folder and the local issuer's key, and nothing of this
/// process's environment.
pub(crate) fn program_environment(program: &mut Command, storage: &Path, issuer_key: &Path) {
    std::fs::copy(issuer_key, storage.join("development-issuer.der")).unwrap();
    let people = concat!(env!("CARGO_MANIFEST_DIR"), "/config/people.json");
    program
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("ENVIRONMENT", "development")
        .env("STORAGE_PATH", storage)
        .env("DEV_PEOPLE_FILE", people)
        .env("LOG_LEVEL", "error")
        .current_dir(storage);
}
