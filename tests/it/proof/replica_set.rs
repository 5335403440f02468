//! Three members of a replica set on loopback, to be killed, frozen and deposed.

use super::processes::{Process, free_ports};
use crate::support::eventually_within;
use bson::{Document, doc};
use mongodb::Client;
use mongodb::options::{ClientOptions, ServerAddress};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How many members there are; two of them are a majority.
pub(crate) const MEMBERS: usize = 3;
/// How long a member may take to be of use again.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one question to a member may take.
const QUESTION: Duration = Duration::from_secs(2);

/// A running replica set.
#[derive(Debug)]
pub(crate) struct ReplicaSet {
    folder: PathBuf,
    ports: Vec<u16>,
    members: Vec<Option<Process>>,
    clients: Vec<Client>,
}

impl ReplicaSet {
    /// Starts the members over what they have stored in `folder`, and makes them a set the first time.
    pub(crate) async fn start(folder: &Path) -> Self {
        let ports_file = folder.join("members.json");
        let is_new = !ports_file.exists();
        if is_new {
            std::fs::write(&ports_file, serde_json::to_string(&free_ports(MEMBERS)).unwrap()).unwrap();
        }
        let ports: Vec<u16> = serde_json::from_slice(&std::fs::read(&ports_file).unwrap()).unwrap();
        let mut set = Self {
            folder: folder.to_owned(),
            members: Vec::new(),
            clients: ports.iter().map(|port| client(*port)).collect(),
            ports,
        };
        for member in 0..MEMBERS {
            let started = set.spawn(member);
            set.members.push(Some(started));
        }
        if is_new {
            set.initiate().await;
        }
        set.primary().await;
        set
    }

    /// The address of the whole set.
    pub(crate) fn uri(&self) -> String {
        let hosts: Vec<String> = self
            .ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!("mongodb://{}/?replicaSet=proof", hosts.join(","))
    }

    /// Waits until there is a primary and returns which member it is.
    pub(crate) async fn primary(&self) -> usize {
        let mut found = None;
        eventually_within(PATIENCE, "the set has a primary", async || {
            found = self.look_for_primary().await;
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Ends a member as a power failure would.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(mut process) = self.members[member].take() {
            process.kill();
        }
    }

    /// Keeps a member from running and answering.
    pub(crate) fn freeze(&self, member: usize) {
        self.members[member].as_ref().unwrap().freeze();
    }

    /// Lets a frozen member run on.
    pub(crate) fn thaw(&self, member: usize) {
        self.members[member].as_ref().unwrap().thaw();
    }

    /// Tells the primary to step down.
    pub(crate) async fn depose(&self, primary: usize) {
        let admin = self.clients[primary].database("admin");
        let command = doc! {"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 1, "force": true};
        let _ = tokio::time::timeout(QUESTION, admin.run_command(command)).await;
    }

    /// Starts a killed member again and waits until it takes part.
    pub(crate) async fn revive(&mut self, member: usize) {
        self.start_again(member);
        self.until_all_take_part().await;
    }

    /// Starts a killed member again.
    pub(crate) fn start_again(&mut self, member: usize) {
        self.members[member] = Some(self.spawn(member));
    }

    /// Waits until every member is primary or follows it.
    pub(crate) async fn until_all_take_part(&self) {
        eventually_within(PATIENCE, "every member takes part", async || {
            let hellos = futures::future::join_all(self.clients.iter().map(hello)).await;
            let takes_part = |hello: &Option<Document>| {
                hello
                    .as_ref()
                    .is_some_and(|hello| is(hello, "isWritablePrimary") || is(hello, "secondary"))
            };
            hellos.iter().all(takes_part)
                && hellos
                    .iter()
                    .flatten()
                    .any(|hello| is(hello, "isWritablePrimary"))
        })
        .await;
    }

    async fn look_for_primary(&self) -> Option<usize> {
        let hellos = futures::future::join_all(self.clients.iter().map(hello)).await;
        hellos
            .iter()
            .position(|hello| hello.as_ref().is_some_and(|hello| is(hello, "isWritablePrimary")))
    }

    fn spawn(&self, member: usize) -> Process {
        let data = self.folder.join(format!("member-{member}"));
        std::fs::create_dir_all(&data).unwrap();
        let mut command = Command::new(mongod());
        command
            .args([
                "--replSet",
                "proof",
                "--bind_ip",
                "127.0.0.1",
                "--nounixsocket",
                "--quiet",
            ])
            .args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256"])
            .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
            .args(["--port", &self.ports[member].to_string()])
            .arg("--dbpath")
            .arg(data);
        Process::start(&self.folder, &format!("member-{member}"), &mut command)
    }

    async fn initiate(&self) {
        let members: Vec<Document> = (0..MEMBERS)
            .map(|n| doc! {"_id": i32::try_from(n).unwrap(), "host": format!("127.0.0.1:{}", self.ports[n])})
            .collect();
        let settings = doc! {"electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 300};
        let config = doc! {"_id": "proof", "members": members, "settings": settings};
        let admin = self.clients[0].database("admin");
        eventually_within(PATIENCE, "the set is initiated", async || {
            let initiate = admin.run_command(doc! {"replSetInitiate": &config});
            matches!(
                tokio::time::timeout(Duration::from_secs(20), initiate).await,
                Ok(Ok(_))
            )
        })
        .await;
    }
}

/// What a member says of itself; nothing when it does not answer in time.
async fn hello(client: &Client) -> Option<Document> {
    let admin = client.database("admin");
    let asked = tokio::time::timeout(QUESTION, admin.run_command(doc! {"hello": 1}));
    asked.await.ok()?.ok()
}

fn is(hello: &Document, field: &str) -> bool {
    hello.get_bool(field).unwrap_or(false)
}

fn client(port: u16) -> Client {
    let address = ServerAddress::Tcp {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
    };
    let options = ClientOptions::builder()
        .hosts(vec![address])
        .direct_connection(true)
        .server_selection_timeout(QUESTION)
        .connect_timeout(QUESTION)
        .build();
    Client::with_options(options).unwrap()
}

fn mongod() -> PathBuf {
    std::env::var_os("MONGOD_PATH").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("storage/mongod/mongod"),
        PathBuf::from,
    )
}
