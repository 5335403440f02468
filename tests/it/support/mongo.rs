//! One `mongod` for the whole run: `TEST_MONGODB_URI`, or a private one that ends with the test process.

use bson::doc;
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use workflow_ops::repositories::embedded::EmbeddedServer;
use workflow_ops::repositories::mongo::connect;

/// The address of the server of this run.
pub(crate) fn uri() -> &'static str {
    static URI: OnceLock<String> = OnceLock::new();
    URI.get_or_init(|| std::env::var("TEST_MONGODB_URI").unwrap_or_else(|_| start_private()))
}

/// Starts a server on a thread of its own, because the runtime of a test ends with the test.
fn start_private() -> String {
    let folder = tempfile::Builder::new()
        .prefix("workflow-ops-test-")
        .tempdir()
        .unwrap()
        .keep();
    let (ready, started) = mpsc::channel();
    let data = folder.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let server = EmbeddedServer::start(&data, program().as_deref()).await.unwrap();
            keep_what_expires(&server).await;
            ready.send(server.uri().expose_secret().to_owned()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let uri = started
        .recv()
        .expect("the private mongod starts; run scripts/install-mongod first");
    end_with_this_process(&folder);
    uri
}

/// The clock of tests stands in the past; the server's own clock must not remove what expires after it.
async fn keep_what_expires(server: &EmbeddedServer) {
    let database = connect(&server.uri(), "admin", 1).await.unwrap();
    let command = doc! {"setParameter": 1, "ttlMonitorEnabled": false};
    database.run_command(command).await.unwrap();
    // Files of databases that are dropped or rest are closed soon, or a run of all tests opens too many.
    let files = "file_manager=(close_idle_time=2,close_scan_interval=1,close_handle_minimum=100)";
    let command = doc! {"setParameter": 1, "wiredTigerEngineRuntimeConfig": files};
    let _ = database.run_command(command).await;
}

/// The program behind it: `MONGOD_PATH`, or the one that `scripts/install-mongod` fetches.
pub(crate) fn program() -> Option<PathBuf> {
    let cached = || Path::new(env!("CARGO_MANIFEST_DIR")).join("storage/mongod/mongod");
    let given = std::env::var("MONGOD_PATH").ok().map(PathBuf::from);
    given.or_else(|| Some(cached()).filter(|program| program.exists()))
}

/// The test harness leaves by `exit`, which runs no destructor; a small watcher outlives it and cleans up.
#[expect(
    clippy::zombie_processes,
    reason = "the watcher outlives this process on purpose"
)]
fn end_with_this_process(folder: &Path) {
    let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
    let script = r#"while kill -0 "$1" 2>/dev/null; do sleep 1; done; kill -9 "$2" 2>/dev/null; rm -rf "$3""#;
    Command::new("sh")
        .args([
            "-c",
            script,
            "watcher",
            &std::process::id().to_string(),
            pid.trim(),
        ])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}
