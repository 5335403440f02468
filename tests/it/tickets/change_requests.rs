//! `/change-requests` in full (contract engine-actions 7.3, C2): lists, counts, versions, and every refusal.

use super::stage::{ANN, CHLOE, IVAN, MARK, Stage, Ticket};
use crate::support::Reply;
use serde_json::{Value, json};

const ROOT: &str = "/api/v1/change-requests";

async fn propose(stage: &Stage, ticket: &Ticket<'_>, what: &str) -> Reply {
    let body = json!({"ticket_id": ticket.id, "proposed_form_values": {"what": what}, "reason": "typo"});
    stage.person(ANN).post(ROOT, body).await
}

fn id_of(reply: &Reply) -> String {
    reply.body["change_request"]["change_request_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewer_pages_through_what_waits_for_them_and_nobody_else_does() {
    let stage = Stage::new().await;
    let mut made = Vec::new();
    for title in ["one", "two", "three"] {
        let ticket = stage.raise(ANN, title).await;
        ticket.approve().await;
        made.push(id_of(&propose(&stage, &ticket, title).await.expect(200)));
    }
    let mark = stage.person(MARK);
    let all = mark.get(&format!("{ROOT}/my-pending")).await.expect(200);
    assert_eq!(
        (&all.body["total"], &all.body["skip"], &all.body["limit"]),
        (&json!(3), &json!(0), &json!(50))
    );
    let mut listed = Vec::new();
    for skip in 0..3 {
        let page = mark
            .get(&format!("{ROOT}/my-pending?skip={skip}&limit=1"))
            .await
            .expect(200);
        assert_eq!(page.body["total"], 3);
        let items = page.body["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        for key in ["ticket_title", "ticket_status", "workflow_name", "field_changes"] {
            assert!(items[0].get(key).is_some(), "{key}");
        }
        listed.push(items[0]["change_request_id"].as_str().unwrap().to_owned());
    }
    listed.sort();
    made.sort();
    assert_eq!(listed, made);
    assert_eq!(mark.get(&format!("{ROOT}/count")).await.body, json!({"count": 3}));
    assert_eq!(
        stage.person(CHLOE).get(&format!("{ROOT}/count")).await.body,
        json!({"count": 0})
    );
    assert_eq!(
        stage.person(CHLOE).get(&format!("{ROOT}/my-pending")).await.body["total"],
        0
    );
    assert_eq!(mark.get(&format!("{ROOT}/my-pending?limit=0")).await.status, 400);
    assert_eq!(mark.get(&format!("{ROOT}/my-pending?skip=-1")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_every_refusal_of_a_change_request_has_its_code() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Refusals").await;
    let code = |reply: &Reply| (reply.status.as_u16(), reply.code().to_owned());
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        code(&propose(&stage, &ticket, "x").await),
        is(409, "INVALID_STATE"),
        "before the first approval"
    );
    ticket.approve().await;
    assert_eq!(
        code(&propose(&stage, &ticket, "A thing").await),
        is(400, "VALIDATION_ERROR"),
        "nothing changes"
    );
    let ann = stage.person(ANN);
    let post = async |body: Value| ann.post(ROOT, body).await;
    let unknown = json!({"ticket_id": "TKT-000000000000", "proposed_form_values": {}, "reason": "x"});
    assert_eq!(code(&post(unknown).await), is(404, "TICKET_NOT_FOUND"));
    let surplus =
        json!({"ticket_id": ticket.id, "proposed_form_values": {"what": "x"}, "reason": "x", "surplus": 1});
    assert_eq!(code(&post(surplus).await), is(400, "VALIDATION_ERROR"));
    let foreign =
        json!({"ticket_id": ticket.id, "proposed_form_values": {"what": "x", "evil": 1}, "reason": "x"});
    assert_eq!(code(&post(foreign).await), is(400, "VALIDATION_ERROR"));
    let made = propose(&stage, &ticket, "Other").await.expect(200);
    let path = format!("{ROOT}/{}", id_of(&made));
    assert_eq!(
        id_of(&propose(&stage, &ticket, "Other").await.expect(200)),
        id_of(&made),
        "an automatic repeat"
    );
    assert_eq!(
        code(&propose(&stage, &ticket, "Third").await),
        is(409, "ALREADY_EXISTS")
    );
    let mark = stage.person(MARK);
    assert_eq!(
        code(
            &mark
                .post(&format!("{path}/approve"), json!({"action": "reject"}))
                .await
        ),
        is(400, "VALIDATION_ERROR")
    );
    assert_eq!(
        code(
            &mark
                .post(&format!("{path}/approve"), json!({"action": "APPROVE", "x": 1}))
                .await
        ),
        is(400, "VALIDATION_ERROR")
    );
    assert_eq!(
        code(&mark.delete(&path).await),
        is(403, "PERMISSION_DENIED"),
        "only the requester withdraws"
    );
    assert_eq!(
        code(
            &ann.post(&format!("{path}/reject"), json!({"action": "REJECT"}))
                .await
        ),
        is(403, "PERMISSION_DENIED")
    );
    for stranger in [CHLOE, IVAN] {
        let stranger = stage.person(stranger);
        assert_eq!(code(&stranger.get(&path).await), is(403, "PERMISSION_DENIED"));
        for list in ["versions", "history", "compare?version_1=1&version_2=2"] {
            let path = format!("{ROOT}/tickets/{}/{list}", ticket.id);
            assert_eq!(stranger.get(&path).await.status, 403, "{list}");
        }
    }
    assert_eq!(
        code(&ann.get(&format!("{ROOT}/CR-000000000000")).await),
        is(404, "NOT_FOUND")
    );
    assert_eq!(
        ann.get(&format!("{ROOT}/tickets/TKT-000000000000/history"))
            .await
            .status,
        404
    );
    let withdrawn = ann.delete(&path).await.expect(200);
    assert_eq!(withdrawn.body["change_request"]["status"], "CANCELLED");
    assert_eq!(
        ann.delete(&path).await.status,
        200,
        "the repeat of one's own decision"
    );
    assert_eq!(
        code(
            &mark
                .post(&format!("{path}/reject"), json!({"action": "REJECT"}))
                .await
        ),
        is(409, "INVALID_STATE")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_kept_listed_and_compared_the_older_one_first() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Versions").await;
    ticket.approve().await;
    let ann = stage.person(ANN);
    let of_ticket = |rest: &str| format!("{ROOT}/tickets/{}/{rest}", ticket.id);
    let original = ann.get(&of_ticket("versions")).await.expect(200);
    assert_eq!(
        (&original.body["total"], &original.body["versions"][0]["source"]),
        (&json!(1), &json!("ORIGINAL"))
    );
    for what in ["Second", "Third"] {
        let made = propose(&stage, &ticket, what).await.expect(200);
        let path = format!("{ROOT}/{}/approve", id_of(&made));
        stage
            .person(MARK)
            .post(&path, json!({"action": "APPROVE", "notes": "fine"}))
            .await
            .expect(200);
    }
    let refused = propose(&stage, &ticket, "Fourth").await.expect(200);
    let path = format!("{ROOT}/{}/reject", id_of(&refused));
    stage
        .person(MARK)
        .post(&path, json!({"action": "reject", "notes": "no"}))
        .await
        .expect(200);
    let versions = ann.get(&of_ticket("versions")).await.expect(200).body;
    let values: Vec<_> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["form_values"]["what"].clone())
        .collect();
    assert_eq!(values, [json!("A thing"), json!("Second"), json!("Third")]);
    assert_eq!(versions["versions"][2]["source"], "CHANGE_REQUEST");
    assert_eq!(
        versions["versions"][2]["approved_by"]["email"],
        "mark.stone@example.com"
    );
    for order in ["version_1=1&version_2=3", "version_1=3&version_2=1"] {
        let found = ann
            .get(&of_ticket(&format!("compare?{order}")))
            .await
            .expect(200)
            .body;
        assert_eq!((&found["version_1"], &found["version_2"]), (&json!(1), &json!(3)));
        let change = &found["field_changes"][0];
        assert_eq!(
            (&change["old_value"], &change["new_value"]),
            (&json!("A thing"), &json!("Third"))
        );
    }
    assert_eq!(
        ann.get(&of_ticket("compare?version_1=1&version_2=9"))
            .await
            .status,
        400
    );
    assert_eq!(
        ann.get(&of_ticket("compare?version_1=0&version_2=1"))
            .await
            .status,
        400
    );
    let history = ann.get(&of_ticket("history")).await.expect(200).body;
    let statuses: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        [json!("REJECTED"), json!("APPROVED"), json!("APPROVED")]
    );
    assert_eq!(history["total"], 3);
}
