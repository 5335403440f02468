//! The people directory: Graph, the development organisation, or only the people known here (contract http-workflows 5).
//!
//! Where callers present Graph tokens (`graph_introspection`), Graph is asked in the caller's name with the caller's own
//! token; elsewhere, and for what happens without a caller, as the application. Invariants: nobody is invented: when
//! the directory is down or absent, people known here answer for themselves; what Graph told one caller in that
//! caller's name is not shown to another; tokens stay in memory, until they end at most.

use crate::clients::development_directory::{DevelopmentDirectory, DevelopmentPerson};
use crate::clients::graph_directory::{Credential, GraphAccess, GraphDirectory, GraphError};
use crate::config::{AuthMode, Settings};
use crate::domain::directory_user::DirectoryUser;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::{Email, Person};
use crate::repositories::user_access_repo::{UserAccessRepo, UserAccessRow};
use mongodb::Database;
use quick_cache::sync::Cache;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many answers are kept.
const KEPT: usize = 10_000;
/// How many callers' tokens are kept.
const TOKENS: usize = 5_000;
/// How long a person or manager is kept.
const PERSON_AGE: Duration = Duration::from_mins(10);
/// How long it is kept that there is nobody, and what a search found.
const SHORT_AGE: Duration = Duration::from_mins(1);

/// Where people are looked up.
#[derive(Debug)]
enum Source {
    Development(DevelopmentDirectory),
    /// Graph, asked as the application.
    Graph(GraphDirectory),
    /// Graph, asked in the callers' names as far as they can be.
    GraphOfCallers {
        graph: GraphDirectory,
        /// Callers' tokens by object id, and when they end.
        tokens: Cache<String, (SecretString, Instant)>,
    },
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

    /// Keeps the proved token of a caller, so that Graph can be asked in the caller's name; where callers present no
    /// Graph tokens, nothing is kept.
    pub fn lend(&self, caller: &Person, token: &SecretString, ends_in: Duration) {
        if let Source::GraphOfCallers { tokens, .. } = &self.0.source
            && let Some(id) = caller.aad_id.clone()
        {
            tokens.insert(id, (token.clone(), Instant::now() + ends_in));
        }
    }

