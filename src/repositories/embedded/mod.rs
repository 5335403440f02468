//! The embedded server: a private single-node replica set as a child process, for development and tests (design 7).
//!
//! The data folder holds the port and the process id. A lock on a file says which process owns the server; another
//! process on the same folder connects and leaves it running, and after a `kill -9` of the owner the next start takes
//! the living server over.

mod post_mortem;

use bson::doc;
use mongodb::Client;
use mongodb::options::{ClientOptions, ServerAddress};
use post_mortem::why_it_stopped;
use secrecy::SecretString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How much of the cache may hold changed pages before they are rewritten: a server with the usual cache of gigabytes
/// comes to hundreds of megabytes by its defaults, this one to 26, and would rewrite the same pages again and again.
const EVICTION: &str = "eviction_dirty_target=20,eviction_dirty_trigger=40,eviction_updates_target=10,eviction_updates_trigger=20";
/// How long a server may take to become primary after its start.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a server may take to stop when asked.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How long one question to a starting server may take.
const QUESTION: Duration = Duration::from_secs(3);
/// How long the server keeps older versions of what was changed. Nothing here reads the past; with the five minutes that
/// are usual, keeping it is a large part of the server's work, and every look for open tails passes what has left them.
const HISTORY: &str = "minSnapshotHistoryWindowInSeconds=5";

/// Why the embedded server cannot be used; one line, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// There is no `mongod` to start.
    #[error("no mongod program found; run scripts/install-mongod, or set MONGOD_PATH")]
    NoProgram,
    /// Nothing more can be written, not even the server's own log.
    #[error("no room is left on the disk of {folder}; make room and start again")]
    DiskFull {
        /// The data folder.
        folder: String,
    },
    /// The data folder cannot be used.
    #[error("the data folder {folder} cannot be used: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The program ended right away.
    #[error("the embedded database stopped: {reason} (its log: {log})")]
    Stopped {
        /// The server's own last words, or its exit status.
        reason: String,
        /// Where its log is.
        log: String,
    },
    /// The server runs but never became usable.
    #[error("the embedded database did not become ready within {} s (its log: {log})", START_LIMIT.as_secs())]
    NotReady {
        /// Where its log is.
        log: String,
    },
}

/// A running embedded server.
#[derive(Debug)]
pub struct EmbeddedServer {
    port: u16,
    /// Present when this process owns the server and must stop it.
    owned: Option<Owned>,
}

#[derive(Debug)]
struct Owned {
    /// Present when this process also started it.
    child: Option<Child>,
    folder: PathBuf,
    /// Held as long as the server is ours; the system drops it when the process dies.
    _lock: File,
}

