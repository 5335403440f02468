//! Every list is read from an index: what the server did for every read there is, on a filled database.
//!
//! The server's own profile is read, so a query that goes another way than the repositories is seen too.

use super::crowd;
use super::stage::{ANN, IVAN, MARK, Stage};
use bson::{Document, doc};
use futures::TryStreamExt;
use serde_json::{Map, Value};

/// Documents that a query may look at beside three for each that it returns.
const SLACK: i64 = 50;

/// A read whose queries are looked at.
struct Read {
    who: &'static str,
    path: String,
    /// Whether it is one of the lists below, which must be answered.
    is_list: bool,
}

impl Read {
    fn is_of_administrators(&self) -> bool {
        !self.looks_at_text() && self.path.starts_with("/api/v1/admin/")
    }

    /// A text filter has to look at every row that passes the other filters.
    fn looks_at_text(&self) -> bool {
        ["q=", "actor_email=", "target_email=", "recipient="]
            .iter()
            .any(|key| self.path.contains(key))
    }
}

/// Keys that a question of administrators may look at: totals are counted up to 10 000.
const KEYS: i64 = 10_000 + SLACK;

/// Filters, orders and pages of the lists.
const LISTS: [&str; 49] = [
    "/tickets?page_size=1&status=COMPLETED",
    "/tickets?statuses=IN_PROGRESS,WAITING_FOR_REQUESTER,WAITING_FOR_AGENT",
    "/tickets?page_size=1&has_pending_cr=true",
    "/tickets?has_pending_cr=false&page=3",
    "/tickets?workflow_id={workflow_id}",
    "/tickets?workflow_id=WF-000000000000",
    "/tickets?date_from=2025-12-20&date_to=2026-01-02",
    "/tickets?sort_by=updated_at&sort_order=asc",
    "/tickets?sort_by=status",
    "/tickets?sort_by=status&sort_order=asc&page=2",
    "/tickets?sort_by=title",
    "/tickets?sort_by=created_at&sort_order=asc",
    "/tickets?q=done",
    "/tickets?mine=false",
    "/tickets?mine=false&page=5&page_size=100",
    "/tickets?mine=false&status=REJECTED",
    "/tickets?mine=false&statuses=COMPLETED,REJECTED,CANCELLED",
    "/tickets?mine=false&has_pending_cr=true",
    "/tickets?mine=false&workflow_id=WF-000000000000",
    "/tickets?mine=false&date_from=2025-12-20",
    "/tickets?mine=false&sort_by=updated_at&sort_order=asc",
    "/tickets?mine=false&sort_by=title&sort_order=asc",
    "/tickets?mine=false&sort_by=created_at",
    "/tickets?mine=false&sort_by=created_at&workflow_id=WF-000000000000",
    "/tickets?mine=false&sort_by=created_at&has_pending_cr=true",
    "/tickets?mine=false&sort_by=title&status=REJECTED",
    "/tickets?mine=false&sort_by=created_at&date_to=2025-12-24",
    "/tickets?mine=false&sort_by=created_at&sort_order=asc&date_from=2026-01-04T09:30:00Z",
    "/tickets?mine=false&sort_by=title&date_from=2025-12-24&date_to=2025-12-25",
    "/tickets?mine=false&sort_by=title&sort_order=desc&status=REJECTED&date_to=2025-12-24&page=2",
    "/tickets?mine=false&sort_by=status",
    "/tickets?mine=false&q=done",
    "/tickets/export",
    "/tickets/export?mine=false&status=COMPLETED&date_from=2025-12-31&format=jsonl",
    "/tickets/manager/approvals?page=2",
    "/tickets/manager/history?page=50",
    "/tickets/manager/history?status=COMPLETED",
    "/tickets/manager/history?status=REJECTED&q=rejected",
    "/tickets/agent/tasks?page=3&page_size=100",
    "/tickets/agent/history?date_filter=today",
    "/tickets/agent/history?date_filter=month&page=2",
    "/change-requests/my-pending?skip=20",
    "/notifications?unread_only=true",
    "/notifications?category=APPROVAL&limit=100",
    "/notifications?skip=40",
    "/workflows/catalog?q=request",
    "/lookups/{workflow_id}/resolve?step_id=ask&field_key=what&field_value=x",
    "/directory/users/search?q=person",
    "/notifications?limit=100",
];

