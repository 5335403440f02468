//! From a command to the inbox: what people read of a real ticket, and what time alone causes.

use super::{app_sending_to, drain};
use crate::commit::process::Process;
use crate::commit::stage::{ANN, MARK, create, create_request, publish, run};
use crate::support::{ServiceProcess, SmtpServer, TakenMail, TestApp, eventually, eventually_within};
use bson::{Document, doc};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use workflow_ops::domain::id::TicketStepId;
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::Clock;
use workflow_ops::engine::Command;

const HOSTILE: &str = "Laptop <b>now</b>\r\nBcc: eve@evil.example {{ 7*7 }}";

fn approval(ticket: &Ticket) -> TicketStepId {
    ticket
        .steps
        .iter()
        .find(|step| step.key.as_str() == "manager")
        .unwrap()
        .id
        .clone()
}

async fn relayed(app: &TestApp) {
    app.app.execute.relay().drain().await.unwrap();
}

fn of<'a>(mails: &'a [TakenMail], recipient: &str) -> Vec<&'a TakenMail> {
    mails.iter().filter(|mail| mail.to[0] == recipient).collect()
}

#[tokio::test]
async fn a_decision_reaches_the_requester_with_its_words_as_text() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let version = publish(app.database()).await;
    let ticket = create(&app.app, &version, HOSTILE).await.ticket;
    let approve = Command::Approve {
        step: approval(&ticket),
        comment: Some("<script>x</script>\nSecond line".to_owned()),
    };
    run(&app.app, MARK, &ticket.id, approve).await.unwrap();
    relayed(&app).await;
    drain(&app).await;

    let mails = server.mails();
    let manager = of(&mails, MARK);
    assert!(
        manager[0]
            .subject()
            .contains("Laptop <b>now</b> Bcc: eve@evil.example {{ 7*7 }}")
    );
    let requester = of(&mails, ANN);
    assert!(requester.len() >= 2, "received, and approved");
    let approved = requester
        .iter()
        .find(|mail| mail.subject().starts_with("Approved:"))
        .unwrap();
    let html = approved.part("text/html");
    assert!(
        html.contains("&lt;script&gt;x&lt;/script&gt;<br>Second line"),
        "{html}"
    );
    assert!(
        html.contains("Laptop &lt;b&gt;now&lt;/b&gt;") && html.contains("{{ 7*7 }}"),
        "{html}"
    );
    assert!(html.contains(&format!("href=\"http://localhost:3000/tickets/{}\"", ticket.id)));
    for mail in &mails {
        assert!(
            !mail
                .headers()
                .iter()
                .any(|line| line.to_lowercase().starts_with("bcc:"))
        );
        assert_eq!(mail.to.len(), 1, "nobody sees who else was told");
    }
}

