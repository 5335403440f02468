//! Reads of tickets that are gathered: each question gets its own answer, as new as what was committed before it.

use super::stage::{MARK, create, note, run, stage};
use futures::future::{join, join_all};
use tokio_util::task::TaskTracker;
use workflow_ops::domain::id::TicketId;
use workflow_ops::repositories::audit_repo::{AuditRepo, NewestEvents};
use workflow_ops::repositories::ticket_repo::TicketRepo;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_asked_for_side_by_side_are_each_answered_with_their_own() {
    let (app, version) = stage().await;
    let mut ids = vec![TicketId::derived("unknown")];
    for title in ["one", "two", "three", "four"] {
        ids.push(create(&app, &version, title).await.ticket.id.clone());
    }
    let repo = TicketRepo::gathering(&app.database, &TaskTracker::new());
    let asked = (0..200).map(|n| {
        let (repo, id) = (&repo, &ids[n % ids.len()]);
        async move {
            let (loaded, version) = join(repo.load(id), repo.version_of(id)).await;
            let found = loaded.unwrap().map(|loaded| loaded.ticket.id);
            (n, found, version.unwrap())
        }
    });
    for (n, found, version) in join_all(asked).await {
        let id = (n % ids.len() > 0).then(|| ids[n % ids.len()].clone());
        assert_eq!(found, id);
        assert_eq!(version, id.map(|_| 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gathered_read_is_as_new_as_what_was_committed_before_the_question() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let repo = TicketRepo::gathering(&app.database, &TaskTracker::new());
    let one = async |reader: usize| {
        for n in 0..20 {
            let text = format!("note {reader} {n}");
            let committed = run(&app, MARK, &ticket.id, note(&ticket, &text)).await.unwrap();
            let (loaded, version) = join(repo.load(&ticket.id), repo.version_of(&ticket.id)).await;
            assert!(loaded.unwrap().unwrap().version >= committed.version);
            assert!(version.unwrap().unwrap() >= committed.version);
        }
    };
    join_all((0..16).map(one)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_nobody_waits_for_any_more_holds_up_no_other() {
    let (app, version) = stage().await;
    let id = create(&app, &version, "one").await.ticket.id.clone();
    let repo = TicketRepo::gathering(&app.database, &TaskTracker::new());
    for n in 0..50 {
        let given_up = join_all((0..8).map(|_| repo.load(&id)));
        let _ = tokio::time::timeout(std::time::Duration::from_micros(n * 20), given_up).await;
        assert_eq!(repo.version_of(&id).await.unwrap(), Some(1));
        assert!(repo.load(&id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newest_events_asked_for_side_by_side_are_each_tickets_own() {
    let (app, version) = stage().await;
    let mut tickets = Vec::new();
    for notes in 0..8 {
        let mut ticket = create(&app, &version, &format!("with {notes} notes"))
            .await
            .ticket;
        for n in 0..notes {
            let request = note(&ticket, &format!("note {n}"));
            ticket = run(&app, MARK, &ticket.id, request).await.unwrap().ticket;
        }
        tickets.push(ticket);
    }
    app.execute.relay().drain().await.unwrap();
    let (one_by_one, gathered) = (
        AuditRepo::new(&app.database),
        NewestEvents::new(&app.database, &TaskTracker::new()),
    );
    let asked = (0..200).map(|n| {
        let (gathered, ticket) = (&gathered, &tickets[n % tickets.len()]);
        // As after commands that caused no event: the last versions have none, and older ones must be found.
        let silent = if n % 3 == 0 { 100 } else { 0 };
        async move {
            let found = gathered.at_version(Vec::new(), &ticket.id, ticket.version + silent, 5);
            (ticket, found.await.unwrap())
        }
    });
    for (ticket, found) in join_all(asked).await {
        let all = bson::Document::new();
        let alone = one_by_one.newest_beside(Vec::new(), &ticket.id, all, 5).await;
        assert_eq!(found, alone.unwrap());
        assert!(!found.is_empty());
    }
}
