use super::{app_sending_to, drain};
use crate::support::{SmtpServer, mail, mail_to, notice};
use bson::doc;
use workflow_ops::domain::notice::TemplateKey;
use workflow_ops::repositories::outbox_row::{OutboxRow, OutboxStatus};

const HOSTILE: &str =
    "<script>alert(1)</script> & \"q\"\r\nBcc: eve@evil.example\r\n\r\n{{ 7*7 }}{% raw %}{{ticket_id}}";

#[tokio::test]
async fn a_mail_has_both_parts_a_working_link_and_the_headers_that_identify_it() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let row = mail_to("ann@contoso.example");
    app.app
        .notifications
        .outbox
        .insert_absent(std::slice::from_ref(&row))
        .await
        .unwrap();
    assert_eq!(drain(&app).await, 1);

    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("ops@contoso.example", &["ann@contoso.example".to_owned()][..])
    );
    assert_eq!(mails[0].subject(), "Approved: Laptop");
    let link = "http://localhost:3000/tickets/TKT-0123456789ab";
    assert!(mails[0].part("text/html").contains(&format!("href=\"{link}\"")));
    assert!(mails[0].part("text/plain").contains(link));
    let header = |name: &str| mails[0].header(name).unwrap_or_default();
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("X-Correlation-Id"), "COR-test");
    assert_eq!(
        header("X-Workflow-Ops-Notification-Id"),
        row.notification_id.as_str()
    );
    assert!(header("Message-ID").starts_with(&format!("<{}.", row.notification_id)));

    let sent = stored(&app, &row).await;
    assert_eq!(
        (sent.status, sent.retry_count, sent.locked_by),
        (OutboxStatus::Sent, 0, None)
    );
    assert_eq!(sent.rendered.unwrap().subject, "Approved: Laptop");
}

#[tokio::test]
async fn markup_line_breaks_and_template_syntax_arrive_as_text() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let rows: Vec<OutboxRow> = TemplateKey::ALL
        .into_iter()
        .enumerate()
        .map(|(n, key)| mail(&notice(key, &format!("r{n}@contoso.example"), HOSTILE)))
        .collect();
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    assert_eq!(drain(&app).await, rows.len());

    for taken in server.mails() {
        let headers = taken.headers();
        assert!(
            !headers.iter().any(|line| line.to_lowercase().starts_with("bcc:")),
            "{headers:?}"
        );
        assert_eq!(taken.to.len(), 1);
        let subject = taken.subject();
        assert!(
            subject.chars().count() <= 200 && !subject.contains(['\r', '\n']),
            "{subject:?}"
        );
        let html = taken.part("text/html");
        assert!(!html.contains("<script"), "{html}");
        assert!(
            html.contains("&lt;script&gt;") && html.contains("{{ 7*7 }}{% raw %}{{ticket_id}}"),
            "{html}"
        );
        assert!(taken.part("text/plain").contains("<script>alert(1)</script>"));
    }
}

#[tokio::test]
async fn a_new_row_is_sent_at_once_without_waiting_for_the_next_tick() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    app.app
        .tasks
        .tracker
        .spawn(app.app.notifications.drain.clone().run());
    app.app
        .notifications
        .outbox
        .insert_absent(&[mail_to("ann@contoso.example")])
        .await
        .unwrap();
    assert_eq!(server.wait_for(1).await.len(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_parked_and_holds_up_nobody() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let rows = app.database().collection::<bson::Document>("notification_outbox");
    let broken = doc! {
        "_id": "broken", "notification_id": "NTF-000000000000", "status": "PENDING", "recipients": [bson::Bson::Null],
        "attempts_total": "many", "due_at": crate::support::START.plus_minutes(-5),
    };
    rows.insert_one(broken).await.unwrap();
    app.app
        .notifications
        .outbox
        .insert_absent(&[mail_to("ann@contoso.example")])
        .await
        .unwrap();
    drain(&app).await;
    assert_eq!(server.mails().len(), 1);
    let parked = rows.find_one(doc! {"_id": "broken"}).await.unwrap().unwrap();
    assert_eq!(parked.get_str("status").unwrap(), "FAILED");
    assert!(
        parked
            .get_str("last_error")
            .unwrap()
            .starts_with("not a valid row")
    );
}

#[tokio::test]
async fn a_mail_whose_wording_cannot_be_read_waits_and_holds_up_nobody() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let broken = doc! {"_id": 1, "template_key": "REJECTED", "workflow_id": null, "is_active": true};
    app.database()
        .collection("email_template_overrides")
        .insert_one(broken)
        .await
        .unwrap();
    let rows = [
        mail(&notice(TemplateKey::Rejected, "bob@contoso.example", "Laptop")),
        mail_to("ann@contoso.example"),
    ];
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    drain(&app).await;
    assert_eq!(server.mails().len(), 1);
    let waiting = stored(&app, &rows[0]).await;
    assert_eq!(
        (waiting.status, waiting.retry_count, waiting.locked_by),
        (OutboxStatus::Pending, 0, None)
    );
    assert!(waiting.due_at > Some(app.clock.now()), "not at once, for ever");
    assert!(waiting.last_error.unwrap().contains("wording"));
}

pub(super) async fn stored(app: &crate::support::TestApp, row: &OutboxRow) -> OutboxRow {
    app.app
        .notifications
        .outbox
        .find(row.notification_id.as_str())
        .await
        .unwrap()
        .unwrap()
        .mail()
        .unwrap()
}