impl EmbeddedServer {
    /// Starts the server over `folder`, takes a living one over, or joins one that another process owns.
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn start(folder: &Path, program: Option<&Path>) -> Result<Self, EmbeddedError> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data).map_err(|source| unusable(folder, source))?;
        let Some(lock) = try_lock(folder)? else {
            let port = Self::join(folder).await?;
            return Ok(Self { port, owned: None });
        };
        if let Some(port) = living_port(folder).await {
            tracing::info!(port, "taking over the embedded database that is still running");
            wait_until_primary(port, &log_path(folder), None).await?;
            return Ok(Self {
                port,
                owned: Some(Owned {
                    child: None,
                    folder: folder.to_owned(),
                    _lock: lock,
                }),
            });
        }
        let program = find_program(program).ok_or(EmbeddedError::NoProgram)?;
        let port = choose_port(folder).map_err(|source| unusable(folder, source))?;
        remember(folder, "port", u32::from(port))?;
        let mut child = spawn(&program, folder, port)?;
        let started = async {
            remember(folder, "pid", child.id().unwrap_or_default())?;
            wait_until_primary(port, &log_path(folder), Some(&mut child)).await
        };
        if let Err(error) = started.await {
            // Nobody would know of a server that is left behind now.
            let _ = child.kill().await;
            return Err(error);
        }
        Ok(Self {
            port,
            owned: Some(Owned {
                child: Some(child),
                folder: folder.to_owned(),
                _lock: lock,
            }),
        })
    }

    /// The address to connect to.
    pub fn uri(&self) -> SecretString {
        SecretString::from(uri(self.port))
    }

    /// Whether this process must stop the server when it ends.
    pub fn is_owned(&self) -> bool {
        self.owned.is_some()
    }

    /// Resolves when the server ends by itself, with why; never for a server that another process owns.
    pub async fn died(&mut self) -> String {
        let Some(owned) = self.owned.as_mut() else {
            return std::future::pending().await;
        };
        let status = if let Some(child) = owned.child.as_mut() {
            let ended = child.wait().await;
            ended.map_or_else(|error| error.to_string(), |status| status.to_string())
        } else {
            connections_refused(self.port).await;
            "it ended".to_owned()
        };
        why_it_stopped(&owned.folder, &status).to_string()
    }

    /// Stops the server if this process owns it; leaves it running otherwise.
    pub async fn stop(mut self) {
        let Some(mut owned) = self.owned.take() else {
            return;
        };
        let asked = ask_to_stop(self.port);
        if tokio::time::timeout(STOP_LIMIT, asked).await.is_err() {
            tracing::warn!("the embedded database did not answer the request to stop");
        }
        if let Some(child) = owned.child.as_mut()
            && tokio::time::timeout(STOP_LIMIT, child.wait()).await.is_err()
        {
            tracing::warn!("the embedded database did not stop in time and is killed");
            let _ = child.kill().await;
        }
        let _ = std::fs::remove_file(owned.folder.join("pid"));
    }

    /// Finds the server that another process owns, waiting while that process starts it.
    async fn join(folder: &Path) -> Result<u16, EmbeddedError> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        while tokio::time::Instant::now() < deadline {
            if let Some(port) = living_port(folder).await {
                wait_until_primary(port, &log_path(folder), None).await?;
                return Ok(port);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(EmbeddedError::NotReady {
            log: log_path(folder).display().to_string(),
        })
    }
}

