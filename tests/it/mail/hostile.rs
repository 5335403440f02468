//! What people type over HTTP, read in the mail that is delivered: a title, a name, and the values of a form.

use super::drain;
use crate::support::{SmtpServer, TestApp};
use crate::tickets::stage::{ANN, MARK, Stage};
use serde_json::json;

/// Markup, template syntax and a line that would be a header; short enough not to be cut in a list of changes.
const VALUE: &str = "<i>1</i>{{2*3}}\r\nBcc: e@x.io";
const ESCAPED: &str = "&lt;i&gt;1&lt;/i&gt;{{2*3}}";
const NAME: &str = "Ann <b>Lee</b>\r\nBcc: e@x.io";

/// A service whose Ann has a name as nobody should have, and which sends its mail to `server`.
async fn app(server: &SmtpServer, folder: &std::path::Path) -> TestApp {
    let people = include_str!("../../../config/people.json");
    let named = people.replace(
        r#""display_name": "Ann Lee""#,
        &format!(r#""display_name": {}"#, json!(NAME)),
    );
    assert_ne!(named, people);
    let file = folder.join("people.json");
    std::fs::write(&file, named).unwrap();
    let mut settings = server.settings();
    settings.push(("DEV_PEOPLE_FILE", file.to_str().unwrap().to_owned()));
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let app = TestApp::with(&settings).await;
    app.grant_people_their_rights().await;
    app
}

#[tokio::test]
async fn a_title_a_name_and_form_values_arrive_as_text() {
    let (server, folder) = (SmtpServer::start(), tempfile::tempdir().unwrap());
    let mut definition = Stage::usual();
    definition["steps"][0]["fields"][0]["field_type"] = json!("TEXTAREA");
    let stage = Stage::on(app(&server, folder.path()).await, definition).await;
    let mut wish = stage.wizard("Laptop <u>now</u> {% raw %}");
    wish["initial_form_values"]["what"] = json!(VALUE);
    let ticket = stage.raise_as(ANN, wish).await;
    ticket.approve().await;
    let other = format!("2{VALUE}");
    let change = json!({"ticket_id": ticket.id, "proposed_form_values": {"what": other}, "reason": VALUE});
    let asked = stage.person(ANN).post("/api/v1/change-requests", change).await;
    asked.expect(200);
    stage.app.app.execute.relay().drain().await.unwrap();
    drain(&stage.app).await;

    let mails = server.mails();
    let to_manager = |word: &str| {
        let wanted = mails
            .iter()
            .find(|mail| mail.to[0].starts_with(MARK) && mail.subject().contains(word));
        wanted.unwrap_or_else(|| panic!("no mail about {word}")).clone()
    };
    let change = to_manager("Change to decide");
    let (html, text) = (change.part("text/html"), change.part("text/plain"));
    assert!(
        html.contains(&format!("What: {ESCAPED}")) && html.contains(&format!("2{ESCAPED}")),
        "{html}"
    );
    assert!(text.contains("What: <i>1</i>{{2*3}}"), "{text}");
    for mail in &mails {
        let (subject, html) = (mail.subject(), mail.part("text/html"));
        assert!(subject.contains("Laptop <u>now</u> {% raw %}"), "{subject}");
        assert!(html.contains("Laptop &lt;u&gt;now&lt;/u&gt; {% raw %}"), "{html}");
        for markup in ["<i>", "<b>", "<u>"] {
            assert!(!html.contains(markup), "{markup} in {html}");
        }
        let injected = |line: &String| line.to_lowercase().starts_with("bcc:");
        assert!(!mail.headers().iter().any(injected), "{:?}", mail.headers());
        assert_eq!(mail.to.len(), 1);
    }
    let pending = to_manager("Laptop");
    assert!(pending.part("text/html").contains("Ann &lt;b&gt;Lee&lt;/b&gt;"));
}
