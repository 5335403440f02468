use super::{app_sending_to, drain};
use crate::support::{ServiceProcess, SmtpServer, TestApp, mail_to};
use bson::doc;
use serde_json::json;
use workflow_ops::repositories::outbox_row::OutboxRow;

const LIST: &str = "/api/v1/admin/notifications";

async fn with_a_failed_and_a_waiting_mail() -> (SmtpServer, TestApp, OutboxRow, OutboxRow) {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    app.grant_people_their_rights().await;
    let failed = mail_to("refuse-1@contoso.example");
    app.app
        .notifications
        .outbox
        .insert_absent(std::slice::from_ref(&failed))
        .await
        .unwrap();
    drain(&app).await;
    let waiting = mail_to("ann.waits@contoso.example");
    app.app
        .notifications
        .outbox
        .insert_absent(std::slice::from_ref(&waiting))
        .await
        .unwrap();
    (server, app, failed, waiting)
}

#[tokio::test]
async fn only_administrators_see_mails() {
    let app = TestApp::with_people().await;
    for path in [
        "",
        "/dashboard",
        "/failed",
        "/stats",
        "/ticket/TKT-0123456789ab",
        "/NTF-0123456789ab",
    ] {
        app.person("ken.ito")
            .get(&format!("{LIST}{path}"))
            .await
            .expect(403);
        app.anonymous().get(&format!("{LIST}{path}")).await.expect(401);
    }
    for path in ["/NTF-0123456789ab/retry", "/NTF-0123456789ab/cancel"] {
        app.person("ken.ito")
            .post_nothing(&format!("{LIST}{path}"))
            .await
            .expect(403);
    }
}

