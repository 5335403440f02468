use crate::commit::process::database;
use crate::proof::processes::free_ports;
use crate::support::{eventually, mongo};
use bson::{Document, doc};
use secrecy::{ExposeSecret, SecretString};
use std::process::{Command, Stdio};
use workflow_ops::config::{Settings, Sources};
use workflow_ops::domain::id::random_key;
use workflow_ops::lifecycle;
use workflow_ops::repositories::mongo::{ConnectError, connect};

#[tokio::test]
async fn a_server_that_is_no_replica_set_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports(1)[0].to_string();
    let mut server = Command::new(mongo::program().unwrap())
        .args([
            "--bind_ip",
            "127.0.0.1",
            "--nounixsocket",
            "--port",
            &port,
            "--dbpath",
        ])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let uri = SecretString::from(format!("mongodb://127.0.0.1:{port}/?directConnection=true"));
    let mut answer = None;
    eventually("the server answers", async || {
        answer = connect(&uri, "any", 1).await.err();
        !matches!(answer, None | Some(ConnectError::Unreachable(_)))
    })
    .await;
    server.kill().unwrap();
    server.wait().unwrap();
    let said = answer.unwrap().to_string();
    assert!(
        said.contains("--replSet rs0") && said.contains("rs.initiate()"),
        "{said}"
    );
    assert!(!said.contains(uri.expose_secret()), "{said}");
}

#[tokio::test]
async fn an_index_that_cannot_be_built_stops_the_start_and_is_named() {
    let name = format!("t{}", random_key());
    let database = database(mongo::uri(), &name).await;
    let row = |id: &str| doc! {"_id": id, "aad_id": "one person"};
    let twice = [row("ann@contoso.example"), row("alias@contoso.example")];
    let rows = database.collection::<Document>("admin_users");
    rows.insert_many(twice).await.unwrap();
    let settings = Sources::of_pairs(&[("MONGO_URI", mongo::uri()), ("MONGO_DB", &name)]);
    let started = lifecycle::start(Settings::from_sources(settings).unwrap()).await;
    let said = format!("{:#}", started.err().unwrap());
    database.drop().await.unwrap();
    assert!(
        said.starts_with("cannot build the indexes ") && said.contains(" of admin_users: "),
        "{said}"
    );
}
