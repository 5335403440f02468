//! The database that the program brings along in development: found again after every kind of end, and its own end said
//! in one line.

use crate::support::{eventually, issuer_key, mongo, program_environment};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program over the database in `folder`, on a free port; what it says is kept in `folder`.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_workflow-ops"));
    let key = folder.join("key.der");
    std::fs::write(&key, issuer_key()).unwrap();
    program_environment(&mut program, folder, &key);
    program
        .env("MONGO_URI", "embedded")
        .envs(mongo::program().map(|program| ("MONGOD_PATH", program)))
        .args(arguments)
        .stdin(Stdio::null());
    program
}

/// A serving process.
struct Serving {
    child: Child,
    port: u16,
}

impl Serving {
    /// Starts the program and waits until it can serve.
    async fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let errors = std::fs::File::create(folder.join("errors")).unwrap();
        let child = program(folder, &["serve"])
            .env("BIND_ADDR", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut serving = Self { child, port };
        eventually("the service is ready", async || {
            assert!(serving.child.try_wait().unwrap().is_none(), "{}", said(folder));
            serving.is_ready().await
        })
        .await;
        serving
    }

    async fn is_ready(&self) -> bool {
        let ready = format!("http://127.0.0.1:{}/health/ready", self.port);
        let answer = reqwest::get(ready).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Waits until it has ended; true when it ended well.
    fn ended(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process that was started last has said.
fn said(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("errors")).unwrap()
}

/// A number that the database's folder keeps.
fn number(folder: &Path, name: &str) -> u32 {
    let text = std::fs::read_to_string(folder.join("mongo").join(name)).unwrap();
    text.trim().parse().unwrap()
}

fn signal(word: &str, pid: u32) {
    let sent = Command::new("kill").args([word, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

fn is_listening(port: u32) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).is_ok()
}

/// Kills the database of a serving process, which must end, badly, with one line that says why.
fn kill_database_under(serving: Serving, folder: &Path) {
    signal("-KILL", number(folder, "pid"));
    assert!(!serving.ended());
    let said = said(folder);
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("workflow-ops: the embedded database stopped: "),
        "{said}"
    );
    assert_eq!(said.matches("the embedded database stopped").count(), 1, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_taken_over_moved_joined_and_its_death_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut killed = Serving::start(folder).await;
    let (pid, port) = (number(folder, "pid"), number(folder, "port"));

    // Another process on the same folder uses the server and leaves it alone.
    let joined = program(folder, &["admin", "grant", "ann.lee@example.com"]).output();
    assert!(joined.unwrap().status.success());
    assert!(killed.is_ready().await);

    // The service dies, its database lives on, and the next start takes it over.
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(is_listening(port));
    let heir = Serving::start(folder).await;
    assert_eq!((number(folder, "pid"), number(folder, "port")), (pid, port));
    kill_database_under(heir, folder);

    // The port is somebody else's by now: the set moves, with its data.
    let somebody = TcpListener::bind(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    let moved = Serving::start(folder).await;
    assert_ne!(number(folder, "port"), port);
    kill_database_under(moved, folder);
    drop(somebody);

    // Asked to end, the service takes its database along.
    let last = Serving::start(folder).await;
    let port = number(folder, "port");
    signal("-TERM", last.child.id());
    assert!(last.ended(), "{}", said(folder));
    assert!(!is_listening(port));
    assert!(!folder.join("mongo/pid").exists());
    let listed = program(folder, &["admin", "list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("ann.lee@example.com"), "{listed}");
}
