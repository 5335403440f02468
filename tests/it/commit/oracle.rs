//! Brings a database to rest and asks the oracle of the crash proof.

use crate::proof::oracle::look;
use crate::support::eventually;
use bson::{Document, doc};
use futures::TryStreamExt;
use workflow_ops::app::App;

/// Carries on what is left and checks every ticket of the database; returns how many there are.
pub(crate) async fn check(app: &App) -> usize {
    // What a killed process had sent may still take effect after its death, behind the first drain.
    eventually("every tail is empty", || async {
        app.execute.relay().drain().await.unwrap();
        app.execute.relay().health().await.unwrap().open == 0
    })
    .await;
    let found = look(app).await;
    assert!(found.violations.is_empty(), "{:#?}", found.violations);
    found.tickets
}

/// Every document of a collection.
pub(crate) async fn all(app: &App, collection: &str) -> Vec<Document> {
    app.database
        .collection::<Document>(collection)
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}