#[tokio::test]
async fn a_notice_is_in_the_bell_at_once_and_its_marks_survive_the_relay() {
    let app = TestApp::new().await;
    let version = publish(app.database()).await;
    create(&app.app, &version, "Laptop").await;
    // The tail as it stood before the relay looked at it: a relay that is late.
    let tickets = app.database().collection::<Document>("tickets");
    eventually("the relay is done", || async {
        tickets
            .count_documents(doc! {"tail.0": {"$exists": true}})
            .await
            .unwrap()
            == 0
    })
    .await;
    let commands = app.database().collection::<Document>("inapp_notifications");
    let stored = commands.count_documents(doc! {}).await.unwrap();
    let mark = app.person("mark.stone");
    let list = mark.get("/api/v1/notifications").await.expect(200).body;
    assert_eq!(
        (list["total"].as_u64(), list["unread_count"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(list["items"][0]["category"], "APPROVAL");
    assert_eq!(list["items"][0]["action_url"], "/manager/approvals");
    assert!(stored >= 2, "the requester is told too");
}

#[tokio::test]
async fn a_notice_that_is_still_in_a_tail_can_be_read_marked_and_dismissed() {
    let app = TestApp::new().await;
    let version = publish(app.database()).await;
    let tail = tail_of_a_new_ticket(&app, &version).await;
    let tickets = app.database().collection::<Document>("tickets");
    let bells = app.database().collection::<Document>("inapp_notifications");
    bells.delete_many(doc! {}).await.unwrap();
    tickets
        .update_many(doc! {}, doc! {"$set": {"tail": tail}})
        .await
        .unwrap();

    let mark = app.person("mark.stone");
    let count = || async {
        mark.get("/api/v1/notifications/unread-count")
            .await
            .expect(200)
            .body["unread_count"]
            .clone()
    };
    assert_eq!(count().await, 1);
    let list = mark.get("/api/v1/notifications").await.expect(200).body;
    assert_eq!(
        (list["total"].as_u64(), list["items"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    let id = list["items"][0]["notification_id"].as_str().unwrap().to_owned();
    mark.post_nothing(&format!("/api/v1/notifications/{id}/read"))
        .await
        .expect(200);
    assert_eq!(count().await, 0);
    assert_eq!(
        mark.get("/api/v1/notifications").await.expect(200).body["total"],
        1
    );
    mark.delete(&format!("/api/v1/notifications/{id}"))
        .await
        .expect(200);
    assert_eq!(
        mark.get("/api/v1/notifications").await.expect(200).body["total"],
        0
    );
    relayed(&app).await;
    assert_eq!(
        mark.get("/api/v1/notifications").await.expect(200).body["total"],
        0,
        "the late relay brings nothing back"
    );
    assert_eq!(count().await, 0);
}

/// The tail that the creation of a ticket leaves, read back from what the relay made of it.
async fn tail_of_a_new_ticket(
    app: &TestApp,
    version: &workflow_ops::domain::workflow::VersionRef,
) -> Vec<Document> {
    use workflow_ops::repositories::ticket_repo::TicketRepo;
    let repo = TicketRepo::new(app.database());
    // Whether the tail is seen before the relay empties it is a matter of luck, so tickets are raised until it is.
    for n in 0..200 {
        let title = format!("Laptop {n}");
        let created = app
            .app
            .execute
            .create(create_request(version, &title))
            .await
            .unwrap();
        let tail = repo
            .documents()
            .find_one(doc! {"_id": created.ticket.id.as_str()})
            .await
            .unwrap()
            .unwrap();
        let entries: Vec<Document> = tail
            .get_array("tail")
            .unwrap()
            .iter()
            .filter_map(|entry| entry.as_document().cloned())
            .collect();
        if entries.iter().any(|entry| format!("{entry}").contains("notice")) {
            app.app.execute.relay().drain().await.unwrap();
            let others = doc! {"_id": {"$ne": created.ticket.id.as_str()}};
            repo.documents().delete_many(others).await.unwrap();
            return entries;
        }
    }
    panic!("the relay was always faster");
}

/// A ticket raised so many minutes ago by a process whose clock stood then.
async fn raised(app: &TestApp, minutes_ago: i64) -> Arc<Ticket> {
    let clock = Clock::fixed(Clock::System.now().plus_minutes(-minutes_ago));
    let then = Process::on(app.database().clone(), clock);
    let version = publish(app.database()).await;
    let ticket = create(&then, &version, &format!("Raised {minutes_ago} minutes ago"))
        .await
        .ticket;
    then.execute.relay().drain().await.unwrap();
    ticket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminders_and_escalations_are_mailed_once_though_processes_are_killed_and_started_again() {
    let server = SmtpServer::start();
    let app = TestApp::new().await;
    // Due after 60 minutes: one reminder 30 minutes before, one escalation 10 minutes after.
    let reminded = raised(&app, 35).await;
    let escalated = raised(&app, 75).await;
    let mut settings = server.settings();
    settings.push(("NOTIFICATION_LOCK_DURATION_SECONDS", "5".to_owned()));
    settings.push(("SCHEDULER_INTERVAL_SECONDS", "1".to_owned()));
    let start = || ServiceProcess::start(app.database().name(), &settings);
    let mut processes = vec![start(), start()];
    // A kill may send a mail twice, under one Message-ID; what must not happen is a second reminder.
    let about = |word: &str, ticket: &Ticket| -> BTreeSet<(String, Option<String>)> {
        let mails = server.mails();
        let is_wanted =
            |mail: &&TakenMail| mail.subject().starts_with(word) && mail.text.contains(ticket.id.as_str());
        let wanted = mails.iter().filter(is_wanted);
        wanted
            .map(|mail| (mail.to[0].clone(), mail.header("Message-ID")))
            .collect()
    };
    let patience = Duration::from_mins(1);
    eventually_within(patience, "somebody is reminded", || async {
        !about("Due soon", &reminded).is_empty()
    })
    .await;
    for victim in &mut processes {
        victim.kill();
        *victim = start();
    }
    eventually_within(patience, "somebody is told", || async {
        about("Overdue", &escalated).len() >= 2
    })
    .await;
    let pending = app.database().collection::<Document>("notification_outbox");
    eventually_within(patience, "everything is sent", || async {
        pending
            .count_documents(doc! {"status": {"$ne": "SENT"}})
            .await
            .unwrap()
            == 0
    })
    .await;
    // One more start, which finds nothing due.
    processes.push(start());
    let runs = app.database().collection::<Document>("audit_events");
    let sla = doc! {"body.event_type": {"$in": ["SLA_REMINDER", "SLA_ESCALATION"]}};
    eventually("both are recorded", || async {
        runs.count_documents(sla.clone()).await.unwrap() == 2
    })
    .await;
    assert!(processes.into_iter().all(ServiceProcess::stop));
    assert!(
        about("Due soon", &escalated).is_empty(),
        "a reminder after the due time is of no use"
    );
    assert!(about("Overdue", &reminded).is_empty());
    for (word, ticket) in [("Due soon", &reminded), ("Overdue", &escalated)] {
        let told = about(word, ticket);
        let people: BTreeSet<_> = told.iter().map(|(recipient, _)| recipient.as_str()).collect();
        assert_eq!(people.len(), told.len(), "{word}: nobody is told twice: {told:?}");
        assert!(people.contains(MARK), "{told:?}");
    }
}
