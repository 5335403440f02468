//! What people may request, and what designers may embed.

use super::{WorkflowService, offset, require_designer};
use crate::domain::error::ServiceError;
use crate::domain::person::Actor;
use crate::domain::workflow::{VersionRef, WorkflowTemplate, WorkflowVersion};
use crate::engine::definition::{CompiledWorkflow, StepKind};
use crate::repositories::workflow_repo::Page;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the catalog is filtered by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogFilter {
    /// Exactly this category.
    pub category: Option<String>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// This text in name or description, without regard to case.
    pub q: Option<String>,
}

/// A published workflow that may be embedded.
#[derive(Debug, Clone)]
pub struct Embeddable {
    /// The template.
    pub template: WorkflowTemplate,
    /// Its newest version.
    pub version: WorkflowVersion,
    /// How many steps of each type it has.
    pub step_counts: BTreeMap<&'static str, u64>,
}

impl WorkflowService {
    /// Published workflows by name; filtered before they are paged.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn catalog(
        &self,
        filter: &CatalogFilter,
        page: u64,
        page_size: i64,
    ) -> Result<Page<WorkflowTemplate>, ServiceError> {
        let mut found = self.repo.published().await?;
        found.retain(|template| filter.matches(template));
        let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let skip = usize::try_from(offset(page, page_size)).unwrap_or(usize::MAX);
        let limit = usize::try_from(page_size).unwrap_or(0);
        let items = found.into_iter().skip(skip).take(limit).collect();
        Ok(Page { items, total })
    }

    /// Published workflows that embed nothing themselves.
    ///
    /// # Errors
    /// The caller may not design, or the database is unavailable.
    pub async fn embeddable(
        &self,
        actor: &Actor,
        exclude: Option<&str>,
    ) -> Result<Vec<Embeddable>, ServiceError> {
        require_designer(actor)?;
        let mut embeddable = Vec::new();
        for template in self.repo.published().await? {
            let Some(number) = template
                .published_version
                .filter(|_| Some(template.id.as_str()) != exclude)
            else {
                continue;
            };
            let reference = VersionRef {
                workflow_id: template.id.clone(),
                version_number: number,
            };
            let Some(compiled) = self.definitions.get(&reference).await? else {
                continue;
            };
            if compiled
                .steps
                .values()
                .any(|step| matches!(step.kind, StepKind::SubWorkflow(_)))
            {
                continue;
            }
            if let Some(version) = self.repo.find_version(&template.id, number).await? {
                embeddable.push(Embeddable {
                    template,
                    version,
                    step_counts: step_counts(&compiled),
                });
            }
        }
        Ok(embeddable)
    }
}

impl CatalogFilter {
    fn matches(&self, template: &WorkflowTemplate) -> bool {
        let contains = |text: &str, part: &str| text.to_lowercase().contains(part);
        let by_category = self
            .category
            .as_ref()
            .is_none_or(|wanted| template.category.as_ref() == Some(wanted));
        let by_tags = self.tags.iter().all(|tag| template.tags.contains(tag));
        let by_text = self.q.as_ref().map(|q| q.to_lowercase()).is_none_or(|q| {
            contains(&template.name, &q)
                || template
                    .description
                    .as_ref()
                    .is_some_and(|text| contains(text, &q))
        });
        by_category && by_tags && by_text
    }
}

fn step_counts(workflow: &Arc<CompiledWorkflow>) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for step in workflow.steps.values() {
        *counts.entry(step.step_type().as_str()).or_insert(0) += 1;
    }
    counts
}
