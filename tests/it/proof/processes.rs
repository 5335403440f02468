//! Processes of a trial: started under a name in its folder, killed, frozen, and never left behind.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The folder of a trial where the ids of its processes stand, in a folder for each time that the trial was begun: who
/// cleans up after a trial that broke off must not meet those of its continuation.
const PIDS: &str = "pids";
/// The file among them of the program that carries the trial out: whoever killed what had called it has not ended it.
const OWN: &str = "trial";

/// A process of a trial; it is killed when this value goes away.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid_file: PathBuf,
}

impl Process {
    /// Starts `command` under `name`; what it prints goes to a log of that name.
    pub(crate) fn start(folder: &Path, name: &str, command: &mut Command) -> Self {
        let log = log(folder, name);
        let errors = log.try_clone().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap();
        let pids = own_pids(folder);
        std::fs::create_dir_all(&pids).unwrap();
        let pid_file = pids.join(name);
        std::fs::write(&pid_file, child.id().to_string()).unwrap();
        Self { child, pid_file }
    }

    /// Ends it as a power failure would, frozen or not.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.pid_file);
    }

    /// What the system says of its memory under this name, in KiB.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How it ended by itself, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Keeps it from running, as a machine that hangs or a net that is cut.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it run on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Asks it to end and waits until it has; true when it ended well.
    pub(crate) fn stop(mut self) -> bool {
        self.signal("-TERM");
        let status = self.child.wait();
        let _ = std::fs::remove_file(&self.pid_file);
        status.is_ok_and(|status| status.success())
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ends what a trial that broke off has left running.
pub(crate) fn end_left_overs(folder: &Path) {
    for path in left_over(folder) {
        // Its own watcher may have been quicker.
        let Ok(pid) = std::fs::read_to_string(&path) else {
            continue;
        };
        if pid == std::process::id().to_string() {
            continue;
        }
        // A number may have gone to somebody else's process since: ours carry the trial's folder with them.
        let of_process = |what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let carried = [of_process("cmdline"), of_process("environ")].concat();
        if String::from_utf8_lossy(&carried).contains(&*folder.to_string_lossy()) {
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
        let _ = std::fs::remove_file(path);
    }
}

/// Sees to it that this trial leaves nothing running, however it ends: the test harness leaves by `exit`, which runs no
/// destructor.
#[expect(
    clippy::zombie_processes,
    reason = "the watcher outlives this process on purpose"
)]
pub(crate) fn leave_nothing_running(folder: &Path) {
    std::fs::create_dir_all(own_pids(folder)).unwrap();
    std::fs::write(own_pids(folder).join(OWN), std::process::id().to_string()).unwrap();
    let script = r#"while kill -0 "$1" 2>/dev/null; do sleep 1; done; rm -f "$2/$3"; for f in "$2"/*; do kill -9 "$(cat "$f")"; rm -f "$f"; done"#;
    Command::new("sh")
        .args(["-c", script, "watcher", &std::process::id().to_string()])
        .arg(own_pids(folder))
        .arg(OWN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}

/// Where the ids of this program's processes stand.
fn own_pids(folder: &Path) -> PathBuf {
    folder.join(PIDS).join(std::process::id().to_string())
}

/// The files that say which processes there are of earlier programs.
fn left_over(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries(folder.join(PIDS))
        .flat_map(|of_program| entries(of_program.path()))
        .map(|entry| entry.path())
        .collect()
}

fn log(folder: &Path, name: &str) -> File {
    let path = folder.join(format!("{name}.log"));
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// Free ports of this machine.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}
