//! A commit whose answer is lost: a relay in the test forwards the write and drops the reply.

use super::oracle;
use super::process::{Process, database, new_database};
use super::stage::{MARK, create, create_request, key, note, publish, request, run};
use crate::faults::wire::{Weather, Wire as Line};
use crate::support::{START, eventually, mail_to, mongo};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use workflow_ops::app::App;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::time::Clock;
use workflow_ops::services::execute::Executed;

/// Forwards to the database, and breaks a connection instead of passing on the answer to a write that contains a word.
struct Wire {
    uri: String,
    /// How many more answers are to be lost.
    to_lose: Arc<AtomicUsize>,
    /// How many answers were lost.
    lost: Arc<AtomicUsize>,
}

impl Wire {
    async fn start(word: &'static str) -> Self {
        let server = mongo::uri();
        let target = server
            .trim_start_matches("mongodb://")
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!(
            "mongodb://{}/?directConnection=true",
            listener.local_addr().unwrap()
        );
        let to_lose = Arc::new(AtomicUsize::new(0));
        let lost = Arc::new(AtomicUsize::new(0));
        let counters = (Arc::clone(&to_lose), Arc::clone(&lost));
        #[expect(clippy::disallowed_methods, reason = "the task ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(forward(client, server, word, counters.clone()));
            }
        });
        Self { uri, to_lose, lost }
    }

    fn lose(&self, answers: usize) {
        self.to_lose.store(answers, Ordering::SeqCst);
    }

    fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Passes messages on in both directions, each on its own: a server may answer one question several times.
async fn forward(
    client: TcpStream,
    server: TcpStream,
    word: &'static str,
    (to_lose, lost): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let loses_next = AtomicBool::new(false);
    let asking = async {
        while let Some(question) = message(&mut from_client).await {
            let is_wanted = question
                .windows(word.len())
                .any(|window| window == word.as_bytes());
            let take = |left: usize| left.checked_sub(1);
            if is_wanted
                && to_lose
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_ok()
            {
                loses_next.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&question).await.is_err() {
                return;
            }
        }
    };
    let answering = async {
        while let Some(answer) = message(&mut from_server).await {
            if loses_next.load(Ordering::SeqCst) {
                lost.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if to_client.write_all(&answer).await.is_err() {
                return;
            }
        }
    };
    // Whichever ends first ends the connection.
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}

/// One message of the wire protocol: its length, then the rest.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut length = [0_u8; 4];
    from.read_exact(&mut length).await.ok()?;
    let total = usize::try_from(i32::from_le_bytes(length)).ok()?;
    let mut message = length.to_vec();
    message.resize(total, 0);
    from.read_exact(&mut message[4..]).await.ok()?;
    Some(message)
}

