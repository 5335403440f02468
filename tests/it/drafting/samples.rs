//! Thirty descriptions, each with a good answer and a broken one as models give them (`samples/*.json`): every draft that
//! is shown passes the rules of publishing, is played to its ends, and can be published.

use super::drafts::published;
use super::stage::{Stage, always, assert_publishable, made_by_model};
use crate::support::Behaviour;
use serde_json::Value;
use std::path::Path;

/// A description with answers.
struct Sample {
    name: String,
    description: String,
    good: Value,
    /// What is wrong with the broken answer.
    fault: String,
    /// The text of the broken answer.
    broken: String,
}

fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/drafting/samples");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &Path| {
        let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = |key: &str| sample[key].as_str().unwrap().to_owned();
        Sample {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            description: text("description"),
            good: sample["good"].clone(),
            fault: text("fault"),
            broken: text("broken"),
        }
    };
    let all: Vec<Sample> = paths.iter().map(|path| read(path)).collect();
    assert_eq!(all.len(), 30);
    all
}

#[tokio::test]
async fn a_good_answer_is_shown_as_it_is_and_published() {
    let stage = Stage::new().await;
    for sample in samples() {
        stage.server.otherwise(always(&sample.good));
        let asked = stage.server.requests().len();
        let body = made_by_model(stage.draft_of(&sample.description).await);
        assert_eq!(
            stage.server.requests().len(),
            asked + 1,
            "{}: {body}",
            sample.name
        );
        let draft = &body["draft_definition"];
        let ids = |definition: &Value| -> Vec<Value> {
            let steps = definition["steps"].as_array().unwrap();
            steps.iter().map(|step| step["step_id"].clone()).collect()
        };
        assert_eq!(ids(draft), ids(&sample.good), "{}", sample.name);
        for step in sample.good["steps"].as_array().unwrap() {
            let shown = draft["steps"].as_array().unwrap();
            let shown = shown
                .iter()
                .find(|one| one["step_id"] == step["step_id"])
                .unwrap();
            for (key, value) in step.as_object().unwrap() {
                assert_eq!(shown[key], *value, "{}: {key}", sample.name);
            }
        }
        published(&stage.app, draft).await;
    }
}

#[tokio::test]
async fn a_broken_answer_is_repaired_by_the_model() {
    let stage = Stage::new().await;
    for sample in samples() {
        stage
            .server
            .then(Behaviour::Text(sample.broken.clone()))
            .otherwise(always(&sample.good));
        let body = made_by_model(stage.draft_of(&sample.description).await);
        let attempts = body["ai_metadata"]["attempts"].as_u64().unwrap();
        assert!(attempts <= 2, "{}", sample.name);
        let is_told = attempts == 2 || !body["repairs"].as_array().unwrap().is_empty();
        let means_the_same = graph(&body["draft_definition"]) == graph(&sample.good);
        assert!(
            is_told || means_the_same,
            "{}: {} is corrected in silence: {body}",
            sample.name,
            sample.fault
        );
        assert_nothing_invented(&sample, &body);
    }
}

#[tokio::test]
async fn a_model_that_repeats_a_broken_answer_cannot_have_it_shown() {
    let stage = Stage::new().await;
    let mut by_the_model = Vec::new();
    for sample in samples() {
        stage.server.otherwise(Behaviour::Text(sample.broken.clone()));
        let reply = stage.draft_of(&sample.description).await.expect(200);
        assert_publishable(&reply.body);
        assert_nothing_invented(&sample, &reply.body);
        if reply.body["ai_powered"] == true {
            published(&stage.app, &reply.body["draft_definition"]).await;
            by_the_model.push(sample.name);
        }
    }
    // The others are beyond what a rule can mend, and the plain draft stands in.
    assert!(by_the_model.len() >= 18, "{by_the_model:?}");
}

/// What a definition does, without the words.
fn graph(definition: &Value) -> Vec<Value> {
    let of = |list: &str, keys: [&str; 3]| -> Vec<Value> {
        let items = definition[list].as_array().unwrap().iter();
        items
            .map(|item| keys.iter().map(|key| item[*key].clone()).collect())
            .collect()
    };
    let mut graph = of("steps", ["step_id", "step_type", "approver_resolution"]);
    graph.extend(of("transitions", ["from_step_id", "to_step_id", "condition"]));
    graph
}

/// Nobody and nothing is in a draft that the description does not name.
#[track_caller]
fn assert_nothing_invented(sample: &Sample, body: &Value) {
    let draft = body["draft_definition"].to_string();
    for invented in ["invented.example", "WF-0123456789ab", "aad_id", "deeper"] {
        assert!(!draft.contains(invented), "{}: {draft}", sample.name);
    }
}
