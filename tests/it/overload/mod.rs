//! Overload: whoever is served is served soon and once, everybody else is told when to come back. The short form runs
//! with every test run; the figures at three times the capacity come from `scripts/prove-overload`.

mod figures;
mod flood;
mod measurement;

use crate::faults::wire::{Weather, Wire};
use crate::support::{Reply, TestApp, TestClient, client_send, eventually};
use crate::tickets::stage::{ANN, Stage};
use bson::{Document, doc};
use reqwest::Method;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_room_commands_are_told_to_come_back_and_the_others_take_effect_once() {
    const SENT: usize = 30;
    // Ten changes at a time: eight are served, two wait.
    const ROOM: usize = 10;
    let line = Wire::to_database().await;
    let stage = Stage::behind(&line, &[("MAX_CONCURRENT_REQUESTS", "30")]).await;
    let ticket = stage.raise(ANN, "Crowded").await;
    let ann = stage.person(ANN);
    let path = ticket.path("/add-requester-note");
    line.turn(Weather::Silent);
    let answered = AtomicUsize::new(0);
    let send = |number: usize| {
        let (ann, path, answered) = (&ann, &path, &answered);
        async move {
            let content = format!("note {number}");
            let note = ann.request(Method::POST, path).json(&json!({"content": content}));
            let reply = client_send(note).await;
            answered.fetch_add(1, Ordering::SeqCst);
            (content, reply)
        }
    };
    let all = futures::future::join_all((0..SENT).map(send));
    let mend = async {
        eventually("those for whom there is no room are answered", || async {
            answered.load(Ordering::SeqCst) >= SENT - ROOM
        })
        .await;
        line.turn(Weather::Fair);
    };
    let (replies, ()) = tokio::join!(all, mend);
    let (kept, refused): (Vec<_>, Vec<_>) = replies
        .into_iter()
        .partition(|(_, reply)| reply.status.is_success());
    for (_, reply) in &refused {
        assert_eq!(reply.status, 429, "{}", reply.text);
        assert_eq!(
            (reply.code(), reply.header("retry-after")),
            ("RATE_LIMIT_EXCEEDED", "1")
        );
    }
    // Who waited for a place for too long is told to come back as well.
    assert!((8..=ROOM).contains(&kept.len()), "{} were served", kept.len());
    let notes = ticket.detail().await["ticket"]["requester_notes"].clone();
    let mut notes: Vec<_> = notes
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["content"].as_str().unwrap().to_owned())
        .collect();
    let mut expected: Vec<_> = kept.into_iter().map(|(content, _)| content).collect();
    notes.sort();
    expected.sort();
    assert_eq!(notes, expected, "every accepted note once, and no refused one");
}

#[tokio::test]
async fn one_person_raises_uploads_and_looks_up_so_often_and_no_more_and_others_are_not_concerned() {
    let stage = {
        let app = TestApp::with(&[
            ("REQUESTS_PER_SECOND_PER_PERSON", "100"),
            ("RAISES_PER_MINUTE_PER_PERSON", "2"),
            ("UPLOADS_PER_MINUTE_PER_PERSON", "2"),
            ("LOOK_UPS_PER_MINUTE_PER_PERSON", "2"),
        ])
        .await;
        app.grant_people_their_rights().await;
        Stage::on(app, Stage::usual()).await
    };
    let raise = async |who: &TestClient, title| who.post("/api/v1/tickets", stage.wizard(title)).await;
    let upload = async |who: &TestClient, text| flood::upload(who, text).await;
    let look_up = async |who: &TestClient| who.get("/api/v1/directory/users/search?q=ben").await;
    let (ann, ben) = (stage.person(ANN), stage.person("ben.cole"));
    for name in ["first", "second"] {
        assert!(raise(&ann, name).await.status.is_success());
        assert!(upload(&ann, name).await.status.is_success());
        assert!(look_up(&ann).await.status.is_success());
    }
    for refused in [
        raise(&ann, "third").await,
        upload(&ann, "third").await,
        look_up(&ann).await,
    ] {
        assert_eq!(refused.expect_pause(), "RATE_LIMIT_EXCEEDED");
    }
    for answered in [
        raise(&ben, "first").await,
        upload(&ben, "first").await,
        look_up(&ben).await,
    ] {
        assert!(answered.status.is_success(), "{}", answered.text);
    }
    ann.get("/api/v1/admin/my-access").await.expect(200);
    let count = async |collection: &str| {
        let rows = stage.app.database().collection::<Document>(collection);
        rows.count_documents(doc! {}).await.unwrap()
    };
    assert_eq!(
        (count("tickets").await, count("attachments").await),
        (3, 3),
        "nothing of what was refused is kept"
    );
}

impl Reply {
    /// The code of a refusal that says when to come back.
    #[track_caller]
    fn expect_pause(&self) -> &str {
        assert_eq!(self.status, 429, "{}", self.text);
        assert!(self.header("retry-after").parse::<u64>().unwrap() >= 1);
        self.code()
    }
}

/// The long form: `OVERLOAD_PROGRAM` under three times what it can do, for `OVERLOAD_SECONDS` in each class of routes;
/// its result is JSON in the file `OVERLOAD_RESULT`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; scripts/prove-overload runs it"]
async fn long() {
    let given = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let program = PathBuf::from(given("OVERLOAD_PROGRAM"));
    let time = Duration::from_secs(given("OVERLOAD_SECONDS").parse().unwrap());
    let measured = measurement::take(&program, time).await;
    let result = serde_json::to_string(&measured).unwrap();
    std::fs::write(given("OVERLOAD_RESULT"), format!("{result}\n")).unwrap();
    let broken: Vec<_> = measured.iter().flat_map(|class| &class.violations).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
