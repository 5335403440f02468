//! The contract's endpoints against the OpenAPI document.

use crate::support::TestApp;
use serde_json::Value;
use std::collections::BTreeSet;

/// Methods and paths of the contract's indexes.
const CONTRACT: &str = include_str!("contract.txt");

/// A method and a path in which every parameter is `{}`.
fn endpoint(method: &str, path: &str) -> String {
    let segments = path
        .split('/')
        .map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    format!(
        "{} {}",
        method.to_uppercase(),
        segments.collect::<Vec<_>>().join("/")
    )
}

fn of_contract() -> Vec<String> {
    let lines = CONTRACT
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (method, path) = line.split_once(' ').unwrap();
            endpoint(method, path.trim())
        })
        .collect()
}

fn of_document(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| endpoint(method, path))
    });
    operations.collect()
}

#[tokio::test]
async fn every_endpoint_of_the_contract_is_served_and_documented() {
    let app = TestApp::new().await;
    let document = app.anonymous().get("/api/openapi.json").await.expect(200).body;
    let (contract, ours) = (of_contract(), of_document(&document));
    let unique: BTreeSet<&String> = contract.iter().collect();
    assert_eq!(unique.len(), contract.len(), "the list names an endpoint twice");
    assert!(
        contract.len() > 130,
        "the list has only {} endpoints",
        contract.len()
    );
    let missing: Vec<&String> = contract.iter().filter(|one| !ours.contains(*one)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