fn uri(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

fn unusable(folder: &Path, source: std::io::Error) -> EmbeddedError {
    let folder = folder.display().to_string();
    if source.kind() == ErrorKind::StorageFull {
        return EmbeddedError::DiskFull { folder };
    }
    EmbeddedError::Folder { folder, source }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("mongod.log")
}

/// The lock on the folder, or nothing when another process holds it.
fn try_lock(folder: &Path) -> Result<Option<File>, EmbeddedError> {
    let path = folder.join("owner.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = file.map_err(|source| unusable(folder, source))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(unusable(folder, source)),
    }
}

fn find_program(configured: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = configured {
        return path.is_file().then(|| path.to_owned());
    }
    let cached = Path::new("storage/mongod/mongod");
    if cached.is_file() {
        return Some(cached.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("mongod"))
        .find(|candidate| candidate.is_file())
}

/// The port of a server that lives on this folder, if one answers there and says that the folder is its own.
async fn living_port(folder: &Path) -> Option<u16> {
    let port = stored_port(folder)?;
    std::fs::metadata(folder.join("pid")).ok()?;
    let client = client(port).ok()?;
    let admin = client.database("admin");
    let options = admin.run_command(doc! {"getCmdLineOpts": 1});
    let answer = tokio::time::timeout(QUESTION, options).await.ok()?.ok()?;
    let db_path = answer
        .get_document("parsed")
        .ok()?
        .get_document("storage")
        .ok()?
        .get_str("dbPath")
        .ok()?;
    let ours = std::fs::canonicalize(folder.join("data")).ok()?;
    (Path::new(db_path) == ours).then_some(port)
}

fn stored_port(folder: &Path) -> Option<u16> {
    std::fs::read_to_string(folder.join("port"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The port used before if it is free, else any free one.
fn choose_port(folder: &Path) -> std::io::Result<u16> {
    if let Some(port) = stored_port(folder)
        && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
    {
        return Ok(port);
    }
    std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()
        .map(|address| address.port())
}

fn remember(folder: &Path, name: &str, number: u32) -> Result<(), EmbeddedError> {
    std::fs::write(folder.join(name), number.to_string()).map_err(|source| unusable(folder, source))
}

fn spawn(program: &Path, folder: &Path, port: u16) -> Result<Child, EmbeddedError> {
    let data = std::fs::canonicalize(folder.join("data")).map_err(|source| unusable(folder, source))?;
    let log = std::fs::canonicalize(folder)
        .map_err(|source| unusable(folder, source))?
        .join("mongod.log");
    // One older log is kept; the server itself would keep one for each start.
    let _ = std::fs::rename(&log, log.with_extension("log.before"));
    let mut command = Command::new(program);
    command.args([
        "--replSet",
        "rs0",
        "--bind_ip",
        "127.0.0.1",
        "--wiredTigerCacheSizeGB",
        "0.5",
        "--wiredTigerEngineConfigString",
        EVICTION,
        "--setParameter",
        HISTORY,
    ]);
    command.args(["--nounixsocket", "--quiet", "--port", &port.to_string()]);
    command.arg("--dbpath").arg(data).arg("--logpath").arg(log);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Its own process group: an interrupt at the terminal reaches this process only, which then stops it in order.
    command.process_group(0);
    command.spawn().map_err(|source| unusable(program, source))
}

/// Waits until the server is primary, initiating or moving its replica set on the way.
async fn wait_until_primary(
    port: u16,
    log: &Path,
    mut child: Option<&mut Child>,
) -> Result<(), EmbeddedError> {
    let client = client(port).map_err(|_| EmbeddedError::NotReady {
        log: log.display().to_string(),
    })?;
    let admin = client.database("admin");
    let deadline = tokio::time::Instant::now() + START_LIMIT;
    while tokio::time::Instant::now() < deadline {
        if let Some(child) = child.as_deref_mut()
            && let Ok(Some(status)) = child.try_wait()
        {
            let folder = log.parent().unwrap_or(log);
            return Err(why_it_stopped(folder, &status.to_string()));
        }
        let hello = tokio::time::timeout(QUESTION, admin.run_command(doc! {"hello": 1})).await;
        if let Ok(Ok(answer)) = hello {
            if answer.get_bool("isWritablePrimary").unwrap_or(false) {
                return Ok(());
            }
            let _ = tokio::time::timeout(QUESTION, make_member(&admin, port)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(EmbeddedError::NotReady {
        log: log.display().to_string(),
    })
}

/// Initiates the replica set, or tells its only member that it has moved to another port.
async fn make_member(admin: &mongodb::Database, port: u16) -> mongodb::error::Result<()> {
    let host = format!("127.0.0.1:{port}");
    let member = doc! {"_id": 0, "host": &host};
    let initiate = doc! {"replSetInitiate": {"_id": "rs0", "members": [member]}};
    if admin.run_command(initiate).await.is_ok() {
        return Ok(());
    }
    let current = admin.run_command(doc! {"replSetGetConfig": 1}).await?;
    let Ok(config) = current.get_document("config") else {
        return Ok(());
    };
    let mut config = config.clone();
    let version = config.get_i32("version").unwrap_or(1);
    let Ok(members) = config.get_array_mut("members") else {
        return Ok(());
    };
    let Some(only) = members.first_mut().and_then(bson::Bson::as_document_mut) else {
        return Ok(());
    };
    if only.get_str("host").is_ok_and(|known| known == host) {
        return Ok(());
    }
    only.insert("host", host);
    config.insert("version", version.saturating_add(1));
    admin
        .run_command(doc! {"replSetReconfig": config, "force": true})
        .await
        .map(|_| ())
}

async fn ask_to_stop(port: u16) {
    let Ok(client) = client(port) else { return };
    // The server closes the connection instead of answering.
    let _ = client
        .database("admin")
        .run_command(doc! {"shutdown": 1, "force": true, "timeoutSecs": 10})
        .await;
}

fn client(port: u16) -> mongodb::error::Result<Client> {
    let address = ServerAddress::Tcp {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
    };
    let options = ClientOptions::builder()
        .hosts(vec![address])
        .direct_connection(true)
        .server_selection_timeout(QUESTION)
        .connect_timeout(QUESTION)
        .max_pool_size(2)
        .build();
    Client::with_options(options)
}

/// Resolves when nobody listens on the port any more.
async fn connections_refused(port: u16) {
    while let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)).await {
        // The server says nothing by itself, so this ends with the server, or when it tires of the silence.
        let _ = connection.read_u8().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
