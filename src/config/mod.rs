//! Settings: environment variables, `.env` in development, and optional `config/*.toml`, in this order of precedence.
//!
//! Everything is read and checked once at start; every problem is reported in one message. Nothing else in the program
//! reads the environment. Names follow the contract (http-workflows 1.8, http-admin 18) and design 6.

mod reader;
mod sources;

use reader::Reader;
pub use sources::Sources;

use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// What is wrong with the settings; one line a problem.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not usable:\n{}", .problems.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// Every problem found.
    pub problems: Vec<String>,
}

/// Where the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine; brings the local issuer and the embedded database.
    Development,
    /// Anything else that is not production.
    Staging,
    /// Production.
    Production,
    /// Automatic tests.
    Test,
}

impl Environment {
    /// The word used in settings and health answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Test => "test",
        }
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ENVIRONMENT`.
    pub environment: Environment,
    /// `LOG_FORMAT`, `LOG_LEVEL`.
    pub log: LogSettings,
    /// `BIND_ADDR`, `CORS_ORIGINS`, `FRONTEND_URL` and limits of the HTTP surface.
    pub server: ServerSettings,
    /// `MONGO_URI`, `MONGO_DB` and the embedded server.
    pub database: DatabaseSettings,
    /// `AUTH_MODE`, `AAD_*`.
    pub auth: AuthSettings,
    /// `GRAPH_BASE_URL`.
    pub directory: DirectorySettings,
    /// `MAIL_*`, `SMTP_*`.
    pub mail: MailSettings,
    /// `AZURE_OPENAI_*`, `OPENAI_*`.
    pub genai: GenaiSettings,
    /// `ATTACHMENTS_*`, `ALLOWED_MIME_TYPES`.
    pub attachments: AttachmentSettings,
    /// `SCHEDULER_*`, `NOTIFICATION_*`, retention.
    pub scheduler: SchedulerSettings,
    /// `BOOTSTRAP_*`, `ADMIN_SETUP_KEY`; absent disables the bootstrap.
    pub bootstrap: Option<BootstrapSettings>,
    /// `BUSINESS_TIME_ZONE`: what "today" means for date rules.
    pub business_time_zone: chrono_tz::Tz,
    /// `COMPANY_NAME`, shown in mails.
    pub company_name: String,
    /// `STORAGE_PATH`: the folder for run-time data that is not in the database.
    pub storage_path: PathBuf,
}

/// How logs are written.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// JSON lines instead of text for people.
    pub format: LogFormat,
    /// A filter in the syntax of `tracing-subscriber`.
    pub level: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The HTTP surface.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where the service listens.
    pub bind: SocketAddr,
    /// Origins that may call with credentials; `None` echoes any origin (development only).
    pub cors_origins: Option<Vec<String>>,
    /// The SPA's address, without a trailing slash; the base of links in mails.
    pub frontend_url: Url,
    /// How many proxies may name the client's address.
    pub trusted_proxy_hops: usize,
    /// Whether API documentation is served (`DEBUG`).
    pub docs: bool,
    /// The longest a request may take, streams apart.
    pub request_timeout: Duration,
    /// Requests that may be served or wait at the same time, over all classes of routes.
    pub max_concurrent_requests: usize,
    /// `MAX_CONNECTIONS`: connections that may be open at the same time; further clients wait.
    pub max_connections: usize,
    /// `HEADER_TIMEOUT_SECONDS`: how long a client may take for the head of its next request, idle time included. Longer
    /// than load balancers keep idle connections, so that they close first.
    pub header_timeout: Duration,
    /// `REQUESTS_PER_SECOND_PER_PERSON`, ten times as many at once; 0 sets no bound.
    pub requests_per_second_per_person: u32,
    /// `RAISES_PER_MINUTE_PER_PERSON`: tickets that one person may raise.
    pub raises_per_minute_per_person: u32,
    /// `UPLOADS_PER_MINUTE_PER_PERSON`.
    pub uploads_per_minute_per_person: u32,
    /// `LOOK_UPS_PER_MINUTE_PER_PERSON`: questions to the directory.
    pub look_ups_per_minute_per_person: u32,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Where it is.
    pub server: DatabaseServer,
    /// The database's name.
    pub name: String,
    /// Most connections a process keeps.
    pub max_pool_size: u32,
}

/// Where the database server is.
#[derive(Debug, Clone)]
pub enum DatabaseServer {
    /// A private single-node replica set, started as a child process.
    Embedded {
        /// `MONGOD_PATH`: the program; searched for when absent.
        program: Option<PathBuf>,
    },
    /// An existing server; the address may hold a password.
    At(SecretString),
}

/// Who may call.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// How tokens are checked.
    pub mode: AuthMode,
    /// The tenant's id.
    pub tenant_id: String,
    /// The application's client id.
    pub client_id: String,
    /// The application's secret, for application-only directory and mail calls.
    pub client_secret: Option<SecretString>,
    /// A further accepted audience.
    pub audience: Option<String>,
    /// The scope a delegated token must have; empty accepts any.
    pub required_scope: Option<String>,
    /// The base of the issuer and key addresses, without a trailing slash.
    pub authority: Url,
}

/// How tokens are checked (design 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Tokens for this application, checked against the tenant's keys.
    EntraApi,
    /// Graph tokens, proved by calling Graph.
    GraphIntrospection,
    /// Tokens of the local issuer; development only.
    Dev,
}

/// The people directory.
#[derive(Debug, Clone)]
pub struct DirectorySettings {
    /// The base of Graph calls, without a trailing slash.
    pub graph_base_url: Url,
    /// The file of people that stands in for a directory in development.
    pub people_file: PathBuf,
}

/// Mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// How mail leaves.
    pub transport: MailTransport,
    /// The sender's address.
    pub from: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// `MAIL_RECIPIENT_DOMAINS`: domains, in lower case, whose addresses workflows may name as recipients, beside the
    /// domain of a ticket's requester.
    pub recipient_domains: Vec<String>,
    /// `MAIL_MAX_CONCURRENT_SENDS`: mails that this process hands over at the same time.
    pub max_concurrent_sends: usize,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub enum MailTransport {
    /// An SMTP server.
    Smtp(SmtpSettings),
    /// Graph's `sendMail` in the name of a service mailbox.
    Graph {
        /// The mailbox.
        mailbox: String,
    },
    /// Written to the log and to files under the storage folder.
    Log,
    /// Nothing leaves.
    Disabled,
}

/// An SMTP server.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user, when the server asks for one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// How the connection is protected.
    pub tls: SmtpTls,
}

/// How an SMTP connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all; loopback only.
    None,
    /// `STARTTLS`, required.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

/// The language model.
#[derive(Debug, Clone)]
pub struct GenaiSettings {
    /// Where it is; absent: everything works from templates.
    pub model: Option<ModelSettings>,
    /// `GENAI_MAX_CONCURRENT_CALLS`: calls at the same time; four times as many may wait for their turn.
    pub max_concurrent_calls: usize,
    /// `GENAI_TIMEOUT_SECONDS`: how long all calls of one request may take together, retries and waits included; what is
    /// left of the 25 s that clients are promised is for checks and the database.
    pub timeout: Duration,
    /// `GENAI_REQUESTS_PER_MINUTE`: requests that use the model one person may make a minute, of one process.
    pub requests_per_minute: u32,
    /// `GENAI_TOKENS_PER_DAY`: tokens one person may use on a day (UTC), of all processes together.
    pub tokens_per_day: u64,
}

/// A model's address.
#[derive(Debug, Clone)]
pub enum ModelSettings {
    /// Azure OpenAI.
    Azure {
        /// The resource's address.
        endpoint: Url,
        /// The key.
        api_key: SecretString,
        /// The deployment.
        deployment: String,
        /// The API version.
        api_version: String,
    },
    /// Any server with OpenAI's API.
    OpenAi {
        /// The base address, with its version segment.
        base_url: Url,
        /// The key; may be empty for local servers.
        api_key: SecretString,
        /// The model's name.
        model: String,
    },
}

/// Uploaded files.
#[derive(Debug, Clone)]
pub struct AttachmentSettings {
    /// The object store's address.
    pub store_url: Url,
    /// What the object store is opened with beside its address: region, credentials.
    pub store_options: Vec<(String, SecretString)>,
    /// The initial size limit, in mebibytes; an administrator may change it.
    pub max_mb: u64,
    /// The initial allowed types; an administrator may change them.
    pub allowed_mime_types: Vec<String>,
}

/// Background work.
#[derive(Debug, Clone)]
pub struct SchedulerSettings {
    /// Whether this process runs background jobs.
    pub enabled: bool,
    /// How often the outbox is looked at without a wake-up.
    pub interval: Duration,
    /// The initial number of delivery attempts; an administrator may change it.
    pub notification_max_retries: u32,
    /// How long one process owns a mail it is sending.
    pub lock_duration: Duration,
    /// Sent mails are kept this many days.
    pub outbox_retention_days: u32,
    /// In-app notices are kept this many days.
    pub inapp_retention_days: u32,
}

/// The first super administrator.
#[derive(Debug, Clone)]
pub struct BootstrapSettings {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// `ADMIN_SETUP_KEY`: must accompany the set-up when configured.
    pub setup_key: Option<SecretString>,
}

impl Settings {
    /// Reads the settings of this process.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_sources(Sources::of_process()?)
    }

    /// Builds settings from named values, as [`Self::load`] does from the process's.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn from_sources(sources: Sources) -> Result<Self, ConfigError> {
        let mut read = Reader::new(sources);
        let settings = Self::read(&mut read);
        read.finish(settings)
    }

    /// Reads every setting; what is wrong with them stays with the reader.
    fn read(read: &mut Reader) -> Self {
        let environment = read.environment();
        let development = environment == Environment::Development;
        let storage_path = PathBuf::from(read.text_or("STORAGE_PATH", "storage"));
        let frontend_url = read.frontend_url();
        Self {
            environment,
            log: LogSettings {
                format: read.log_format(development),
                level: read.text_or(
                    "LOG_LEVEL",
                    "info,mongodb=warn,hyper=warn,tokio_cron_scheduler=warn",
                ),
            },
            server: ServerSettings {
                bind: read.parsed_or(
                    "BIND_ADDR",
                    "127.0.0.1:8000",
                    "an address and port like 127.0.0.1:8000",
                ),
                cors_origins: read.cors_origins(development, &frontend_url),
                frontend_url,
                trusted_proxy_hops: read.number_or("TRUSTED_PROXY_HOPS", 0, 0, 16),
                docs: read.flag_or("DEBUG", true),
                request_timeout: Duration::from_secs(read.number_or("REQUEST_TIMEOUT_SECONDS", 28, 1, 300)),
                max_concurrent_requests: read.number_or("MAX_CONCURRENT_REQUESTS", 1_024, 12, 100_000),
                max_connections: read.number_or("MAX_CONNECTIONS", 4_096, 1, 1_000_000),
                header_timeout: Duration::from_secs(read.number_or("HEADER_TIMEOUT_SECONDS", 75, 1, 3_600)),
                requests_per_second_per_person: read.number_or(
                    "REQUESTS_PER_SECOND_PER_PERSON",
                    100,
                    0,
                    1_000_000,
                ),
                raises_per_minute_per_person: read.number_or(
                    "RAISES_PER_MINUTE_PER_PERSON",
                    120,
                    1,
                    1_000_000,
                ),
                uploads_per_minute_per_person: read.number_or(
                    "UPLOADS_PER_MINUTE_PER_PERSON",
                    120,
                    1,
                    1_000_000,
                ),
                look_ups_per_minute_per_person: read.number_or(
                    "LOOK_UPS_PER_MINUTE_PER_PERSON",
                    240,
                    1,
                    1_000_000,
                ),
            },
            database: DatabaseSettings {
                server: read.database_server(development),
                name: read.database_name(),
                max_pool_size: read.number_or("MONGO_MAX_POOL_SIZE", 64, 1, 10_000),
            },
            auth: read.auth(environment),
            directory: DirectorySettings {
                graph_base_url: read.service_url("GRAPH_BASE_URL", "https://graph.microsoft.com/v1.0"),
                people_file: PathBuf::from(read.text_or("DEV_PEOPLE_FILE", "config/people.json")),
            },
            mail: read.mail(development),
            genai: GenaiSettings {
                model: read.model(),
                max_concurrent_calls: read.number_or("GENAI_MAX_CONCURRENT_CALLS", 8, 1, 1_000),
                timeout: Duration::from_secs(read.number_or("GENAI_TIMEOUT_SECONDS", 22, 1, 23)),
                requests_per_minute: read.number_or("GENAI_REQUESTS_PER_MINUTE", 20, 1, 10_000),
                tokens_per_day: read.number_or("GENAI_TOKENS_PER_DAY", 200_000, 1, 1_000_000_000),
            },
            attachments: read.attachments(&storage_path),
            scheduler: SchedulerSettings {
                enabled: read.flag_or("SCHEDULER_ENABLED", true),
                interval: Duration::from_secs(read.number_or("SCHEDULER_INTERVAL_SECONDS", 10, 1, 3_600)),
                notification_max_retries: read.number_or("NOTIFICATION_MAX_RETRIES", 5, 1, 10),
                lock_duration: Duration::from_secs(read.number_or(
                    "NOTIFICATION_LOCK_DURATION_SECONDS",
                    60,
                    5,
                    3_600,
                )),
                outbox_retention_days: read.number_or("OUTBOX_RETENTION_DAYS", 180, 1, 3_650),
                inapp_retention_days: read.number_or("INAPP_RETENTION_DAYS", 90, 1, 3_650),
            },
            bootstrap: read.bootstrap(),
            business_time_zone: read.parsed_or(
                "BUSINESS_TIME_ZONE",
                "UTC",
                "a time zone name like Europe/Berlin",
            ),
            company_name: read.text_or("COMPANY_NAME", "Workflow Ops"),
            storage_path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::from_sources(Sources::of_pairs(pairs))
    }

    #[test]
    fn development_needs_no_settings_at_all() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.environment, Environment::Development);
        assert_eq!(settings.auth.mode, AuthMode::Dev);
        assert!(matches!(
            settings.database.server,
            DatabaseServer::Embedded { .. }
        ));
        assert!(matches!(settings.mail.transport, MailTransport::Log));
    }

    #[test]
    fn the_example_file_names_every_setting_and_no_other() {
        let example = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example"));
        let named = example.lines().filter_map(|line| {
            let (name, _) = line.trim_start_matches("# ").split_once('=')?;
            let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            (is_name && !name.is_empty()).then_some(name)
        });
        let named: std::collections::BTreeSet<&str> = named.collect();
        let mut read = Reader::new(Sources::of_pairs(&[("MAIL_TRANSPORT", "graph")]));
        Settings::read(&mut read);
        assert_eq!(named, read.known);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let problems = with(&[
            ("ENVIRONMENT", "production"),
            ("BIND_ADDR", "nowhere"),
            ("SCHEDULER_INTERVAL_SECONDS", "0"),
            ("GRAPH_BASE_URL", "http://graph.example"),
        ])
        .unwrap_err()
        .problems
        .join("\n");
        for name in [
            "BIND_ADDR",
            "SCHEDULER_INTERVAL_SECONDS",
            "GRAPH_BASE_URL",
            "MONGO_URI",
            "AUTH_MODE",
            "MAIL_TRANSPORT",
        ] {
            assert!(problems.contains(name), "{name} is missing in {problems}");
        }
    }

    #[test]
    fn graph_gets_as_many_mails_at_a_time_as_it_takes_unless_an_operator_says_otherwise() {
        let sends = |pairs: &[(&str, &str)]| {
            let mut read = Reader::new(Sources::of_pairs(pairs));
            Settings::read(&mut read).mail.max_concurrent_sends
        };
        assert_eq!(sends(&[]), 8);
        assert_eq!(sends(&[("MAIL_TRANSPORT", "graph")]), 4);
        let told = [("MAIL_TRANSPORT", "graph"), ("MAIL_MAX_CONCURRENT_SENDS", "2")];
        assert_eq!(sends(&told), 2);
    }

    #[test]
    fn the_local_issuer_exists_in_development_only() {
        let problems = with(&[
            ("ENVIRONMENT", "production"),
            ("AUTH_MODE", "dev"),
            ("MONGO_URI", "mongodb://127.0.0.1"),
            ("MAIL_TRANSPORT", "disabled"),
        ])
        .unwrap_err()
        .problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("AUTH_MODE"));
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let settings = with(&[
            ("AAD_CLIENT_SECRET", "s3cret-value"),
            ("MONGO_URI", "mongodb://u:s3cret-value@127.0.0.1"),
            ("BOOTSTRAP_USERNAME", "root"),
            ("BOOTSTRAP_PASSWORD", "s3cret-value"),
        ])
        .unwrap();
        assert!(!format!("{settings:?}").contains("s3cret-value"));
    }

    #[test]
    fn unknown_keys_of_files_are_refused() {
        let sources =
            Sources::of_pairs(&[]).with_file_key("config/local.toml", "scheduler_intervall_seconds", "3");
        let problems = Settings::from_sources(sources).unwrap_err().problems;
        assert!(
            problems[0].contains("SCHEDULER_INTERVALL_SECONDS"),
            "{problems:?}"
        );
    }
}