#[tokio::test]
async fn lists_filter_literally_and_count() {
    let (_server, app, failed, _) = with_a_failed_and_a_waiting_mail().await;
    let admin = app.person("sven.berg");
    let all = admin.get(LIST).await.expect(200).body;
    assert_eq!(
        (all["total"].clone(), all["total_pages"].clone()),
        (json!(2), json!(1))
    );
    let found = admin
        .get(&format!("{LIST}?status=FAILED&recipient=REFUSE-"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        found["items"][0]["notification_id"],
        failed.notification_id.as_str()
    );
    assert_eq!(found["items"][0]["preview"]["ticket_title"], "Laptop");
    for nothing in [
        "recipient=(",
        "recipient=.*",
        "status=SENT",
        "template_key=REJECTED",
        "to_date=2020-01-01",
    ] {
        let none = admin.get(&format!("{LIST}?{nothing}")).await.expect(200).body;
        assert_eq!(none["total"], 0, "{nothing}");
    }
    for wrong in [
        "status=LOST",
        "sort_by=payload",
        "page=0",
        "page_size=101",
        "from_date=yesterday",
        "template_key=X",
    ] {
        admin.get(&format!("{LIST}?{wrong}")).await.expect(400);
    }
    for order in [
        "created_at",
        "sent_at",
        "status",
        "retry_count",
        "template_key",
        "next_retry_at",
    ] {
        let sorted = admin
            .get(&format!("{LIST}?sort_by={order}&sort_order=asc"))
            .await
            .expect(200)
            .body;
        assert_eq!(sorted["items"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn fixed_routes_win_over_the_id() {
    let (_server, app, failed, waiting) = with_a_failed_and_a_waiting_mail().await;
    let admin = app.person("sven.berg");
    let list = admin
        .get(&format!("{LIST}/failed?page=1&page_size=10"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (list["total"].clone(), list["items"][0]["status"].clone()),
        (json!(1), json!("FAILED"))
    );
    let stats = admin.get(&format!("{LIST}/stats")).await.expect(200).body;
    let counted =
        json!({"pending": 1, "sent": 0, "failed": 1, "total": 2, "generated_at": "2026-01-05T09:30:00.000Z"});
    assert_eq!(stats, counted);
    let dashboard = admin.get(&format!("{LIST}/dashboard")).await.expect(200).body;
    assert_eq!(dashboard["failure_rate"], 50.0);
    assert_eq!(dashboard["retry_distribution"], json!({"0": 1, "1": 1}));
    assert_eq!(dashboard["last_24_hours"]["total"], 2);
    assert!(
        dashboard["common_errors"][0]["error"]
            .as_str()
            .unwrap()
            .contains("550")
    );
    let detail = admin
        .get(&format!("{LIST}/{}", waiting.notification_id))
        .await
        .expect(200)
        .body;
    assert_eq!(detail["email_content"]["subject"], "Approved: Laptop");
    assert_eq!(detail["payload"]["ticket_title"], "Laptop");
    admin.get(&format!("{LIST}/NTF-0123456789ab")).await.expect(404);
    let ticket = failed.ticket_id.unwrap();
    let of_ticket = admin
        .get(&format!("{LIST}/ticket/{ticket}"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (
            of_ticket["total"].clone(),
            of_ticket["notifications"][0]["email_subject"].clone()
        ),
        (json!(1), json!("Approved: Laptop"))
    );
}

#[tokio::test]
async fn a_failed_mail_can_be_sent_again_with_fresh_attempts_and_nothing_else_can() {
    let (_server, app, failed, waiting) = with_a_failed_and_a_waiting_mail().await;
    let admin = app.person("sven.berg");
    let retry = |row: &OutboxRow| format!("{LIST}/{}/retry", row.notification_id);
    admin.post_nothing(&retry(&failed)).await.expect(200);
    let row = super::delivery::stored(&app, &failed).await;
    assert_eq!(
        (row.status.as_str(), row.retry_count, row.attempts_total),
        ("PENDING", 0, 1)
    );
    assert_eq!(
        admin.post_nothing(&retry(&waiting)).await.expect(409).code(),
        "INVALID_STATE"
    );
    admin
        .post_nothing(&format!("{LIST}/NTF-0123456789ab/retry"))
        .await
        .expect(404);
    drain(&app).await;
    let ids =
        json!({"notification_ids": [failed.notification_id.as_str(), waiting.notification_id.as_str()]});
    let bulk = admin
        .post(&format!("{LIST}/bulk-retry"), ids)
        .await
        .expect(200)
        .body;
    assert_eq!(
        (bulk["retried_count"].clone(), bulk["requested_count"].clone()),
        (json!(1), json!(2))
    );
    admin
        .post(&format!("{LIST}/bulk-retry"), json!({"notification_ids": []}))
        .await
        .expect(400);
    let audit = admin
        .get("/api/v1/admin/audit-log?action=RETRY_NOTIFICATION")
        .await
        .expect(200)
        .body;
    assert_eq!(audit["total"], 2);
}

#[tokio::test]
async fn a_waiting_mail_can_be_cancelled_once_and_stays_listed() {
    let (server, app, failed, waiting) = with_a_failed_and_a_waiting_mail().await;
    let admin = app.person("sven.berg");
    let cancel = |row: &OutboxRow| format!("{LIST}/{}/cancel", row.notification_id);
    admin.post_nothing(&cancel(&waiting)).await.expect(200);
    assert_eq!(
        admin.post_nothing(&cancel(&waiting)).await.expect(409).code(),
        "INVALID_STATE"
    );
    admin.post_nothing(&cancel(&failed)).await.expect(409);
    admin
        .post_nothing(&format!("{LIST}/NTF-0123456789ab/cancel"))
        .await
        .expect(404);
    drain(&app).await;
    assert!(server.mails().is_empty());
    let list = admin
        .get(&format!("{LIST}?status=CANCELLED"))
        .await
        .expect(200)
        .body;
    assert_eq!(list["items"][0]["status"], "CANCELLED");
}

#[tokio::test]
async fn health_tells_an_administrator_what_it_hides_from_strangers() {
    let app = TestApp::with_people().await;
    let stranger = app.anonymous().get("/api/v1/admin/health").await.expect(200);
    assert!(
        !stranger.text.contains(app.database().name()) && stranger.body["scheduler"].get("jobs").is_none()
    );
    let known = app
        .person("sven.berg")
        .get("/api/v1/admin/health")
        .await
        .expect(200)
        .body;
    assert_eq!(known["mongo"]["database"], app.database().name());
    assert_eq!(
        (
            known["email"]["transport"].clone(),
            known["email"]["status"].clone()
        ),
        (json!("log"), json!("healthy"))
    );
    let wrong = app
        .with_token("nonsense")
        .get("/api/v1/admin/health")
        .await
        .expect(200);
    assert!(!wrong.text.contains(app.database().name()));
}

#[tokio::test]
async fn configuration_is_kept_checked_and_used() {
    let app = TestApp::with_people().await;
    let (admin, root) = (app.person("sven.berg"), app.person("admin.root"));
    let path = "/api/v1/admin/config";
    let shown = admin.get(path).await.expect(200).body;
    assert_eq!(
        shown["default_sla_minutes"],
        json!({"FORM_STEP": 1440, "APPROVAL_STEP": 2880, "TASK_STEP": 4320})
    );
    admin
        .put(path, json!({"notification_retry_max": 3}))
        .await
        .expect(403);
    let faults = root
        .put(
            path,
            json!({"notification_retry_max": -4, "max_attachment_size_mb": 0}),
        )
        .await
        .expect(400);
    assert_eq!(
        faults.body["error"]["details"]["errors"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let change = json!({"default_sla_minutes": {"TASK_STEP": 60}, "notification_retry_max": 3, "max_attachment_size_mb": null});
    root.put(path, change).await.expect(200);
    let shown = admin.get(path).await.expect(200).body;
    assert_eq!(
        (
            shown["notification_retry_max"].clone(),
            shown["max_attachment_size_mb"].clone()
        ),
        (json!(3), json!(50))
    );
    assert_eq!(shown["default_sla_minutes"]["TASK_STEP"], 60);
    let second = app.second_process(&[]).await;
    assert_eq!(
        second
            .app
            .system_config
            .current()
            .await
            .unwrap()
            .notification_retry_max,
        3
    );
    let audit = root
        .get("/api/v1/admin/audit-log?action=UPDATE_SYSTEM_CONFIG")
        .await
        .expect(200)
        .body;
    assert_eq!(
        audit["items"][0]["details"],
        json!({"default_sla_minutes": {"TASK_STEP": 60}, "notification_retry_max": 3})
    );
}

#[tokio::test]
async fn an_operator_sends_failed_mails_again_from_the_command_line() {
    let (_server, app, failed, waiting) = with_a_failed_and_a_waiting_mail().await;
    let requeue = |arguments: &[&str]| {
        let all: Vec<_> = ["outbox", "requeue"].iter().chain(arguments).copied().collect();
        ServiceProcess::run(app.database().name(), &all)
    };
    assert_eq!(
        requeue(&[waiting.notification_id.as_str()]),
        "0 mails will be sent again\n"
    );
    assert_eq!(requeue(&[]), "1 mails will be sent again\n");
    let row = super::delivery::stored(&app, &failed).await;
    assert_eq!((row.status.as_str(), row.retry_count), ("PENDING", 0));
    assert_eq!(requeue(&[]), "0 mails will be sent again\n");
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let (_server, app, failed, waiting) = with_a_failed_and_a_waiting_mail().await;
    let (admin, root) = (app.person("sven.berg"), app.person("admin.root"));
    let templates = "/api/v1/admin/email-templates";
    let wording = json!({"template_key": "APPROVED", "custom_subject": "Yes"});
    let saved = admin.put(templates, wording.clone()).await.expect(200).body;
    let saved = saved["template"]["template_id"].as_str().unwrap();
    // From here on the database takes no row of the audit log.
    let refuse_all = doc! {"collMod": "admin_audit", "validator": {"_id": "none"}};
    app.database().run_command(refuse_all).await.unwrap();
    let (failed_id, waiting_id) = (failed.notification_id.as_str(), waiting.notification_id.as_str());
    admin
        .post_nothing(&format!("{LIST}/{failed_id}/retry"))
        .await
        .expect(503);
    let ids = json!({"notification_ids": [failed_id]});
    admin.post(&format!("{LIST}/bulk-retry"), ids).await.expect(503);
    admin
        .post_nothing(&format!("{LIST}/{waiting_id}/cancel"))
        .await
        .expect(503);
    admin.delete(&format!("{templates}/{saved}")).await.expect(503);
    let other = json!({"template_key": "REJECTED", "custom_subject": "No"});
    admin.put(templates, other).await.expect(503);
    root.put("/api/v1/admin/config", json!({"notification_retry_max": 3}))
        .await
        .expect(503);

    assert_eq!(
        super::delivery::stored(&app, &failed).await.status.as_str(),
        "FAILED"
    );
    assert_eq!(
        super::delivery::stored(&app, &waiting).await.status.as_str(),
        "PENDING"
    );
    let listed = admin.get(templates).await.expect(200).body;
    assert_eq!(listed["overrides"].as_array().unwrap().len(), 1);
    let config = admin.get("/api/v1/admin/config").await.expect(200).body;
    assert_eq!(config["notification_retry_max"], 5);
}

#[tokio::test]
async fn only_what_changed_of_the_configuration_is_recorded() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    let path = "/api/v1/admin/config";
    let all = |task: i64| {
        json!({"default_sla_minutes": {"FORM_STEP": 1440, "APPROVAL_STEP": 2880, "TASK_STEP": task},
            "max_attachment_size_mb": 20, "notification_retry_max": 4})
    };
    for task in [4_320, 60, 60] {
        root.put(path, all(task)).await.expect(200);
        app.clock.advance(1_000);
    }
    let audit = root
        .get("/api/v1/admin/audit-log?action=UPDATE_SYSTEM_CONFIG")
        .await
        .expect(200)
        .body;
    assert_eq!(audit["total"], 2, "the third changed nothing");
    assert_eq!(
        audit["items"][0]["details"],
        json!({"default_sla_minutes": {"TASK_STEP": 60}})
    );
    assert_eq!(audit["items"][1]["details"], all(4_320));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_listed_as_far_as_it_can_be_and_spoils_no_figure() {
    let (_server, app, failed, _) = with_a_failed_and_a_waiting_mail().await;
    let rows = app.database().collection::<bson::Document>("notification_outbox");
    let ticket = failed.ticket_id.as_ref().unwrap().as_str();
    let broken = doc! {
        "_id": "broken", "notification_id": "NTF-000000000000", "status": "FAILED",
        "recipients": [bson::Bson::Null, "omar@contoso.example"],
        "retry_count": "many", "template_key": 7, "ticket_id": ticket, "created_at": crate::support::START,
    };
    rows.insert_one(broken).await.unwrap();
    rows.insert_one(doc! {"_id": "nothing", "created_at": crate::support::START})
        .await
        .unwrap();
    let admin = app.person("sven.berg");
    for path in [
        "",
        "/failed",
        "/stats",
        "/dashboard",
        &format!("/ticket/{ticket}"),
    ] {
        let reply = admin.get(&format!("{LIST}{path}")).await.expect(200);
        let is_figures = matches!(path, "/stats" | "/dashboard");
        assert_eq!(reply.text.contains("NTF-000000000000"), !is_figures, "{path}");
    }
    let all = admin.get(LIST).await.expect(200).body;
    let listed = all["items"].as_array().unwrap().len();
    assert_eq!((&all["total"], listed), (&json!(4), 4));
    assert_eq!(admin.get(&format!("{LIST}/stats")).await.body["total"], 4);
    let path = format!("{LIST}/NTF-000000000000");
    let shown = admin.get(&path).await.expect(200).body;
    assert_eq!(
        (&shown["status"], &shown["template_key"], &shown["recipients"]),
        (
            &json!("FAILED"),
            &json!("UNKNOWN"),
            &json!(["omar@contoso.example"])
        )
    );
    assert_eq!(
        (&shown["ticket_id"], &shown["email_content"]),
        (&json!(ticket), &json!(null))
    );
    let why = shown["last_error"].as_str().unwrap();
    assert!(why.starts_with("not a valid row"), "{why}");
    let nameless = admin.get(&format!("{LIST}/nothing")).await.expect(200).body;
    assert_eq!(nameless["notification_id"], "nothing");
    admin.get("/api/v1/admin/agent-metrics").await.expect(200);
    assert_eq!(
        admin.get("/api/v1/admin/health").await.expect(200).body["email"]["waiting"],
        1
    );
}
