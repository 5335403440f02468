//! The client: majority writes with journal, majority reads from the primary, and bounds on every wait.

use super::primary_watch::PrimaryWatch;
use crate::domain::error::ServiceError;
use bson::{Document, doc};
use mongodb::options::{ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// How long a server may take to be found before a request fails.
const SERVER_SELECTION: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the health check waits for an answer.
const PING: Duration = Duration::from_secs(2);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is wrong.
    #[error("MONGO_URI cannot be read: {0}")]
    Address(#[source] mongodb::error::Error),
    /// Nobody answers.
    #[error("the database does not answer")]
    Unreachable(#[source] mongodb::error::Error),
    /// A standalone server: acknowledged writes could be lost with it, and transactions do not exist.
    #[error(
        "the database server is not a member of a replica set. Start it with --replSet rs0 and run rs.initiate() once \
         in its shell (a single node is enough), or use MONGO_URI=embedded in development"
    )]
    Standalone,
}

impl From<mongodb::error::Error> for ServiceError {
    /// A database error that nobody handled closer to its cause: the database is unavailable.
    fn from(error: mongodb::error::Error) -> Self {
        Self::unavailable(error)
    }
}

/// Connects to the server at `uri` and opens the database `name`.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(uri: &SecretString, name: &str, max_pool_size: u32) -> Result<Database, ConnectError> {
    let (database, _) = connect_watching(uri, name, max_pool_size).await?;
    Ok(database)
}

/// The same, and watches which member is primary.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect_watching(
    uri: &SecretString,
    name: &str,
    max_pool_size: u32,
) -> Result<(Database, PrimaryWatch), ConnectError> {
    let primary = PrimaryWatch::default();
    let mut options = ClientOptions::parse(uri.expose_secret())
        .await
        .map_err(ConnectError::Address)?;
    options.app_name = Some("workflow-ops".to_owned());
    options.server_selection_timeout = Some(SERVER_SELECTION);
    options.connect_timeout = Some(CONNECT);
    options.max_pool_size = Some(max_pool_size);
    options.write_concern = Some(majority_with_journal());
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.retry_writes = Some(true);
    options.retry_reads = Some(true);
    options.sdam_event_handler = Some(primary.handler());
    let client = Client::with_options(options).map_err(ConnectError::Address)?;
    require_replica_set(&client).await?;
    Ok((client.database(name), primary))
}

/// The write concern of every write: on disk on a majority of the members.
pub fn majority_with_journal() -> WriteConcern {
    let mut concern = WriteConcern::majority();
    concern.journal = Some(true);
    concern
}

async fn require_replica_set(client: &Client) -> Result<(), ConnectError> {
    let hello = client
        .database("admin")
        .run_command(doc! {"hello": 1})
        .await
        .map_err(ConnectError::Unreachable)?;
    let is_member = hello.contains_key("setName");
    let is_router = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
    if is_member || is_router {
        Ok(())
    } else {
        Err(ConnectError::Standalone)
    }
}

/// Whether the database answers now, within two seconds.
pub async fn is_healthy(database: &Database) -> bool {
    let ping = database.run_command(doc! {"ping": 1});
    matches!(tokio::time::timeout(PING, ping).await, Ok(Ok(Document { .. })))
}

/// The code of a write error: a document with this key exists already.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// What a failed write means for the one who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// A document with this key exists already.
    DuplicateKey,
    /// The server refused this very write (size, parallel arrays, depth); sending it again is useless.
    Refused,
    /// Nobody knows whether the write took place.
    Unknown,
}

/// Classifies a failed write (design 3, unknown outcomes).
pub fn classify(error: &mongodb::error::Error) -> WriteFault {
    use mongodb::error::{ErrorKind, WriteFailure};
    let kind = error.kind.as_ref();
    if matches!(
        kind,
        ErrorKind::BsonSerialization(_) | ErrorKind::InvalidArgument { .. }
    ) {
        return WriteFault::Refused;
    }
    let code = if let ErrorKind::Write(WriteFailure::WriteError(write)) = kind {
        Some(write.code)
    } else if let ErrorKind::Command(command) = kind {
        Some(command.code)
    } else if let ErrorKind::InsertMany(many) = kind {
        many.write_errors
            .as_ref()
            .and_then(|errors| errors.first())
            .map(|first| first.code)
    } else {
        None
    };
    match code {
        Some(DUPLICATE_KEY) => WriteFault::DuplicateKey,
        Some(code) if is_refusal(code) => WriteFault::Refused,
        Some(_) | None => WriteFault::Unknown,
    }
}

/// Whether a write error with this code condemns the very write, so that sending it again is useless.
pub(super) fn is_refusal(code: i32) -> bool {
    /// Too large, cannot index parallel arrays, too deeply nested, failed to parse, bad value, failed validation.
    const REFUSALS: [i32; 10] = [2, 9, 15, 52, 121, 171, 10_334, 17_280, 17_419, 17_420];
    REFUSALS.contains(&code)
}
