use super::{app_sending_to, drain};
use crate::support::{SmtpServer, TestApp, mail, notice};
use serde_json::json;
use workflow_ops::domain::notice::TemplateKey;

const PATH: &str = "/api/v1/admin/email-templates";

#[tokio::test]
async fn a_wording_is_sanitised_sent_and_reverted() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    app.grant_people_their_rights().await;
    let admin = app.person("sven.berg");
    let wording = json!({
        "template_key": "APPROVED", "custom_subject": "Yes: {{ticket_title}}",
        "custom_body": "<p onclick=\"x()\">{{comment}}{{nobody}}</p><script>x</script><a href=\"{{app_url}}/tickets/{{ticket_id}}\">go</a>",
    });
    let saved = admin.put(PATH, wording.clone()).await.expect(200).body["template"].clone();
    assert_eq!(
        saved["custom_body"],
        "<p>{{comment}}{{nobody}}</p><a href=\"{{app_url}}/tickets/{{ticket_id}}\">go</a>"
    );
    let send = || async {
        let row = mail(&notice(
            TemplateKey::Approved,
            "ann@contoso.example",
            "<b>Tom</b>",
        ));
        app.app.notifications.outbox.insert_absent(&[row]).await.unwrap();
        drain(&app).await;
        server.mails().pop().unwrap()
    };
    let worded = send().await;
    assert_eq!(worded.subject(), "Yes: <b>Tom</b>");
    let html = worded.part("text/html");
    assert!(
        html.contains(
            "<p>&lt;b&gt;Tom&lt;/b&gt;</p><a href=\"http://localhost:3000/tickets/TKT-0123456789ab\">go</a>"
        ),
        "{html}"
    );

    let sent = admin.get("/api/v1/admin/notifications").await.expect(200).body;
    let sent = sent["items"][0]["notification_id"].as_str().unwrap().to_owned();
    let id = saved["template_id"].as_str().unwrap();
    admin.delete(&format!("{PATH}/{id}")).await.expect(200);
    admin.delete(&format!("{PATH}/{id}")).await.expect(404);
    assert_eq!(send().await.subject(), "Approved: <b>Tom</b>");
    // What was sent is shown as it was sent.
    let shown = admin
        .get(&format!("/api/v1/admin/notifications/{sent}"))
        .await
        .expect(200)
        .body;
    assert_eq!(shown["email_content"]["subject"], "Yes: <b>Tom</b>");
    let again = admin.put(PATH, wording).await.expect(200).body["template"].clone();
    assert_eq!(
        (again["template_id"].as_str(), again["is_active"].clone()),
        (Some(id), json!(true))
    );
    let audit = admin
        .get("/api/v1/admin/audit-log?action=UPDATE_EMAIL_TEMPLATE")
        .await
        .expect(200)
        .body;
    assert_eq!(audit["total"], 3);
}

#[tokio::test]
async fn a_workflows_own_wording_wins_over_the_one_for_all() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    app.grant_people_their_rights().await;
    let admin = app.person("sven.berg");
    for (workflow, subject) in [
        (json!(null), "all"),
        (json!("WF-0123456789ab"), "mine"),
        (json!("WF-ffffffffffff"), "other"),
    ] {
        let wording = json!({"template_key": "APPROVED", "workflow_id": workflow, "custom_subject": subject});
        admin.put(PATH, wording).await.expect(200);
    }
    let row = mail(&notice(TemplateKey::Approved, "ann@contoso.example", "Laptop"));
    app.app.notifications.outbox.insert_absent(&[row]).await.unwrap();
    drain(&app).await;
    assert_eq!(server.mails()[0].subject(), "mine");
    let listed = admin.get(PATH).await.expect(200).body;
    assert_eq!(
        (
            listed["templates"].as_array().unwrap().len(),
            listed["overrides"].as_array().unwrap().len()
        ),
        (26, 3)
    );
}

#[tokio::test]
async fn a_preview_without_values_keeps_its_placeholders() {
    let app = TestApp::with_people().await;
    let admin = app.person("sven.berg");
    let preview = |payload| {
        admin.post(
            "/api/v1/admin/email-templates/preview",
            json!({"template_key": "APPROVED", "payload": payload}),
        )
    };
    let empty = preview(json!({})).await.expect(200).body;
    assert!(empty["body"].as_str().unwrap().contains("{{ticket_title}}"));
    let filled = preview(json!({"ticket_title": "<i>x</i>"}))
        .await
        .expect(200)
        .body;
    assert!(filled["body"].as_str().unwrap().contains("&lt;i&gt;x&lt;/i&gt;"));
    let unknown = json!({"template_key": "NOPE"});
    admin
        .post("/api/v1/admin/email-templates/preview", unknown.clone())
        .await
        .expect(400);
    admin.put(PATH, unknown).await.expect(400);
    admin
        .put(PATH, json!({"template_key": "APPROVED", "custom_subject": " "}))
        .await
        .expect(400);
}
