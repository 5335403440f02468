//! Figures over the collections beside tickets (contract http-admin-notifications 10).

use super::indexes::IndexSpec;
use super::{
    admin_user_repo, attachment_claims, conversation_repo, user_access_repo, workflow_repo,
    workflow_version_repo,
};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::Database;
use mongodb::error::Result;
use serde_json::{Map, Value, json};

/// Counts by group.
type Figures = Map<String, Value>;

const DAY_MS: i64 = 86_400_000;

/// The index that counts today's uploads; the other counts have theirs.
pub fn indexes() -> Vec<IndexSpec> {
    vec![IndexSpec::new(
        attachment_claims::COLLECTION,
        "uploaded",
        doc! {"uploaded_at": 1, "_id": 1},
    )]
}

/// All figures, by group.
pub async fn collect(database: &Database, now: Timestamp) -> Result<Figures> {
    let midnight = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(DAY_MS));
    let (tokens, attachments, users, audit, conversations, workflows) = tokio::try_join!(
        tokens(database, now),
        attachments(database, midnight),
        users(database),
        audit(database, midnight),
        conversations(database, midnight),
        workflows(database),
    )?;
    let groups = [
        ("bootstrap_tokens", tokens),
        ("attachments", attachments),
        ("users", users),
        ("audit", audit),
        ("ai_conversations", conversations),
        ("workflows", workflows),
    ];
    Ok(groups
        .into_iter()
        .map(|(name, figures)| (name.to_owned(), figures))
        .collect())
}

async fn count(database: &Database, collection: &str, filter: Document) -> Result<u64> {
    database
        .collection::<Document>(collection)
        .count_documents(filter)
        .await
}

/// The number of all documents, from the collection's own book-keeping.
async fn total(database: &Database, collection: &str) -> Result<u64> {
    database
        .collection::<Document>(collection)
        .estimated_document_count()
        .await
}

async fn tokens(database: &Database, now: Timestamp) -> Result<Value> {
    let total = total(database, "bootstrap_tokens").await?;
    let active = count(database, "bootstrap_tokens", doc! {"expires_at": {"$gt": now}}).await?;
    Ok(json!({"total": total, "active": active, "expired": total.saturating_sub(active)}))
}

async fn attachments(database: &Database, midnight: Timestamp) -> Result<Value> {
    let name = attachment_claims::COLLECTION;
    let today = doc! {"uploaded_at": {"$gte": midnight}};
    Ok(json!({"total": total(database, name).await?, "today_uploads": count(database, name, today).await?}))
}

async fn users(database: &Database) -> Result<Value> {
    let name = user_access_repo::COLLECTION;
    let with = |persona: &str| {
        let mut filter = doc! {"is_active": true};
        filter.insert(format!("{persona}.granted"), true);
        filter
    };
    let admins = doc! {"is_active": true, "role": {"$in": ["ADMIN", "SUPER_ADMIN"]}};
    Ok(json!({
        "total_access": count(database, name, doc! {"is_active": true}).await?,
        "designers": count(database, name, with("designer")).await?,
        "managers": count(database, name, with("manager")).await?,
        "agents": count(database, name, with("agent")).await?,
        "admins": count(database, admin_user_repo::COLLECTION, admins).await?,
    }))
}

async fn audit(database: &Database, midnight: Timestamp) -> Result<Value> {
    let today = count(database, "audit_events", doc! {"at": {"$gte": midnight}}).await?;
    Ok(json!({"today_events": today, "total_events": total(database, "audit_events").await?}))
}

/// Conversations that are kept, with all messages ever said in them.
async fn conversations(database: &Database, midnight: Timestamp) -> Result<Value> {
    let name = conversation_repo::COLLECTION;
    let beginning = Timestamp::from_millis(0);
    let messages = vec![
        doc! {"$match": {"created_at": {"$gte": beginning}}},
        doc! {"$group": {"_id": null, "messages": {"$sum": "$message_count"}}},
    ];
    let sums: Vec<Document> = database
        .collection::<Document>(name)
        .aggregate(messages)
        .await?
        .try_collect()
        .await?;
    let messages = sums.first().and_then(|sum| sum.get("messages"));
    let messages = messages.and_then(|sum| sum.as_i64().or_else(|| sum.as_i32().map(i64::from)));
    let today = count(database, name, doc! {"created_at": {"$gte": midnight}}).await?;
    Ok(json!({
        "total_sessions": total(database, name).await?, "today_sessions": today,
        "total_messages": messages.unwrap_or_default(),
    }))
}

/// Workflows are few; their definitions are opaque text, so their steps are counted here.
async fn workflows(database: &Database) -> Result<Value> {
    let name = workflow_repo::COLLECTION;
    let all = database.collection::<Document>(name);
    let mut definitions = all
        .find(doc! {"updated_at": {"$gt": bson::Bson::MinKey}})
        .projection(doc! {"definition": 1})
        .await?;
    let mut steps = 0;
    while let Some(row) = definitions.try_next().await? {
        steps += row.get_str("definition").map_or(0, step_count);
    }
    Ok(json!({
        "total": total(database, name).await?,
        "published": count(database, name, doc! {"status": "PUBLISHED"}).await?,
        "draft": count(database, name, doc! {"status": "DRAFT"}).await?,
        "versions": total(database, workflow_version_repo::COLLECTION).await?,
        "total_steps": steps,
    }))
}

fn step_count(definition: &str) -> usize {
    let value: Value = serde_json::from_str(definition).unwrap_or_default();
    value.get("steps").and_then(Value::as_array).map_or(0, Vec::len)
}
