use crate::support::TestApp;
use bson::{Document, doc};
use pretty_assertions::assert_eq;
use serde_json::json;

#[tokio::test]
async fn a_designer_role_opens_the_studio_and_nothing_else() {
    let app = TestApp::with_people().await;
    let me = app
        .person("ken.ito")
        .get("/api/v1/admin/my-access")
        .await
        .expect(200);
    assert_eq!(
        me.body,
        json!({"email": "ken.ito@example.com", "has_designer_access": true, "has_manager_access": false,
            "has_agent_access": false, "is_admin": false, "admin_role": "DESIGNER"})
    );
    let access = app
        .person("ken.ito")
        .get("/api/v1/admin/access")
        .await
        .expect(200);
    assert_eq!(
        access.body,
        json!({"is_super_admin": false, "is_admin": false, "is_designer": true, "role": "DESIGNER"})
    );
}

#[tokio::test]
async fn every_refusal_of_a_role_is_403() {
    let app = TestApp::with_people().await;
    let (ann, sven) = (app.person("ann.lee"), app.person("sven.berg"));
    for path in [
        "/designers",
        "/admins",
        "/user-access",
        "/user-access/x@y.example",
        "/audit-log",
    ] {
        let reply = ann.get(&format!("/api/v1/admin{path}")).await.expect(403);
        assert_eq!(reply.code(), "PERMISSION_DENIED");
        sven.get(&format!("/api/v1/admin{path}")).await.expect(200);
    }
    let grant = json!({"email": "zoe.quinn@example.com", "display_name": "Zoë"});
    ann.post("/api/v1/admin/designers", grant.clone())
        .await
        .expect(403);
    sven.post("/api/v1/admin/admins", grant.clone()).await.expect(403);
    sven.post("/api/v1/admin/designers", grant).await.expect(200);
}

#[tokio::test]
async fn roles_are_given_upwards_only_and_take_effect_at_once() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    let grant =
        |role: &str| json!({"email": "zoe.quinn@example.com", "display_name": "Zoë Quinn", "role": role});
    let given = root
        .post("/api/v1/admin/admins", grant("admin"))
        .await
        .expect(200);
    assert_eq!(given.body["admin"]["role"], "ADMIN");
    assert_eq!(given.body["admin"]["granted_by"], "admin.root@example.com");
    assert_eq!(given.body["admin"]["granted_at"], "2026-01-05T09:30:00.000Z");
    app.person("zoe.quinn")
        .get("/api/v1/admin/admins")
        .await
        .expect(200);
    root.post("/api/v1/admin/admins", grant("ADMIN"))
        .await
        .expect(400);
    root.post("/api/v1/admin/admins", grant("OWNER"))
        .await
        .expect(400);
    let designer = json!({"email": "zoe.quinn@example.com", "display_name": "Zoë"});
    let refused = root.post("/api/v1/admin/designers", designer).await.expect(400);
    assert_eq!(refused.body["error"]["details"]["field"], "target_email");
    root.post("/api/v1/admin/admins", grant("SUPER_ADMIN"))
        .await
        .expect(200);
    root.delete("/api/v1/admin/designers/zoe.quinn%40example.com")
        .await
        .expect(409);
    root.delete("/api/v1/admin/admins/zoe.quinn%40example.com")
        .await
        .expect(200);
    app.person("zoe.quinn")
        .get("/api/v1/admin/admins")
        .await
        .expect(403);
    root.delete("/api/v1/admin/admins/zoe.quinn%40example.com")
        .await
        .expect(404);
}

#[tokio::test]
async fn nobody_takes_their_own_role_away() {
    let app = TestApp::with_people().await;
    let refused = app
        .person("admin.root")
        .delete("/api/v1/admin/admins/Admin.Root@example.com")
        .await
        .expect(400);
    assert_eq!(refused.body["error"]["details"]["field"], "target_email");
    // Nor under another address: the row of the same object id is the own one.
    let rows = app.database().collection::<Document>("admin_users");
    let own = doc! {"_id": "admin.root@example.com"};
    let mut row = rows.find_one_and_delete(own).await.unwrap().unwrap();
    row.insert("_id", "alias@example.com");
    row.insert("email", "alias@example.com");
    rows.insert_one(row).await.unwrap();
    let later = app.second_process(&[]).await;
    let path = "/api/v1/admin/admins/alias@example.com";
    let refused = later.person("admin.root").delete(path).await.expect(400);
    assert_eq!(refused.body["error"]["details"]["field"], "target_email");
}

#[tokio::test]
async fn two_super_admins_removing_each_other_leave_one() {
    let app = TestApp::with_people().await;
    let second = json!({"email": "omar.haddad@example.com", "display_name": "Omar", "role": "SUPER_ADMIN"});
    app.person("admin.root")
        .post("/api/v1/admin/admins", second)
        .await
        .expect(200);
    let (root, omar) = (app.person("admin.root"), app.person("omar.haddad"));
    let (a, b) = tokio::join!(
        omar.delete("/api/v1/admin/admins/admin.root@example.com"),
        root.delete("/api/v1/admin/admins/omar.haddad@example.com"),
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [200, 403 | 409]), "{statuses:?}");
    let status = app
        .anonymous()
        .get("/api/v1/admin/setup-status")
        .await
        .expect(200);
    assert_eq!(status.body["super_admin_exists"], true);
}

#[tokio::test]
async fn an_address_does_not_open_a_row_that_belongs_to_another_object_id() {
    let app = TestApp::with_people().await;
    let grant =
        json!({"email": "ann.lee@example.com", "display_name": "Former Ann", "aad_id": "somebody-else"});
    app.person("admin.root")
        .post("/api/v1/admin/admins", grant)
        .await
        .expect(200);
    let me = app
        .person("ann.lee")
        .get("/api/v1/admin/my-access")
        .await
        .expect(200);
    assert_eq!(me.body["admin_role"], json!(null));
}

#[tokio::test]
async fn administrators_are_listed_highest_first() {
    let app = TestApp::with_people().await;
    let listed = app
        .person("sven.berg")
        .get("/api/v1/admin/admins")
        .await
        .expect(200);
    let roles: Vec<_> = listed.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["role"].clone())
        .collect();
    assert_eq!(roles, ["SUPER_ADMIN", "ADMIN", "DESIGNER"]);
    assert_eq!(
        (&listed.body["total"], &listed.body["skip"], &listed.body["limit"]),
        (&json!(3), &json!(0), &json!(50))
    );
    let designers = app
        .person("sven.berg")
        .get("/api/v1/admin/designers")
        .await
        .expect(200);
    assert_eq!(designers.body["total"], 1);
}