    /// The manager of a person, asked for `caller`; `None` when there is none, or the directory does not answer.
    pub async fn manager_of(&self, caller: &Person, person: &Person) -> Option<DirectoryUser> {
        if let Source::Development(people) = &self.0.source {
            return people.manager_of(&person.email).map(of_development);
        }
        let question = self.question(caller)?;
        let id = person.aad_id.as_deref().filter(|id| !id.is_empty());
        let id = id.map_or_else(|| person.email.key(), ToOwned::to_owned);
        let asked = self
            .remembered(&question.key("manager", &id), async {
                let is_own = matches!(question.by, Credential::Caller(_)) && person.is_same(caller);
                if is_own {
                    question.graph.own_manager(&question.by).await
                } else {
                    question.graph.manager(&question.by, &id).await
                }
            })
            .await;
        asked.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "the directory did not name a manager");
            None
        })
    }

    /// The person with this address, as the directory or this service knows them, asked for `caller`.
    ///
    /// # Errors
    /// Nobody has this address: 404. The directory does not answer and nobody here has it: 502.
    pub async fn user(&self, caller: &Person, email: &Email) -> Result<DirectoryUser, ServiceError> {
        let failure = match self.lookup(caller, email).await {
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

    /// The directory's record of an address, for a decision about a command of `caller`: `None` when it knows nobody
    /// or does not answer.
    pub async fn record_of(&self, caller: &Person, email: &Email) -> Option<DirectoryUser> {
        self.lookup(caller, email).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "the directory was not asked about an address");
            None
        })
    }

    /// People whose name or address contains the text, at most `limit`, looked for in the name of `caller`.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn search(
        &self,
        caller: &Person,
        text: &str,
        limit: usize,
    ) -> Result<Vec<DirectoryUser>, ServiceError> {
        if let Source::Development(people) = &self.0.source {
            let found = people.search(text, limit);
            return Ok(found.into_iter().map(of_development).collect());
        }
        if let Some(question) = self.question(caller) {
            match self.searched(&question, text, limit).await {
                Ok(found) => return Ok(found),
                Err(error) => tracing::warn!(error = %error, "the directory could not be searched"),
            }
        }
        let known = self.0.known.search(text, limit).await?;
        Ok(known.iter().map(of_row).collect())
    }

    /// How Graph is asked for `caller`; `None` when there is no Graph.
    fn question(&self, caller: &Person) -> Option<Question<'_>> {
        match &self.0.source {
            Source::Development(_) | Source::Nowhere => None,
            Source::Graph(graph) => Some(Question {
                graph,
                by: Credential::Application,
                scope: String::new(),
            }),
            Source::GraphOfCallers { graph, tokens } => {
                let id = caller.aad_id.clone().unwrap_or_default();
                let lent = tokens.get(&id).filter(|(_, ends)| *ends > Instant::now());
                Some(lent.map_or_else(
                    || Question {
                        graph,
                        by: Credential::Application,
                        scope: String::new(),
                    },
                    |(token, _)| Question {
                        graph,
                        by: Credential::Caller(token),
                        scope: id.clone(),
                    },
                ))
            }
        }
    }

    async fn lookup(&self, caller: &Person, email: &Email) -> Result<Option<DirectoryUser>, GraphError> {
        if let Source::Development(people) = &self.0.source {
            return Ok(people.by_email(email).map(of_development));
        }
        let Some(question) = self.question(caller) else {
            return Ok(None);
        };
        let asking = async { question.graph.user(&question.by, email.as_str()).await };
        self.remembered(&question.key("user", &email.key()), asking).await
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
        question: &Question<'_>,
        text: &str,
        limit: usize,
    ) -> Result<Vec<DirectoryUser>, GraphError> {
        let key = question.key(&limit.to_string(), &text.trim().to_lowercase());
        if let Some((at, found)) = self.0.searches.get(&key)
            && at.elapsed() < SHORT_AGE
        {
            return Ok(found);
        }
        let found = question.graph.search(&question.by, text.trim(), limit).await?;
        self.0.searches.insert(key, (Instant::now(), found.clone()));
        Ok(found)
    }
}

/// In whose name Graph is asked, and under which name its answers are kept.
struct Question<'a> {
    graph: &'a GraphDirectory,
    by: Credential,
    /// The caller's object id when it is asked in the caller's name.
    scope: String,
}

impl Question<'_> {
    fn key(&self, kind: &str, of: &str) -> String {
        format!("{}|{kind}|{of}", self.scope)
    }
}

fn source(settings: &Settings) -> anyhow::Result<Source> {
    if settings.auth.mode == AuthMode::Dev {
        let people = DevelopmentDirectory::load(&settings.directory.people_file)?;
        return Ok(Source::Development(people));
    }
    let of_callers = settings.auth.mode == AuthMode::GraphIntrospection;
    let client_secret = settings.auth.client_secret.clone();
    if client_secret.is_none() && !of_callers {
        tracing::warn!("no AAD_CLIENT_SECRET: the directory answers with the people known here");
        return Ok(Source::Nowhere);
    }
    let graph = GraphDirectory::new(GraphAccess {
        authority: settings.auth.authority.clone(),
        tenant_id: settings.auth.tenant_id.clone(),
        client_id: settings.auth.client_id.clone(),
        client_secret,
        base_url: settings.directory.graph_base_url.clone(),
    })?;
    Ok(if of_callers {
        let tokens = Cache::new(TOKENS);
        Source::GraphOfCallers { graph, tokens }
    } else {
        Source::Graph(graph)
    })
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
