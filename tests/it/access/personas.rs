use crate::support::TestApp;
use pretty_assertions::assert_eq;
use serde_json::json;
use workflow_ops::domain::effect::{GrantSource, GrantedPersona, PersonaGrant};
use workflow_ops::domain::json::JsonObject;
use workflow_ops::domain::person::{Email, Person};
use workflow_ops::repositories::user_access_repo::{TicketGrant, UserAccessRepo};

const ACCESS: &str = "/api/v1/admin/user-access";

fn agent_grant(address: &str) -> PersonaGrant {
    PersonaGrant {
        person: Person::from_email(Email::try_from(address).unwrap()),
        persona: GrantedPersona::Agent,
        source: GrantSource::TaskAssignment,
        granted_by: Person::from_email(Email::try_from("mark.stone@example.com").unwrap()),
        details: JsonObject::new(),
        at: crate::support::START,
    }
}

#[tokio::test]
async fn personas_are_given_changed_and_taken_with_their_origin() {
    let app = TestApp::with_people().await;
    let root = app.person("sven.berg");
    let grant =
        json!({"email": "Ann.Lee@Example.com", "display_name": "Ann Lee", "has_manager_access": true});
    let given = root.post(ACCESS, grant).await.expect(200).body["user_access"].clone();
    assert_eq!(given["email"], "Ann.Lee@example.com");
    assert_eq!(given["manager_source"], "MANUAL");
    assert_eq!(given["manager_granted_by"], "sven.berg@example.com");
    assert_eq!(given["agent_source"], json!(null));
    let me = app
        .person("ann.lee")
        .get("/api/v1/admin/my-access")
        .await
        .expect(200);
    assert_eq!(me.body["has_manager_access"], true);
    let update = json!({"has_designer_access": false, "has_manager_access": false, "has_agent_access": true});
    let path = format!("{ACCESS}/ann.lee%40example.com");
    let changed = root.put(&path, update).await.expect(200).body["user_access"].clone();
    assert_eq!(
        (&changed["has_manager_access"], &changed["manager_source"]),
        (&json!(false), &json!(null))
    );
    assert_eq!(root.get(&path).await.expect(200).body["has_access"], true);
    root.delete(&path).await.expect(200);
    assert_eq!(
        root.get(&path).await.expect(200).body,
        json!({"has_access": false, "user_access": null})
    );
    root.delete(&path).await.expect(404);
    root.put(&path, json!({"has_agent_access": true}))
        .await
        .expect(404);
    let nothing = json!({"email": "ann.lee@example.com", "display_name": "Ann"});
    root.post(ACCESS, nothing).await.expect(400);
}

#[tokio::test]
async fn a_ticket_gives_a_persona_once_and_its_repeat_is_recognised() {
    let app = TestApp::with_people().await;
    let repo = UserAccessRepo::new(app.database());
    let grant = agent_grant("zoe.quinn@example.com");
    let first = repo.grant_from_ticket("TKT-1:4:0", &grant).await.unwrap();
    assert_eq!(first, TicketGrant::Given { was_new_user: true });
    let repeat = repo.grant_from_ticket("TKT-1:4:0", &grant).await.unwrap();
    assert_eq!(repeat, TicketGrant::Given { was_new_user: true });
    assert_eq!(
        repo.grant_from_ticket("TKT-2:4:0", &grant).await.unwrap(),
        TicketGrant::Held
    );
    let listed = app
        .person("sven.berg")
        .get(&format!("{ACCESS}/zoe.quinn@example.com"))
        .await
        .expect(200);
    let row = &listed.body["user_access"];
    assert_eq!(
        (&row["agent_source"], &row["onboard_source"]),
        (&json!("TASK_ASSIGNMENT"), &json!("TASK_ASSIGNMENT"))
    );
    assert_eq!(row["onboarded_by_display_name"], "Mark Stone");
}

