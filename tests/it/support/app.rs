//! The service as a test runs it: a port of its own, a database of its own, a clock that stands still.

use super::client::TestClient;
use super::mongo;
use mongodb::Database;
use secrecy::SecretString;
use std::time::Duration;
use tempfile::TempDir;
use workflow_ops::api;
use workflow_ops::app::App;
use workflow_ops::clients::development_directory::DevelopmentDirectory;
use workflow_ops::config::{Settings, Sources};
use workflow_ops::domain::person::Email;
use workflow_ops::domain::time::{Clock, Timestamp};
use workflow_ops::repositories::{indexes, mongo as store};
use workflow_ops::services::access::{ChangedBy, GrantAdmin, GrantPersonas, PersonaFlags};

/// Where the clock of tests stands at first: 2026-01-05T09:30:00Z, a Monday.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_767_605_400_000);

/// A running service.
#[derive(Debug)]
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) base: String,
    pub(crate) clock: Clock,
    http: reqwest::Client,
    storage: TempDir,
}

impl TestApp {
    /// A service in development mode whose people have no rights yet.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with these settings.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let database = format!("t{}", &workflow_ops::domain::id::random_key()[..16]);
        Self::start(settings, &database, Clock::fixed(START)).await
    }

    /// A further process on the same database and clock.
    pub(crate) async fn second_process(&self, settings: &[(&str, &str)]) -> Self {
        Self::start(settings, self.app.database.name(), self.clock.clone()).await
    }

    /// The same with the people's personas and roles of `config/people.json`.
    pub(crate) async fn with_people() -> Self {
        let app = Self::new().await;
        app.grant_people_their_rights().await;
        app
    }

    async fn start(settings: &[(&str, &str)], database: &str, clock: Clock) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let storage = tempfile::tempdir().unwrap();
        let given = settings.iter().find(|(name, _)| *name == "MONGO_URI");
        let uri = if let Some((_, uri)) = given {
            uri
        } else {
            mongo::uri()
        };
        let folder = storage.path().to_str().unwrap().to_owned();
        let people = concat!(env!("CARGO_MANIFEST_DIR"), "/config/people.json");
        let mut pairs = vec![
            ("MONGO_URI", uri),
            ("MONGO_DB", database),
            ("STORAGE_PATH", &folder),
            ("DEV_PEOPLE_FILE", people),
            ("REQUESTS_PER_SECOND_PER_PERSON", "0"),
        ];
        pairs.retain(|(name, _)| !settings.iter().any(|(given, _)| given == name));
        pairs.extend(settings);
        let settings = Settings::from_sources(Sources::of_pairs(&pairs)).unwrap();
        // Keys are generated once a run; generating one takes long.
        std::fs::write(storage.path().join("development-issuer.der"), issuer_key()).unwrap();
        let (database, primary) = store::connect_watching(&SecretString::from(uri), database, 32)
            .await
            .unwrap();
        indexes::ensure(&database).await.unwrap();
        let app = App::build_watching(settings, clock.clone(), database, primary).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stopping = app.tasks.stopping.clone();
        app.tasks
            .tracker
            .spawn(api::serve(app.clone(), listener, stopping));
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            app,
            base,
            clock,
            http,
            storage,
        }
    }

    /// Where the service keeps its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.storage.path()
    }

    /// The database behind the service.
    pub(crate) fn database(&self) -> &Database {
        &self.app.database
    }

    /// A caller without a token.
    pub(crate) fn anonymous(&self) -> TestClient {
        TestClient {
            http: self.http.clone(),
            base: self.base.clone(),
            token: None,
        }
    }

    /// A caller with any token.
    pub(crate) fn with_token(&self, token: &str) -> TestClient {
        TestClient {
            token: Some(token.to_owned()),
            ..self.anonymous()
        }
    }

    /// A person of `config/people.json` by the part of the address before the at sign.
    pub(crate) fn person(&self, local_part: &str) -> TestClient {
        let email = Email::try_from(format!("{local_part}@example.com")).unwrap();
        let issuer = self.app.authenticator.dev_issuer().unwrap();
        self.with_token(&issuer.mint(&email).unwrap().token)
    }

    /// Gives everybody the personas and roles that seeding gives.
    pub(crate) async fn grant_people_their_rights(&self) {
        grant_people_their_rights(&self.app).await;
    }
}

/// Gives everybody the personas and roles that seeding gives.
pub(crate) async fn grant_people_their_rights(app: &App) {
    let people = DevelopmentDirectory::load(&app.settings.directory.people_file).unwrap();
    let by = ChangedBy::operator();
    for person in people.people() {
        let personas = person.granted_personas();
        if !person.personas.is_empty() {
            let grant = GrantPersonas {
                email: person.email.clone(),
                display_name: person.display_name.clone(),
                aad_id: Some(person.aad_id.clone()),
                flags: PersonaFlags {
                    designer: Some(personas.designer),
                    manager: Some(personas.manager),
                    agent: Some(personas.agent),
                },
            };
            app.access.grant_personas(&grant, &by).await.unwrap();
        }
        if let Some(role) = person.admin_role {
            let grant = GrantAdmin {
                email: person.email.clone(),
                display_name: person.display_name.clone(),
                aad_id: Some(person.aad_id.clone()),
                role,
            };
            app.access.grant_admin(&grant, &by).await.unwrap();
        }
    }
}

impl Drop for TestApp {
    /// Stops the service and removes its database; the work is done on a thread, because dropping cannot wait.
    fn drop(&mut self) {
        self.app.tasks.stopping.cancel();
        let (uri, name) = (mongo::uri(), self.app.database.name().to_owned());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                if let Ok(database) = store::connect(&SecretString::from(uri), &name, 1).await {
                    let _ = database.drop().await;
                }
            });
        });
    }
}

/// The key of the local issuer, generated once a run.
pub(crate) fn issuer_key() -> &'static [u8] {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use std::sync::OnceLock;
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        pair.as_der().unwrap().as_ref().to_vec()
    })
}