/// The same of administrators' and designers' lists.
const ADMINISTRATION: [&str; 32] = [
    "/admin/audit-log?action=VIEW_AUDIT_LOG",
    "/admin/audit-log?from_date=2025-12-01&to_date=2026-01-05&skip=100",
    "/admin/audit-log?actor_email=ann",
    "/admin/audit-log?target_email=ann",
    "/admin/audit-log/export?action=UPDATE_USER_ACCESS",
    "/admin/ticket-audit?ticket_id={ticket_id}",
    "/admin/ticket-audit?correlation_id=COR-1",
    "/admin/ticket-audit?from_date=2025-12-20&to_date=2026-01-05",
    "/admin/ticket-audit?from_date=2025-12-20&to_date=2026-01-05&event_type=APPROVE",
    "/admin/ticket-audit?from_date=2025-12-20&to_date=2026-01-05&event_type=APPROVE&event_type=REJECT",
    "/admin/ticket-audit?from_date=2025-12-20&to_date=2026-01-05&actor_email=mark",
    "/admin/ticket-audit?ticket_step_id={ticket_step_id}&from_date=2025-12-20&to_date=2026-01-05",
    "/admin/ticket-audit?ticket_id={ticket_id}&ticket_step_id={ticket_step_id}",
    "/admin/ticket-audit/export?from_date=2026-01-04&to_date=2026-01-05&event_type=APPROVE",
    "/admin/ticket-audit/export?ticket_step_id={ticket_step_id}&from_date=2025-12-24&to_date=2025-12-25",
    "/admin/import-findings?to_look_at=true&skip=20",
    "/admin/import-findings?rule=unreadable&rule=person_twice&collection=tickets",
    "/admin/import-findings?subject=TKT-1",
    "/admin/notifications?status=PENDING",
    "/admin/notifications?status=FAILED",
    "/admin/notifications?ticket_id={ticket_id}",
    "/admin/notifications?template_key=APPROVED",
    "/admin/notifications?from_date=2025-12-20",
    "/admin/notifications?recipient=ann",
    "/admin/notifications?page=3&page_size=100",
    "/admin/notifications/dashboard",
    "/admin/notifications/failed",
    "/admin/notifications/stats",
    "/admin/notifications/ticket/{ticket_id}",
    "/admin/user-access?limit=100",
    "/lookups/{workflow_id}?include_inactive=true",
    "/workflows?status=PUBLISHED",
];

/// Filters whose lists have an index of their own: the words in a path, the collection, and how the plan begins.
const OWN_INDEX: [(&str, &str, &str); 2] = [
    (
        "?template_key=",
        ".notification_outbox",
        "{ template_key: 1, created_at: 1",
    ),
    ("?ticket_step_id=", ".audit_events", "{ body.ticket_step_id: 1"),
];

