//! Everything of a generated database that is no ticket, sound and unsound.

use super::generator::Sink;
use super::ticket_builder::{iso, people};
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use workflow_ops::domain::time::Timestamp;

/// A file that was linked nowhere and that several tickets name.
pub(crate) const SHARED_FILE: &str = "ATT-0000000000f1";

/// Everything that is no ticket, sound and unsound.
#[expect(clippy::too_many_lines, reason = "one document after the other")]
pub(crate) fn beside(sink: &mut Sink, now: Timestamp) {
    let people = people();
    let ann = people[0].snapshot();
    let at = |minutes: i64| Bson::from(iso(now.plus_minutes(-minutes)));
    let definition = || doc! {"steps": [{"step_id": "x", "step_name": "X", "step_type": "TELEPORT"}], "transitions": [], "start_step_id": "x"};
    let version = |id: &str, workflow: &str, number: i32, minutes: i64| {
        doc! {"_id": id, "workflow_version_id": id, "workflow_id": workflow, "version_number": number, "name": "Odd", "description": Bson::Null,
        "category": "IT", "tags": [], "definition": definition(), "published_by": ann.clone(), "published_at": at(minutes)}
    };
    // Deleted for good, two versions under one number, unreadable steps, no current version.
    sink.add(
        "workflow_versions",
        version("WFV-0000000000a1", "WF-0000000000aa", 1, 900),
    );
    sink.add(
        "workflow_versions",
        version("WFV-0000000000b1", "WF-0000000000bb", 1, 900),
    );
    sink.add(
        "workflow_versions",
        version("WFV-0000000000b2", "WF-0000000000bb", 1, 800),
    );
    sink.add("workflows", doc! {"_id": "WF-0000000000bb", "workflow_id": "WF-0000000000bb", "name": "Odd", "status": "PUBLISHED",
        "definition": "not an object", "created_by": ann.clone(), "created_at": at(1000), "updated_at": Bson::DateTime(now.to_bson()),
        "published_version": Bson::Null, "current_version": Bson::Null, "version": 3, "tags": ["a"], "category": "IT"});
    for (id, minutes) in [("LKP-000000000001", 500), ("LKP-000000000002", 400)] {
        sink.add("workflow_lookups", doc! {"_id": id, "lookup_id": id, "workflow_id": "WF-000000000001", "name": "Sites",
            "source_step_id": "form", "source_field_key": "item", "is_active": true, "version": 1, "created_by": ann.clone(), "created_at": at(minutes),
            "entries": [{"entry_id": "LKPE-000000000001", "key": "A", "display_label": "A", "is_active": true, "users": [
                {"aad_id": Bson::Null, "email": "ivan.novak@example.com", "display_name": "Ivan", "is_primary": false, "order": 0}]}]});
    }
    let access = |id: &str, email: &str, agent: bool, active: bool, minutes: i64| {
        doc! {"_id": id, "user_access_id": id, "aad_id": Bson::Null, "email": email, "display_name": "P", "has_designer_access": false,
        "has_manager_access": false, "has_agent_access": agent, "agent_source": "TASK_ASSIGNMENT", "agent_granted_by": "a@example.com",
        "onboard_source": "TASK_ASSIGNMENT", "granted_by": "a@example.com", "granted_at": at(minutes), "updated_at": Bson::Null, "is_active": active}
    };
    sink.add(
        "user_access",
        access("ua-000000000001", "Tom.Becker@example.com", true, true, 900),
    );
    sink.add(
        "user_access",
        access("ua-000000000002", "tom.becker@example.com", true, true, 100),
    );
    sink.add(
        "user_access",
        access("ua-000000000003", "gone@example.com", true, false, 100),
    );
    sink.add(
        "user_access",
        access("ua-000000000004", "empty@example.com", false, true, 100),
    );
    sink.add(
        "user_access",
        access("ua-000000000005", "ivan.novak@example.com", true, true, 100),
    );
    sink.add("admin_users", doc! {"_id": "ADM-000000000001", "admin_user_id": "ADM-000000000001", "aad_id": Bson::Null, "email": "admin.root@example.com",
        "display_name": "Ada Root", "role": "SUPER_ADMIN", "granted_by": "SYSTEM_SETUP", "granted_at": at(9000), "is_active": true});
    sink.add("admin_users", doc! {"_id": "ADM-000000000002", "admin_user_id": "ADM-000000000002", "email": "old@example.com",
        "display_name": "Old", "role": "ADMIN", "granted_at": at(9000), "is_active": false, "deactivated_at": at(50), "deactivated_by": "admin.root@example.com"});
    for number in 0..20 {
        let id = format!("AAE-{number:012x}");
        sink.add("admin_audit", doc! {"_id": &id, "audit_id": &id, "action": "UPDATE_USER_ACCESS", "actor_email": "admin.root@example.com",
            "actor_display_name": "Ada Root", "target_email": "tom.becker@example.com", "details": {"agent": true}, "timestamp": at(number), "ip_address": Bson::Null});
    }
    let wording = |id: &str, key: &str, subject: &str, body: &str, minutes: i64| {
        doc! {"_id": id, "template_id": id, "template_key": key, "workflow_id": Bson::Null, "custom_subject": subject, "custom_body": body,
        "is_active": true, "created_at": at(minutes), "created_by": "admin.root@example.com"}
    };
    sink.add(
        "email_template_overrides",
        wording("ETM-000000000001", "TICKET_CREATED", "Old", "<p>Old</p>", 900),
    );
    sink.add(
        "email_template_overrides",
        wording(
            "ETM-000000000002",
            "TICKET_CREATED",
            "New",
            "<p>New</p><script>x()</script>",
            100,
        ),
    );
    sink.add(
        "email_template_overrides",
        wording("ETM-000000000003", "NO_SUCH_KEY", "X", "<p>X</p>", 100),
    );
    let mail = |id: &str, key: &str, recipients: Vec<Bson>, status: &str| {
        doc! {"_id": id, "notification_id": id, "ticket_id": Bson::Null, "notification_type": "EMAIL", "template_key": key, "recipients": recipients,
        "payload": {"ticket_title": "T"}, "status": status, "retry_count": 0, "created_at": at(60), "sent_at": Bson::DateTime(now.plus_minutes(-59).to_bson())}
    };
    let to = |names: &[&str]| {
        names
            .iter()
            .map(|name| Bson::from(format!("{name}@example.com")))
            .collect::<Vec<_>>()
    };
    sink.add(
        "notification_outbox",
        mail("NTF-000000000001", "TICKET_CREATED", to(&["ann.lee"]), "SENT"),
    );
    sink.add(
        "notification_outbox",
        mail(
            "NTF-000000000002",
            "APPROVED",
            to(&["ann.lee", "mark.stone"]),
            "SENT",
        ),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000003", "APPROVED", to(&["ann.lee"]), "PENDING"),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000004", "APPROVED", vec![Bson::Null], "PENDING"),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000005", "NO_SUCH_KEY", to(&["ann.lee"]), "SENT"),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000006", "APPROVED", to(&["ann.lee"]), "CANCELLED"),
    );
    let notice = |id: &str, minutes: i64| {
        doc! {"_id": id, "notification_id": id, "recipient_email": "ann.lee@example.com", "recipient_aad_id": Bson::Null, "category": "TICKET",
        "title": "Request received", "message": "It is here", "ticket_id": Bson::Null, "action_url": "/tickets", "actor_email": Bson::Null,
        "is_read": false, "created_at": at(minutes)}
    };
    sink.add("inapp_notifications", notice("NTF-0000000000a1", 10));
    sink.add("inapp_notifications", notice("NTF-0000000000a2", 60 * 24 * 400));
    sink.add("in_app_notifications", notice("NTF-0000000000a3", 20));
    // Belonging to nobody.
    sink.add("ticket_steps", doc! {"_id": "STEP-00000000dead", "ticket_step_id": "STEP-00000000dead", "ticket_id": "TKT-00000000dead", "step_id": "x", "state": "ACTIVE"});
    let file = |id: &str, ticket: &str, path: &str, size: i64| {
        doc! {"_id": id, "attachment_id": id, "ticket_id": ticket, "context": "ticket", "original_filename": "a.txt", "stored_filename": "a.txt",
        "mime_type": "text/plain", "size_bytes": size, "uploaded_by": ann.clone(), "uploaded_at": at(100), "storage_path": path}
    };
    sink.add(
        "attachments",
        file("ATT-000000000001", "", "temp/ATT-000000000001_a.txt", 5),
    );
    sink.add("attachments", file("ATT-000000000002", "", "temp/missing.txt", 5));
    sink.add("attachments", file("ATT-000000000003", "", "../outside.txt", 5));
    sink.add("attachments", file(SHARED_FILE, "", "temp/plan.txt", 5));
    let mut odd = file("ATT-000000000004", "", "temp/plan.txt", 5);
    odd.insert("original_filename", "C:\\temp\\plan\u{202e}.txt");
    sink.add("attachments", odd);
    sink.add("system_config", doc! {"_id": "system", "config_id": "system", "default_sla_minutes": {"APPROVAL_STEP": 1440, "TASK_STEP": 2880},
        "allowed_mime_types": ["application/pdf"], "max_attachment_size_mb": 20, "notification_retry_max": -4, "updated_by": "admin.root@example.com"});
    conversations(sink, now);
}

