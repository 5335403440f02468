use crate::support::{START, TestApp, notice};
use serde_json::json;
use workflow_ops::domain::id::TicketId;
use workflow_ops::domain::notice::TemplateKey;
use workflow_ops::repositories::inapp_repo::InappRepo;
use workflow_ops::repositories::inapp_row::InappRow;

const PATH: &str = "/api/v1/notifications";

fn row(recipient: &str, n: i64) -> InappRow {
    let notice = notice(TemplateKey::Approved, recipient, &format!("Notice {n}"));
    let ticket = TicketId::random();
    InappRow::of(
        &notice,
        &format!("{ticket}:1:{n}"),
        &ticket,
        START.plus_minutes(n),
        90,
    )
    .unwrap()
}

async fn app_with(rows: &[InappRow]) -> TestApp {
    let app = TestApp::new().await;
    InappRepo::new(app.database()).insert_absent(rows).await.unwrap();
    app
}

#[tokio::test]
async fn everybody_sees_only_their_own_notices_newest_first() {
    let mine: Vec<_> = (0..25).map(|n| row("Omar.Haddad@example.com", n)).collect();
    let app = app_with(&mine).await;
    InappRepo::new(app.database())
        .insert_absent(&[row("ken.ito@example.com", 99)])
        .await
        .unwrap();
    let omar = app.person("omar.haddad");
    let page = omar.get(PATH).await.expect(200).body;
    assert_eq!(
        (page["total"].clone(), page["unread_count"].clone()),
        (json!(25), json!(25))
    );
    assert_eq!(
        (
            page["items"].as_array().unwrap().len(),
            page["items"][0]["title"].clone()
        ),
        (20, json!("Notice 24"))
    );
    let second = omar
        .get(&format!("{PATH}?skip=20&limit=100"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (
            second["items"].as_array().unwrap().len(),
            second["items"][4]["title"].clone()
        ),
        (5, json!("Notice 0"))
    );
    let foreign =
        app.person("ken.ito").get(PATH).await.expect(200).body["items"][0]["notification_id"].clone();
    let foreign = foreign.as_str().unwrap();
    omar.post_nothing(&format!("{PATH}/{foreign}/read"))
        .await
        .expect(404);
    omar.delete(&format!("{PATH}/{foreign}")).await.expect(404);
    omar.get(&format!("{PATH}?category=NOPE")).await.expect(400);
    assert_eq!(
        omar.get(&format!("{PATH}?category=TASK")).await.expect(200).body["total"],
        0
    );
}

#[tokio::test]
async fn reading_keeps_the_first_time_and_a_dismissed_notice_stays_away_even_when_the_relay_repeats() {
    let rows: Vec<_> = (0..3).map(|n| row("omar.haddad@example.com", n)).collect();
    let app = app_with(&rows).await;
    let omar = app.person("omar.haddad");
    let id = rows[0].notification_id.as_str();
    assert_eq!(
        omar.post_nothing(&format!("{PATH}/{id}/read"))
            .await
            .expect(200)
            .body["is_read"],
        true
    );
    app.clock.advance(1_000);
    omar.post_nothing(&format!("{PATH}/{id}/read")).await.expect(200);
    let repo = InappRepo::new(app.database());
    let stored = repo.stored_keys(&[rows[0].key.clone()]).await.unwrap();
    assert_eq!(stored[0].read_at, Some(START));
    assert_eq!(
        omar.get(&format!("{PATH}/unread-count")).await.expect(200).body["unread_count"],
        2
    );
    omar.delete(&format!("{PATH}/{id}")).await.expect(200);
    omar.delete(&format!("{PATH}/{id}")).await.expect(404);
    assert_eq!(repo.insert_absent(&rows).await.unwrap(), 0);
    assert_eq!(omar.get(PATH).await.expect(200).body["total"], 2);
    assert_eq!(
        omar.post_nothing(&format!("{PATH}/read-all"))
            .await
            .expect(200)
            .body["marked_count"],
        2
    );
    assert_eq!(
        omar.get(&format!("{PATH}?unread_only=true"))
            .await
            .expect(200)
            .body["total"],
        0
    );
}

#[tokio::test]
async fn an_expired_notice_is_gone_before_the_server_removes_it() {
    let app = app_with(&[row("omar.haddad@example.com", 0)]).await;
    let omar = app.person("omar.haddad");
    assert_eq!(omar.get(PATH).await.expect(200).body["total"], 1);
    app.clock.advance(91 * 24 * 3_600_000);
    let later = app.person("omar.haddad");
    assert_eq!(later.get(PATH).await.expect(200).body["total"], 0);
    assert_eq!(
        later.get(&format!("{PATH}/unread-count")).await.expect(200).body["unread_count"],
        0
    );
}
