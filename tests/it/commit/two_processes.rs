//! Two processes on one database: the compare-and-set is the only guard between them.

use super::oracle;
use super::process::Process;
use super::stage::{MARK, ZOE, actor, approve, create, note, run, stage};
use futures::future::join_all;
use std::collections::BTreeSet;
use workflow_ops::domain::time::Clock;
use workflow_ops::repositories::note_repo::NoteRepo;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_different_notes_at_once_through_two_processes_each_appear_once() {
    let (one, version) = stage().await;
    let two = Process::on(one.database.clone(), Clock::System);
    let ticket = create(&one, &version, "one").await.ticket;
    let notes = (0..50).map(|n| {
        let app = if n % 2 == 0 { &one } else { &two };
        let ticket = ticket.clone();
        async move { run(app, MARK, &ticket.id, note(&ticket, &format!("note {n}"))).await }
    });
    for answer in join_all(notes).await {
        answer.unwrap();
    }
    let notes = NoteRepo::new(&one.database);
    let texts = |rows: Vec<workflow_ops::repositories::note_repo::NoteRow>| {
        rows.into_iter().map(|row| row.body.content).collect::<Vec<_>>()
    };
    let before = texts(notes.newest_of_ticket(&ticket.id, 100).await.unwrap());
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 50);
    assert_eq!(before.len(), 50);
    oracle::check(&one).await;
    assert_eq!(
        texts(notes.newest_of_ticket(&ticket.id, 100).await.unwrap()),
        before
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_go_together_and_lose_to_another_process_in_part_all_take_effect_once() {
    let (one, version) = stage().await;
    let two = Process::on(one.database.clone(), Clock::System);
    let mut tickets = Vec::new();
    for n in 0..12 {
        tickets.push(create(&one, &version, &format!("ticket {n}")).await);
    }
    // Many tickets are committed to side by side, so their commits share commands; each is wanted by both processes.
    let notes = (0..96).map(|n| {
        let app = if n % 2 == 0 { &one } else { &two };
        let ticket = &tickets[n / 2 % tickets.len()].ticket;
        async move { run(app, MARK, &ticket.id, note(ticket, &format!("note {n}"))).await }
    });
    for answer in join_all(notes).await {
        answer.unwrap();
    }
    let notes = NoteRepo::new(&one.database);
    for (n, created) in tickets.iter().enumerate() {
        let rows = notes.newest_of_ticket(&created.ticket.id, 100).await.unwrap();
        let texts: BTreeSet<String> = rows.iter().map(|row| row.body.content.clone()).collect();
        let wanted = (0..96).filter(|note| note / 2 % tickets.len() == n);
        assert_eq!(texts, wanted.map(|note| format!("note {note}")).collect());
        assert_eq!(rows.len(), texts.len());
    }
    oracle::check(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_repeat_of_a_note_through_another_process_is_the_same_note() {
    let (one, version) = stage().await;
    let two = Process::on(one.database.clone(), Clock::System);
    let ticket = create(&one, &version, "one").await.ticket;
    run(&one, MARK, &ticket.id, note(&ticket, "hello")).await.unwrap();
    run(&two, MARK, &ticket.id, note(&ticket, "hello")).await.unwrap();
    run(&one, MARK, &ticket.id, note(&ticket, "hello")).await.unwrap();
    let notes = NoteRepo::new(&one.database);
    assert_eq!(notes.newest_of_ticket(&ticket.id, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_decided_on_what_another_process_has_committed() {
    let (one, version) = stage().await;
    let two = Process::on(one.database.clone(), Clock::System);
    let ticket = create(&one, &version, "one").await.ticket;
    // Both are busy with the ticket, so both know it; then one sees what the other acknowledged.
    for n in 0..20 {
        let app = if n % 2 == 0 { &one } else { &two };
        run(app, MARK, &ticket.id, note(&ticket, &format!("note {n}")))
            .await
            .unwrap();
    }
    let approved = run(&one, MARK, &ticket.id, approve(&ticket)).await.unwrap();
    let again = run(&two, MARK, &ticket.id, approve(&ticket)).await.unwrap();
    assert_eq!(again.version, approved.version);
    oracle::check(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_and_an_inbox_shown_before_are_shown_again_as_another_process_left_them() {
    let (one, version) = stage().await;
    let two = Process::on(one.database.clone(), Clock::System);
    let ticket = create(&one, &version, "page").await.ticket;
    let (mark, id) = (actor(MARK), ticket.id.as_str());
    for _ in 0..2 {
        let page = one.tickets.detail(&mark, id).await.unwrap();
        assert_eq!(page.opened.ticket.version, 1);
        assert_eq!(one.tickets.approvals(&mark, 1, 20).await.unwrap().total, 1);
    }
    run(&two, MARK, &ticket.id, approve(&ticket)).await.unwrap();
    let page = one.tickets.detail(&mark, id).await.unwrap();
    assert_eq!(page.opened.ticket.version, 2);
    assert!(page.events.iter().any(|row| row.seq == 2), "{:?}", page.events);
    assert_eq!(one.tickets.approvals(&mark, 1, 20).await.unwrap().total, 0);
    assert!(one.tickets.detail(&actor(ZOE), id).await.is_err());
}