/// Ids that exist, by the names of parameters.
async fn known_ids(stage: &Stage) -> Map<String, Value> {
    let database = stage.app.database();
    let some = async |collection: &str, field: &str| {
        let row = database
            .collection::<Document>(collection)
            .find_one(doc! {})
            .await
            .unwrap();
        Value::from(row.unwrap().get_str(field).unwrap())
    };
    let mine = stage
        .person(ANN)
        .get("/api/v1/tickets?q=changed&page_size=1")
        .await
        .expect(200)
        .body;
    let mut ids = Map::new();
    ids.insert("ticket_id".to_owned(), mine["items"][0]["ticket_id"].clone());
    let change = &mine["items"][0]["pending_change_request_id"];
    ids.insert("change_request_id".to_owned(), change.clone());
    ids.insert("workflow_id".to_owned(), Value::from(stage.workflow.as_str()));
    ids.insert("attachment_id".to_owned(), some("attachments", "_id").await);
    ids.insert(
        "notification_id".to_owned(),
        some("notification_outbox", "notification_id").await,
    );
    let at_a_step = database.collection::<Document>("audit_events");
    let at_a_step = at_a_step.find_one(doc! {"body.ticket_step_id": {"$exists": true}});
    let event = at_a_step.await.unwrap().unwrap();
    let step = event.get_document("body").unwrap().get_str("ticket_step_id");
    ids.insert("ticket_step_id".to_owned(), Value::from(step.unwrap()));
    ids.insert("email".to_owned(), Value::from("ann.lee@example.com"));
    ids.insert("step_id".to_owned(), Value::from("ask"));
    for name in ["version", "version_number", "number"] {
        ids.insert(name.to_owned(), Value::from("1"));
    }
    ids
}

/// A path with ids for its parameters; `x` where none is known.
fn filled(path: &str, ids: &Map<String, Value>) -> String {
    let mut filled = path.to_owned();
    while let Some((front, rest)) = filled.split_once('{') {
        let (name, end) = rest.split_once('}').unwrap();
        let id = ids.get(name).and_then(Value::as_str).unwrap_or("x");
        filled = format!("{front}{id}{end}");
    }
    filled
}

/// Every read of the document, and the variants of lists above.
async fn reads(stage: &Stage) -> Vec<Read> {
    let ids = known_ids(stage).await;
    let document = stage
        .app
        .anonymous()
        .get("/api/openapi.json")
        .await
        .expect(200)
        .body;
    let paths = document["paths"].as_object().unwrap();
    let documented = paths.iter().filter(|(_, item)| item["get"].is_object());
    let mut all = Vec::new();
    for (path, _) in documented {
        for who in [ANN, MARK, IVAN, "admin.root"] {
            all.push(Read {
                who,
                path: filled(path, &ids),
                is_list: false,
            });
        }
    }
    for path in LISTS {
        for who in [ANN, MARK, IVAN, "admin.root"] {
            all.push(Read {
                who,
                path: filled(&format!("/api/v1{path}"), &ids),
                is_list: true,
            });
        }
    }
    for path in ADMINISTRATION {
        all.push(Read {
            who: "admin.root",
            path: filled(&format!("/api/v1{path}"), &ids),
            is_list: true,
        });
    }
    all
}

