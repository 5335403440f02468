//! The workflows of `config/workflows`, published by a designer of the development directory.

use super::{Seeded, acting};
use crate::app::App;
use crate::clients::development_directory::DevelopmentDirectory;
use crate::domain::id::WorkflowId;
use crate::domain::person::Actor;
use crate::services::workflows::NewWorkflow;
use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Who designs.
const DESIGNER: &str = "dana.wolf@example.com";

/// A definition as kept in a file. An embedded reference `@name` means the workflow seeded under that name.
#[derive(Debug, Deserialize)]
struct Seed {
    name: String,
    description: Option<String>,
    category: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    definition: Map<String, Value>,
}

/// Creates and publishes what is not there yet; gives the ids by name.
pub(super) async fn publish(
    app: &App,
    directory: &DevelopmentDirectory,
    folder: &Path,
    progress: &mut impl FnMut(Seeded),
) -> anyhow::Result<BTreeMap<String, WorkflowId>> {
    let designer = acting(app, directory, DESIGNER).await?;
    let mut published = BTreeMap::new();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let seed: Seed =
            serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
        let name = seed.name.clone();
        let id = publish_one(app, &designer, seed, &published)
            .await
            .with_context(|| format!("cannot publish {name}"))?;
        progress(Seeded {
            what: format!("workflow {name}"),
        });
        published.insert(name, id);
    }
    Ok(published)
}

async fn publish_one(
    app: &App,
    designer: &Actor,
    seed: Seed,
    published: &BTreeMap<String, WorkflowId>,
) -> anyhow::Result<WorkflowId> {
    let known = app.workflows.list(designer, None, 1, 100).await?;
    let known = known
        .items
        .into_iter()
        .find(|template| template.name == seed.name);
    if let Some(template) = known
        .as_ref()
        .filter(|template| template.published_version.is_some())
    {
        return Ok(template.id.clone());
    }
    let template = if let Some(template) = known {
        template
    } else {
        let new = NewWorkflow {
            name: seed.name,
            description: seed.description,
            category: seed.category,
            tags: seed.tags,
        };
        app.workflows.create(designer, new).await?
    };
    let mut definition = seed.definition;
    resolve_references(&mut definition, published)?;
    app.workflows
        .save_draft(designer, template.id.as_str(), &definition, None, None)
        .await?;
    app.workflows
        .publish(designer, template.id.as_str(), None)
        .await?;
    Ok(template.id)
}

fn resolve_references(
    definition: &mut Map<String, Value>,
    published: &BTreeMap<String, WorkflowId>,
) -> anyhow::Result<()> {
    let steps = definition
        .get_mut("steps")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for step in steps.filter_map(Value::as_object_mut) {
        let Some(name) = step
            .get("sub_workflow_id")
            .and_then(Value::as_str)
            .and_then(|id| id.strip_prefix('@'))
        else {
            continue;
        };
        let id = published
            .get(name)
            .ok_or_else(|| anyhow::anyhow!("{name} is not seeded before it is embedded"))?;
        let id = Value::from(id.as_str());
        step.insert("sub_workflow_id".to_owned(), id);
    }
    Ok(())
}