async fn behind(wire: &Wire) -> Process {
    let database = new_database(&wire.uri).await;
    Process::on(database, Clock::System)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_answer_is_lost_is_neither_lost_nor_applied_twice() {
    // Only the commit of a command pushes to the tail; the relay pulls.
    let wire = Wire::start("$push").await;
    let app = behind(&wire).await;
    let version = publish(&app.database).await;
    let ticket = create(&app, &version, "one").await.ticket;
    for n in 0..20 {
        wire.lose(1);
        let done = run(&app, MARK, &ticket.id, note(&ticket, &format!("note {n}")))
            .await
            .unwrap();
        assert_eq!(done.version, n + 2);
        assert!(!done.events.is_empty());
    }
    assert_eq!(wire.lost(), 20);
    oracle::check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_applied_once_when_answers_to_reads_are_lost_as_well() {
    // Every read and every write of a ticket names the collection.
    let wire = Wire::start("tickets").await;
    let app = behind(&wire).await;
    let version = publish(&app.database).await;
    let ticket = create(&app, &version, "one").await.ticket;
    for n in 0..10 {
        let mut wish = request(MARK, &ticket.id, note(&ticket, &format!("note {n}")));
        wish.idempotency = Some(key(&format!("key {n}"), "body"));
        wire.lose(5);
        until_answered(|| app.execute.run(wish.clone())).await;
    }
    assert!(wire.lost() >= 20, "{}", wire.lost());
    wire.lose(0);
    oracle::check(&app).await;
    assert_eq!(
        app.execute
            .run(request(MARK, &ticket.id, note(&ticket, "last")))
            .await
            .unwrap()
            .version,
        12
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_is_lost_is_neither_lost_nor_doubled() {
    let wire = Wire::start("origin").await;
    let app = behind(&wire).await;
    let version = publish(&app.database).await;
    for n in 0..10 {
        wire.lose(n % 4 + 1);
        let title = format!("ticket {n}");
        until_answered(|| app.execute.create(create_request(&version, &title))).await;
    }
    assert!(wire.lost() >= 20, "{}", wire.lost());
    wire.lose(0);
    assert_eq!(oracle::check(&app).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_that_went_together_and_got_no_answer_are_neither_lost_nor_doubled() {
    let wire = Wire::start("origin").await;
    let app = behind(&wire).await;
    let version = publish(&app.database).await;
    for round in 0..5 {
        wire.lose(2);
        let titles: Vec<_> = (0..8).map(|n| format!("ticket {round} {n}")).collect();
        let raised = titles
            .iter()
            .map(|title| until_answered(|| app.execute.create(create_request(&version, title))));
        join_all(raised).await;
    }
    assert!(wire.lost() >= 10, "{}", wire.lost());
    wire.lose(0);
    assert_eq!(oracle::check(&app).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_whose_claim_got_no_answer_are_claimed_and_wait_for_no_lease_to_end() {
    // Only a claim reads how often a mail was tried.
    let wire = Wire::start("$convert").await;
    let app = behind(&wire).await;
    let outbox = &app.notifications.outbox;
    let rows: Vec<_> = (0..5)
        .map(|n| mail_to(&format!("r{n}@contoso.example")))
        .collect();
    outbox.insert_absent(&rows).await.unwrap();
    wire.lose(1);
    let claimed = outbox.claim(9, START, START.plus_minutes(1)).await.unwrap();
    assert_eq!((claimed.len(), wire.lost()), (5, 1));
}

/// A client that got no answer asks another process under the same key. Both may decide the command for the same
/// version; the one whose write was lost must not take the other's commit for its own, or it would carry on what was
/// never committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_committed_under_the_same_key_is_not_taken_for_ones_own() {
    let server = mongo::uri().trim_start_matches("mongodb://");
    let line = Line::to(server.split('/').next().unwrap()).await;
    let uri = format!("mongodb://{}/?directConnection=true", line.address());
    let one = Process::on(new_database(&uri).await, Clock::System);
    let same = database(mongo::uri(), one.database.name()).await;
    let other = Process::on(same, Clock::System);
    let version = publish(&one.database).await;
    let ticket = create(&one, &version, "one").await.ticket;
    one.execute.relay().drain().await.unwrap();
    let mut wish = request(MARK, &ticket.id, note(&ticket, "hurry"));
    wish.idempotency = Some(key("the same", "body"));

    line.turn(Weather::Without("$push"));
    let lost = tokio::spawn({
        let (one, wish) = (App::clone(&one), wish.clone());
        async move { one.execute.run(wish).await }
    });
    eventually("the first process has decided", async || line.held() > 0).await;
    // Decided at another moment, so that the two can be told apart.
    let decided = Clock::System.now();
    eventually("the clock has gone on", async || Clock::System.now() > decided).await;
    assert!(!other.execute.run(wish).await.unwrap().replayed);
    line.turn(Weather::Broken);
    line.turn(Weather::Fair);
    let found = lost.await.unwrap().unwrap();
    assert!(found.replayed, "the other process committed it");
    assert_eq!(found.version, 2);
    oracle::check(&one).await;
}

/// Repeats while the service says that it does not know, as a client does.
async fn until_answered<F, A>(mut send: F)
where
    F: FnMut() -> A,
    A: Future<Output = Result<Executed, ServiceError>>,
{
    for _ in 0..20 {
        match send().await {
            Ok(_) => return,
            Err(ServiceError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never answered");
}
