//! Every message for one seeded ticket, kept as a reviewed snapshot, and what hostile values do to it.

use super::*;
use serde_json::json;

fn templates() -> Templates {
    Templates::new("https://ops.example", "Contoso").unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_767_605_400_000)
}

fn payload() -> Payload {
    serde_json::from_str(include_str!("seeded_ticket.json")).unwrap()
}

#[test]
fn every_message_reads_well() {
    let templates = templates();
    for key in TemplateKey::ALL {
        let mail = templates.render(key, &payload(), None, now()).unwrap();
        let shown = format!(
            "Subject: {}\n\n{}\n--- HTML ---\n{}\n",
            mail.subject, mail.text, mail.html
        );
        insta::assert_snapshot!(key.as_str().to_lowercase(), shown);
    }
}

#[test]
fn every_message_renders_when_the_notice_brings_only_the_ticket() {
    let templates = templates();
    let mut bare = Payload::new();
    bare.insert("ticket_id".to_owned(), json!("TKT-0123456789ab"));
    bare.insert("ticket_title".to_owned(), json!("Laptop"));
    for key in TemplateKey::ALL {
        for payload in [&bare, &Payload::new()] {
            let mail = templates.render(key, payload, None, now()).unwrap();
            assert!(
                !mail.html.contains("None") && !mail.html.contains("null"),
                "{}: {}",
                key.as_str(),
                mail.html
            );
        }
    }
}

#[test]
fn an_empty_preview_keeps_the_placeholders_so_that_no_example_is_ever_mailed() {
    let templates = templates();
    for key in TemplateKey::ALL {
        let skeleton = templates.skeleton(key).unwrap();
        assert!(skeleton.html.contains("{{ticket_title}}"), "{}", key.as_str());
        assert!(skeleton.html.contains("href=\"{{app_url}}/"), "{}", key.as_str());
        // What the editor shows can be saved and sent again without losing anything but optional lines.
        let wording = Override {
            subject: Some(skeleton.subject.clone()),
            body: Some(sanitized_body(&skeleton.html)),
        };
        let mail = templates.render(key, &payload(), Some(&wording), now()).unwrap();
        assert!(
            !mail.html.contains("{{") && !mail.subject.contains("{{"),
            "{}: {}",
            key.as_str(),
            mail.html
        );
        assert!(
            mail.html.contains("href=\"https://ops.example/"),
            "{}",
            key.as_str()
        );
    }
}

#[test]
fn hostile_values_stay_data_in_every_message() {
    let templates = templates();
    let hostile = "<img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}\r\nBcc: eve@evil.example";
    let mut payload = payload();
    for (_, value) in &mut payload {
        if value.is_string() {
            *value = json!(hostile);
        }
    }
    for key in TemplateKey::ALL {
        let mail = templates.render(key, &payload, None, now()).unwrap();
        assert!(!mail.html.contains("<img"), "{}", key.as_str());
        assert!(
            mail.html
                .contains("&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}{% raw %}"),
            "{}",
            key.as_str()
        );
        assert!(!mail.subject.contains(['\r', '\n']), "{}", key.as_str());
        assert!(mail.subject.chars().count() <= MAX_SUBJECT_CHARS);
    }
}

#[test]
fn a_wording_replaces_only_the_half_it_brings() {
    let templates = templates();
    let wording = Override {
        subject: Some("{{ticket_title}} was approved by {{nobody}}{{approver_name}}".to_owned()),
        body: None,
    };
    let built_in = templates
        .render(TemplateKey::Approved, &payload(), None, now())
        .unwrap();
    let mail = templates
        .render(TemplateKey::Approved, &payload(), Some(&wording), now())
        .unwrap();
    assert_eq!(mail.subject, "Laptop for Lee was approved by Bob Stone");
    assert_eq!(mail.html, built_in.html);
}

#[test]
fn a_message_without_a_ticket_leads_to_the_dashboard() {
    let mail = templates()
        .render(TemplateKey::SlaReminder, &Payload::new(), None, now())
        .unwrap();
    assert!(mail.html.contains("https://ops.example/dashboard"));
}
