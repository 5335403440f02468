//! What an operator does from the command line.

use super::bootstrap::{SETTINGS, setup, token};
use crate::support::{ServiceProcess, TestApp};
use bson::{Document, doc};
use serde_json::json;

#[tokio::test]
async fn an_operator_gives_lists_and_takes_roles_and_opens_the_set_up_again() {
    let app = TestApp::new().await;
    let run = |arguments: &[&str]| ServiceProcess::run(app.database().name(), arguments);
    assert_eq!(
        run(&["admin", "grant", "ann.lee@example.com"]),
        "ann.lee@example.com now has the role SUPER_ADMIN\n"
    );
    run(&[
        "admin",
        "grant",
        "ken.ito@example.com",
        "designer",
        "--name",
        "Ken",
    ]);
    let revoked = run(&["admin", "revoke", "ken.ito@example.com"]);
    assert_eq!(revoked, "ken.ito@example.com no longer has the role DESIGNER\n");
    let listed = run(&["admin", "list"]);
    assert!(
        listed.starts_with("SUPER_ADMIN  active    ann.lee@example.com"),
        "{listed}"
    );
    assert!(
        listed.contains("DESIGNER     inactive  ken.ito@example.com  Ken"),
        "{listed}"
    );
    let ann = app.person("ann.lee");
    let audit = ann.get("/api/v1/admin/audit-log").await.expect(200).body;
    let actions: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["action"])
        .collect();
    let expected = [
        "VIEW_AUDIT_LOG",
        "REVOKE_DESIGNER_ACCESS",
        "GRANT_DESIGNER_ACCESS",
        "SUPER_ADMIN_CREATED",
    ];
    // The view is dated by the test's clock, which stands in the past.
    assert!(
        expected.iter().all(|action| actions.contains(&&json!(action))),
        "{actions:?}"
    );
}

#[tokio::test]
async fn the_set_up_that_was_closed_for_good_is_opened_by_an_operator_only() {
    let app = TestApp::with(&SETTINGS).await;
    let token = token(&app).await;
    setup(&app, &token, "ann.lee@example.com").await.expect(200);
    let requires_setup = || async {
        let status = app.anonymous().get("/api/v1/admin/setup-status").await;
        status.expect(200).body["requires_setup"].clone()
    };
    // Nobody administers any more, as after a mistake in the database.
    let admins = app.database().collection::<Document>("admin_users");
    let gone = doc! {"$set": {"is_active": false}};
    admins.update_many(doc! {}, gone).await.unwrap();
    assert_eq!(requires_setup().await, false);
    let said = ServiceProcess::run(app.database().name(), &["bootstrap", "reset"]);
    assert_eq!(said, "the bootstrap is open again\n");
    assert_eq!(requires_setup().await, true);
}
