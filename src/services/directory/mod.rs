//! The people directory: Graph, the development organisation, or only the people known here (contract http-workflows 5).
//!
//! Invariant: nobody is invented. When the directory is down or absent, people known here answer for themselves.

use crate::clients::development_directory::{DevelopmentDirectory, DevelopmentPerson};
use crate::clients::graph_directory::{GraphAccess, GraphDirectory, GraphError};
use crate::config::{AuthMode, Settings};
use crate::domain::directory_user::DirectoryUser;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::{Email, Person};
use crate::repositories::user_access_repo::{UserAccessRepo, UserAccessRow};
use mongodb::Database;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many answers are kept.
const KEPT: usize = 10_000;
/// How long a person or manager is kept.
const PERSON_AGE: Duration = Duration::from_mins(10);
/// How long it is kept that there is nobody, and what a search found.
const SHORT_AGE: Duration = Duration::from_mins(1);

/// Where people are looked up.
#[derive(Debug)]
enum Source {
    Development(DevelopmentDirectory),
    Graph(GraphDirectory),
    Nowhere,
}

/// The directory service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    known: UserAccessRepo,
    people: Cache<String, (Instant, Option<DirectoryUser>)>,
    searches: Cache<String, (Instant, Vec<DirectoryUser>)>,
}

impl Directory {
    /// The directory that the settings name.
    ///
    /// # Errors
    /// The people file of development is not usable, or the HTTP client cannot be built.
    pub fn new(database: &Database, settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Inner {
            source: source(settings)?,
            known: UserAccessRepo::new(database),
            people: Cache::new(KEPT),
            searches: Cache::new(KEPT / 10),
        })))
    }

    /// The manager of a person; `None` when there is none, or the directory does not answer.
    pub async fn manager_of(&self, person: &Person) -> Option<DirectoryUser> {
        match &self.0.source {
            Source::Development(people) => people.manager_of(&person.email).map(of_development),
            Source::Nowhere => None,
            Source::Graph(graph) => {
                let id = person.aad_id.as_deref().filter(|id| !id.is_empty());
                let id = id.map_or_else(|| person.email.key(), ToOwned::to_owned);
                let key = format!("manager:{id}");
                let asked = self.remembered(&key, async { graph.manager(&id).await }).await;
                asked.unwrap_or_else(|error| {
                    tracing::warn!(error = %error, "the directory did not name a manager");
                    None
                })
            }
        }
    }

    /// The person with this address, as the directory or this service knows them.
    ///
    /// # Errors
    /// Nobody has this address: 404. The directory does not answer and nobody here has it: 502.
    pub async fn user(&self, email: &Email) -> Result<DirectoryUser, ServiceError> {
        let failure = match self.lookup(email).await {
            Ok(Some(user)) => return Ok(user),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if let Some(row) = self.0.known.by_email(email).await? {
            return Ok(of_row(&row));
        }
        Err(match failure {
            Some(error) => ServiceError::External {
                code: ErrorCode::GraphApiError,
                message: "the directory is unavailable",
                source: Some(error.into()),
            },
            None => ServiceError::not_found(ErrorCode::NotFound, "nobody has this address"),
        })
    }

    /// The directory's record of an address, for decisions: `None` when it knows nobody or does not answer.
    pub async fn record_of(&self, email: &Email) -> Option<DirectoryUser> {
        self.lookup(email).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "the directory was not asked about an address");
            None
        })
    }

    /// People whose name or address contains the text, at most `limit`.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn search(&self, text: &str, limit: usize) -> Result<Vec<DirectoryUser>, ServiceError> {
        match &self.0.source {
            Source::Development(people) => {
                return Ok(people
                    .search(text, limit)
                    .into_iter()
                    .map(of_development)
                    .collect());
            }
            Source::Graph(graph) => match self.searched(graph, text, limit).await {
                Ok(found) => return Ok(found),
                Err(error) => tracing::warn!(error = %error, "the directory could not be searched"),
            },
            Source::Nowhere => {}
        }
        let known = self.0.known.search(text, limit).await?;
        Ok(known.iter().map(of_row).collect())
    }

    async fn lookup(&self, email: &Email) -> Result<Option<DirectoryUser>, GraphError> {
        match &self.0.source {
            Source::Development(people) => Ok(people.by_email(email).map(of_development)),
            Source::Nowhere => Ok(None),
            Source::Graph(graph) => {
                let key = format!("user:{}", email.key());
                self.remembered(&key, async { graph.user(email.as_str()).await })
                    .await
            }
        }
    }

    async fn remembered(
        &self,
        key: &str,
        ask: impl Future<Output = Result<Option<DirectoryUser>, GraphError>>,
    ) -> Result<Option<DirectoryUser>, GraphError> {
        if let Some((at, user)) = self.0.people.get(key) {
            let age = if user.is_some() { PERSON_AGE } else { SHORT_AGE };
            if at.elapsed() < age {
                return Ok(user);
            }
        }
        let user = ask.await?;
        self.0
            .people
            .insert(key.to_owned(), (Instant::now(), user.clone()));
        Ok(user)
    }

    async fn searched(
        &self,
        graph: &GraphDirectory,
        text: &str,
        limit: usize,
    ) -> Result<Vec<DirectoryUser>, GraphError> {
        let key = format!("{limit}:{}", text.trim().to_lowercase());
        if let Some((at, found)) = self.0.searches.get(&key)
            && at.elapsed() < SHORT_AGE
        {
            return Ok(found);
        }
        let found = graph.search(text.trim(), limit).await?;
        self.0.searches.insert(key, (Instant::now(), found.clone()));
        Ok(found)
    }
}

fn source(settings: &Settings) -> anyhow::Result<Source> {
    if settings.auth.mode == AuthMode::Dev {
        let people = DevelopmentDirectory::load(&settings.directory.people_file)?;
        return Ok(Source::Development(people));
    }
    let Some(client_secret) = settings.auth.client_secret.clone() else {
        tracing::warn!("no AAD_CLIENT_SECRET: the directory answers with the people known here");
        return Ok(Source::Nowhere);
    };
    Ok(Source::Graph(GraphDirectory::new(GraphAccess {
        authority: settings.auth.authority.clone(),
        tenant_id: settings.auth.tenant_id.clone(),
        client_id: settings.auth.client_id.clone(),
        client_secret,
        base_url: settings.directory.graph_base_url.clone(),
    })?))
}

fn of_development(person: &DevelopmentPerson) -> DirectoryUser {
    let filled = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    DirectoryUser {
        aad_id: Some(person.aad_id.clone()),
        email: person.email.clone(),
        display_name: person.display_name.clone(),
        job_title: filled(&person.job_title),
        department: filled(&person.department),
        manager_email: person.manager_email.clone(),
    }
}

fn of_row(row: &UserAccessRow) -> DirectoryUser {
    DirectoryUser {
        aad_id: row.aad_id.clone(),
        email: row.email.clone(),
        display_name: row.display_name.clone(),
        job_title: None,
        department: None,
        manager_email: None,
    }
}