/// What is wrong with how the server worked on one command of a read.
fn fault(entry: &Document, read: &Read) -> Option<String> {
    let number = |key: &str| {
        let value = entry.get(key)?;
        value.as_i64().or_else(|| value.as_i32().map(i64::from))
    };
    let plan = entry.get_str("planSummary").unwrap_or_default();
    let ns = entry.get_str("ns").unwrap_or_default();
    let whole = format!(
        "{plan} {}",
        entry
            .get("execStats")
            .map(ToString::to_string)
            .unwrap_or_default()
    );
    // Groups of figures and administrators are a handful, sorted after they have been counted or found.
    let is_handful = ns.ends_with(".admin_users")
        || entry
            .get("command")
            .is_some_and(|command| command.to_string().contains("$group"));
    let [examined, returned, keys] =
        ["docsExamined", "nreturned", "keysExamined"].map(|key| number(key).unwrap_or(0));
    let is_walk = |(word, collection, index): &(&str, &str, &str)| {
        read.path.contains(word) && ns.ends_with(collection) && !plan.contains(index)
    };
    let what = if whole.contains("COLLSCAN") {
        "scans a collection".to_owned()
    } else if OWN_INDEX.iter().any(is_walk) {
        "walks over an index of other rows".to_owned()
    } else if entry.get_bool("hasSortStage").unwrap_or(false) && !is_handful {
        "sorts in the database".to_owned()
    } else if !read.looks_at_text() && examined > 3 * returned + SLACK {
        format!("looks at {examined} documents to return {returned}")
    } else if read.is_of_administrators() && !is_handful && keys > KEYS {
        format!("looks at {keys} keys")
    } else {
        return None;
    };
    let command = entry.get("command").map(ToString::to_string).unwrap_or_default();
    let shown: String = command.chars().take(600).collect();
    Some(format!("{} {} {what}: {ns} {plan} {shown}", read.who, read.path))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_20_000_tickets_totals_are_exact_and_no_read_scans_sorts_or_looks_at_what_it_does_not_return() {
    let stage = Stage::new().await;
    crowd::fill(&stage).await;
    totals_are_exact(&stage).await;
    every_read_uses_an_index(&stage).await;
}

async fn every_read_uses_an_index(stage: &Stage) {
    let database = stage.app.database();
    assert!(
        database
            .collection::<Document>("tickets")
            .count_documents(doc! {})
            .await
            .unwrap()
            > 20_000
    );
    // The server's own profile would keep the last megabyte only.
    let profile = doc! {"create": "system.profile", "capped": true, "size": 256_i64 << 20};
    database.run_command(profile).await.unwrap();
    let reads = reads(stage).await;
    database.run_command(doc! {"profile": 2}).await.unwrap();
    let entries = database.collection::<Document>("system.profile");
    let (mut faults, mut seen) = (Vec::new(), 0_usize);
    for read in &reads {
        let reply = stage.person(read.who).get(&read.path).await;
        assert!(
            reply.status.as_u16() < 500,
            "{} {}: {}",
            read.who,
            read.path,
            reply.text
        );
        if read.is_list && reply.status != 200 {
            faults.push(format!("{} {}: {}", read.who, read.path, reply.text));
        }
        // What was profiled since the last read.
        let own = doc! {"ns": {"$not": {"$regex": "system.profile"}}, "op": {"$in": ["query", "getmore", "command"]}};
        let mut own: Vec<Document> = entries.find(own).await.unwrap().try_collect().await.unwrap();
        let fresh = own.split_off(seen.min(own.len()));
        seen += fresh.len();
        faults.extend(fresh.iter().filter_map(|entry| fault(entry, read)));
    }
    database.run_command(doc! {"profile": 0}).await.unwrap();
    assert!(
        seen > reads.len(),
        "the profile has only {seen} entries for {} reads",
        reads.len()
    );
    faults.sort();
    faults.dedup();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

async fn totals_are_exact(stage: &Stage) {
    let count = async |filter: Document, collection: &str| {
        let rows = stage.app.database().collection::<Document>(collection);
        rows.count_documents(filter).await.unwrap()
    };
    let decisions = doc! {"body.kind": "decision", "body.who": "mail:mark.stone@example.com"};
    let decisions = count(decisions, "work_history").await;
    let history = stage
        .person(MARK)
        .get("/api/v1/tickets/manager/history?page=3")
        .await
        .expect(200)
        .body;
    assert!(decisions >= 2_000, "{decisions}");
    assert_eq!(history["total"], decisions);
    let tasks = stage
        .person(IVAN)
        .get("/api/v1/tickets/agent/tasks")
        .await
        .expect(200)
        .body;
    let open = count(
        doc! {"work.queues": "tasks|mail:ivan.novak@example.com"},
        "tickets",
    )
    .await;
    assert!(open >= 300, "{open}");
    assert_eq!(tasks["total"], open);
    let dashboard = stage
        .person(IVAN)
        .get("/api/v1/tickets/agent/dashboard")
        .await
        .expect(200)
        .body;
    assert_eq!(dashboard["summary"]["total_tasks"], open);
    let mine = count(doc! {"work.shelves": "mine|mail:ann.lee@example.com"}, "tickets").await;
    assert_eq!(
        stage.person(ANN).get("/api/v1/tickets").await.expect(200).body["total"],
        mine
    );
}