/// What Ann asked the assistant, and nobody else may read.
pub(crate) const ASKED: &str = "Is the red stapler still on its way?";

fn conversations(sink: &mut Sink, now: Timestamp) {
    let at = |minutes: i64| Bson::from(iso(now.plus_minutes(-minutes)));
    let said = |role: &str, content: &str, minutes: i64| doc! {"role": role, "content": content, "timestamp": at(minutes)};
    let mut number = 0_u8;
    let mut add = |session: &str, minutes: i64, messages: Vec<Document>| {
        number += 1;
        let id = ObjectId::from_bytes([number; 12]);
        sink.add(
            "ai_conversations",
            doc! {"_id": id, "session_id": session, "messages": messages,
            "created_at": at(minutes + 30), "updated_at": at(minutes)},
        );
    };
    add(
        "ann.lee@example.com_requester",
        10,
        vec![
            said("user", ASKED, 40),
            said("assistant", "It is.", 39),
            said("user", "When?", 20),
            said("user", "When does it come?", 11),
            said("assistant", "Soon, see [here](https://tracker.example/1) .", 10),
        ],
    );
    add(
        "Ann.Lee@example.com_requester",
        900,
        vec![
            said("user", "Older words", 901),
            said("assistant", "Older answer", 900),
        ],
    );
    add(
        "ivan.novak@example.com_agent",
        60,
        vec![said("human", "What is next?", 61), said("ai", "The laptop.", 60)],
    );
    add(
        "gone@example.com_requester",
        100 * 24 * 60,
        vec![said("user", "Long ago", 100 * 24 * 60)],
    );
    add("nobody", 5, vec![said("user", "Hello", 5)]);
}