#[tokio::test]
async fn what_an_administrator_took_away_no_ticket_gives_back() {
    let app = TestApp::with_people().await;
    let repo = UserAccessRepo::new(app.database());
    let grant = agent_grant("zoe.quinn@example.com");
    repo.grant_from_ticket("TKT-1:4:0", &grant).await.unwrap();
    let path = format!("{ACCESS}/zoe.quinn@example.com");
    app.person("sven.berg").delete(&path).await.expect(200);
    assert_eq!(
        repo.grant_from_ticket("TKT-2:4:0", &grant).await.unwrap(),
        TicketGrant::TakenAway
    );
    // A late repeat of the first entry is recognised and gives nothing back either.
    repo.grant_from_ticket("TKT-1:4:0", &grant).await.unwrap();
    assert_eq!(
        app.person("sven.berg").get(&path).await.expect(200).body["has_access"],
        false
    );
    let again = json!({"email": "zoe.quinn@example.com", "display_name": "Zoë", "has_agent_access": true});
    app.person("sven.berg").post(ACCESS, again).await.expect(200);
    assert_eq!(
        app.person("sven.berg").get(&path).await.expect(200).body["has_access"],
        true
    );
}

#[tokio::test]
async fn grants_running_side_by_side_leave_one_row() {
    let app = TestApp::new().await;
    let repo = UserAccessRepo::new(app.database());
    let grant = agent_grant("zoe.quinn@example.com");
    let keys: Vec<String> = (0..16).map(|number| format!("TKT-{number}:1:0")).collect();
    let grants = keys.iter().map(|key| repo.grant_from_ticket(key, &grant));
    let outcomes = futures::future::join_all(grants).await;
    let given = outcomes
        .iter()
        .filter(|one| matches!(one, Ok(TicketGrant::Given { .. })))
        .count();
    assert_eq!(given, 1);
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_and_reading_it_is_logged_once() {
    let app = TestApp::with_people().await;
    let sven = app.person("sven.berg");
    let grant =
        json!({"email": "ann.lee@example.com", "display_name": "Ann (*\\. Lee", "has_agent_access": true});
    sven.post(ACCESS, grant).await.expect(200);
    let path = "/api/v1/admin/audit-log?target_email=ANN%20(*&action=UPDATE_USER_ACCESS";
    let found = sven.get(path).await.expect(200);
    assert_eq!(found.body["total"], 1);
    let event = &found.body["items"][0];
    assert_eq!(
        event["details"],
        json!({"designer": false, "manager": false, "agent": true})
    );
    assert_eq!(event["actor_email"], "sven.berg@example.com");
    assert_eq!(event["ip_address"], "127.0.0.1");
    for _ in 0..3 {
        sven.get(path).await.expect(200);
    }
    let views = sven
        .get("/api/v1/admin/audit-log?action=VIEW_AUDIT_LOG")
        .await
        .expect(200);
    assert_eq!(views.body["total"], 2, "{}", views.text);
    app.clock.advance(6 * 60_000);
    sven.get(path).await.expect(200);
    let views = sven
        .get("/api/v1/admin/audit-log?action=VIEW_AUDIT_LOG&from_date=2026-01-05&to_date=2026-01-05")
        .await;
    assert_eq!(views.expect(200).body["total"], 4);
    for wrong in ["action=NOPE", "from_date=yesterday", "limit=0", "action="] {
        sven.get(&format!("/api/v1/admin/audit-log?{wrong}"))
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn a_person_has_one_record_whatever_their_addresses() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    let by_address = |address: &str, path: &str| {
        let grant = json!({"email": address, "display_name": "Zoë", "aad_id": "oid-of-zoe", "has_agent_access": true});
        let (root, path) = (root.clone(), path.to_owned());
        async move { root.post(&path, grant).await }
    };
    for path in [ACCESS, "/api/v1/admin/designers"] {
        by_address("zoe.quinn@contoso.example", path).await.expect(200);
        let alias = by_address("zoe.alias@contoso.example", path).await.expect(409);
        assert_eq!(alias.code(), "CONFLICT");
        by_address("Zoe.Quinn@contoso.example", path).await.expect(200);
    }
    let repo = UserAccessRepo::new(app.database());
    let mut grant = agent_grant("zoe.alias@contoso.example");
    grant.person.aad_id = Some("oid-of-zoe".to_owned());
    assert_eq!(
        repo.grant_from_ticket("TKT-1:4:0", &grant).await.unwrap(),
        TicketGrant::Held,
        "a ticket that knows her by another address finds her record"
    );
    // A record by address alone does not take an object id that stands elsewhere.
    let alone =
        json!({"email": "zoe.alias@contoso.example", "display_name": "Zoë", "has_manager_access": true});
    root.post(ACCESS, alone).await.expect(200);
    let given = repo.grant_from_ticket("TKT-2:4:0", &grant).await.unwrap();
    assert_eq!(given, TicketGrant::Given { was_new_user: false });
}
