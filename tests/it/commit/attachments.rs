//! Files: claimed by one command, linked to one ticket, given back by a refusal.

use super::oracle;
use super::process::Process;
use super::stage::{MARK, create, person, run, stage, step};
use bson::doc;
use futures::future::join_all;
use workflow_ops::app::App;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::id::AttachmentId;
use workflow_ops::domain::refusal::Refusal;
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::Clock;
use workflow_ops::engine::Command;

async fn upload(app: &App, by: &str) -> AttachmentId {
    let id = AttachmentId::random();
    let by = bson::serialize_to_bson(&person(by)).unwrap();
    let file = doc! {"_id": id.as_str(), "original_filename": "a.pdf", "uploaded_by": by, "ticket_id": null};
    app.database
        .collection("attachments")
        .insert_one(file)
        .await
        .unwrap();
    id
}

fn note_with(ticket: &Ticket, text: &str, file: &AttachmentId) -> Command {
    Command::AddNote {
        step: step(ticket, "manager"),
        content: text.to_owned(),
        attachment_ids: vec![file.clone()],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_named_on_many_tickets_at_once_becomes_the_file_of_one() {
    let (one, version) = stage().await;
    let two = Process::on(one.database.clone(), Clock::System);
    let file = upload(&one, MARK).await;
    let mut tickets = Vec::new();
    for n in 0..8 {
        tickets.push(create(&one, &version, &format!("ticket {n}")).await.ticket);
    }
    let notes = tickets.iter().enumerate().map(|(n, ticket)| {
        let app = if n % 2 == 0 { &one } else { &two };
        let command = note_with(ticket, "with a file", &file);
        async move { run(app, MARK, &ticket.id, command).await }
    });
    let answers = join_all(notes).await;
    let winners: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(
            matches!(refused, ServiceError::Refused(Refusal::AttachmentRefused(_))),
            "{refused}"
        );
    }
    oracle::check(&one).await;
    let stored = oracle::all(&one, "attachments").await.remove(0);
    assert_eq!(
        stored.get_str("ticket_id").unwrap(),
        winners[0].ticket.id.as_str()
    );
    assert!(!stored.contains_key("claim"));
    // It is the ticket's now: a second note of the same ticket may name it again.
    let again = note_with(&winners[0].ticket, "once more", &file);
    run(&two, MARK, &winners[0].ticket.id, again).await.unwrap();
    oracle::check(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_file_is_refused_and_left_unclaimed() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let file = upload(&app, super::stage::ZOE).await;
    let refused = run(&app, MARK, &ticket.id, note_with(&ticket, "mine?", &file))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ServiceError::Refused(Refusal::AttachmentRefused(_))),
        "{refused}"
    );
    assert!(
        !oracle::all(&app, "attachments")
            .await
            .remove(0)
            .contains_key("claim")
    );
}
