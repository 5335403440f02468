//! Reads single settings and collects what is wrong with them.

use super::{
    AttachmentSettings, AuthMode, AuthSettings, BootstrapSettings, ConfigError, DatabaseServer, Environment,
    LogFormat, MailSettings, MailTransport, ModelSettings, Settings, SmtpSettings, SmtpTls, Sources,
};
use crate::domain::person::Email;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use url::{Host, Url};

const DEFAULT_MIME_TYPES: &str = "application/pdf,image/png,image/jpeg,image/gif,application/msword,\
application/vnd.openxmlformats-officedocument.wordprocessingml.document,application/vnd.ms-excel,\
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,text/plain,text/csv";

pub(super) struct Reader {
    sources: Sources,
    pub(super) known: BTreeSet<&'static str>,
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn new(sources: Sources) -> Self {
        Self {
            sources,
            known: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// Hands the settings out if nothing was wrong; keys of files that nobody asked for are wrong too.
    pub(super) fn finish(mut self, settings: Settings) -> Result<Settings, ConfigError> {
        for (file, key) in self.sources.file_keys() {
            if !self.known.contains(key.as_str()) {
                self.problems.push(format!("{file}: unknown key {key}"));
            }
        }
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(ConfigError {
                problems: self.problems,
            })
        }
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.insert(name);
        self.sources.get(name).map(str::to_owned)
    }

    fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    pub(super) fn text_or(&mut self, name: &'static str, default: &str) -> String {
        self.text(name).unwrap_or_else(|| default.to_owned())
    }

    /// A value of type `T`; `default` must parse.
    pub(super) fn parsed_or<T: FromStr + Clone>(
        &mut self,
        name: &'static str,
        default: &str,
        wanted: &str,
    ) -> T {
        let given = self.text(name);
        if let Some(text) = &given {
            if let Ok(value) = text.parse() {
                return value;
            }
            self.problem(format!("{name} must be {wanted}"));
        }
        match default.parse() {
            Ok(value) => value,
            Err(_) => unreachable!("the default of {name} parses, which a test of all defaults shows"),
        }
    }

    pub(super) fn number_or<T>(&mut self, name: &'static str, default: T, least: T, most: T) -> T
    where
        T: FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        match self.text(name).map(|text| text.parse::<T>()) {
            None => default,
            Some(Ok(value)) if value >= least && value <= most => value,
            Some(_) => {
                self.problem(format!("{name} must be a whole number from {least} to {most}"));
                default
            }
        }
    }

    pub(super) fn flag_or(&mut self, name: &'static str, default: bool) -> bool {
        match self.text(name).map(|text| text.to_lowercase()).as_deref() {
            None => default,
            Some("true" | "1" | "yes" | "on") => true,
            Some("false" | "0" | "no" | "off") => false,
            Some(_) => {
                self.problem(format!("{name} must be true or false"));
                default
            }
        }
    }

    pub(super) fn environment(&mut self) -> Environment {
        match self.text_or("ENVIRONMENT", "development").as_str() {
            "development" => Environment::Development,
            "staging" => Environment::Staging,
            "production" => Environment::Production,
            "test" => Environment::Test,
            _ => {
                self.problem("ENVIRONMENT must be development, test, staging or production");
                Environment::Production
            }
        }
    }

    pub(super) fn log_format(&mut self, development: bool) -> LogFormat {
        match self.text("LOG_FORMAT").as_deref() {
            None if development => LogFormat::Pretty,
            None | Some("json") => LogFormat::Json,
            Some("pretty") => LogFormat::Pretty,
            Some(_) => {
                self.problem("LOG_FORMAT must be pretty or json");
                LogFormat::Json
            }
        }
    }

    pub(super) fn frontend_url(&mut self) -> Url {
        let default = "http://localhost:3000";
        let url: Url = self.parsed_or("FRONTEND_URL", default, "an absolute http or https address");
        if !matches!(url.scheme(), "http" | "https") {
            self.problem("FRONTEND_URL must be an absolute http or https address");
        }
        url
    }

    /// The address of an outside service: `https`, or `http` on loopback.
    pub(super) fn service_url(&mut self, name: &'static str, default: &str) -> Url {
        let url: Url = self.parsed_or(name, default, "an absolute address");
        self.check_service_url(name, &url);
        url
    }

    fn check_service_url(&mut self, name: &str, url: &Url) {
        let loopback = match url.host() {
            Some(Host::Domain(domain)) => domain == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            self.problem(format!("{name} must be an https address (http only on loopback)"));
        }
    }

    pub(super) fn cors_origins(&mut self, development: bool, frontend: &Url) -> Option<Vec<String>> {
        let Some(text) = self.text("CORS_ORIGINS") else {
            return Some(vec![frontend.origin().ascii_serialization()]);
        };
        if text == "*" {
            if !development {
                self.problem("CORS_ORIGINS may be * in development only");
            }
            return None;
        }
        let mut origins = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match Url::parse(part) {
                Ok(url) if url.origin().is_tuple() => origins.push(url.origin().ascii_serialization()),
                _ => self.problem(format!(
                    "CORS_ORIGINS: {part} is not an origin like https://app.example.com"
                )),
            }
        }
        Some(origins)
    }

    pub(super) fn database_server(&mut self, development: bool) -> DatabaseServer {
        let program = self.text("MONGOD_PATH").map(PathBuf::from);
        match self.text("MONGO_URI") {
            None if development => DatabaseServer::Embedded { program },
            None => {
                self.problem("MONGO_URI is required outside of development");
                DatabaseServer::Embedded { program }
            }
            Some(uri) if uri == "embedded" => {
                if !development {
                    self.problem("MONGO_URI may be embedded in development only");
                }
                DatabaseServer::Embedded { program }
            }
            Some(uri) => {
                if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
                    self.problem("MONGO_URI must start with mongodb:// or mongodb+srv://");
                }
                DatabaseServer::At(SecretString::from(uri))
            }
        }
    }

    pub(super) fn database_name(&mut self) -> String {
        let name = self.text_or("MONGO_DB", "workflow_ops");
        let plain = name.len() <= 60
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if !plain {
            self.problem("MONGO_DB must be at most 60 letters, digits, hyphens and underscores");
        }
        name
    }

    pub(super) fn auth(&mut self, environment: Environment) -> AuthSettings {
        let development = environment == Environment::Development;
        let mode = match self.text("AUTH_MODE").as_deref() {
            None if development => AuthMode::Dev,
            None => {
                self.problem(
                    "AUTH_MODE is required outside of development: entra_api or graph_introspection",
                );
                AuthMode::EntraApi
            }
            Some("dev") => {
                if !development {
                    self.problem("AUTH_MODE may be dev in development only");
                }
                AuthMode::Dev
            }
            Some("entra_api") => AuthMode::EntraApi,
            Some("graph_introspection") => AuthMode::GraphIntrospection,
            Some(_) => {
                self.problem("AUTH_MODE must be entra_api, graph_introspection or dev");
                AuthMode::EntraApi
            }
        };
        let tenant_id = self.text_or("AAD_TENANT_ID", "");
        let client_id = self.text_or("AAD_CLIENT_ID", "");
        if mode != AuthMode::Dev {
            for (name, value) in [("AAD_TENANT_ID", &tenant_id), ("AAD_CLIENT_ID", &client_id)] {
                if value.is_empty() {
                    self.problem(format!("{name} is required with this AUTH_MODE"));
                }
            }
        }
        AuthSettings {
            mode,
            tenant_id,
            client_id,
            client_secret: self.secret("AAD_CLIENT_SECRET"),
            audience: self.text("AAD_AUDIENCE"),
            required_scope: self.text("AAD_REQUIRED_SCOPE"),
            authority: self.service_url("AAD_AUTHORITY", "https://login.microsoftonline.com"),
        }
    }

    pub(super) fn mail(&mut self, development: bool) -> MailSettings {
        let transport = match self.text("MAIL_TRANSPORT").as_deref() {
            None if development => MailTransport::Log,
            None => {
                self.problem(
                    "MAIL_TRANSPORT is required outside of development: smtp, graph, log or disabled",
                );
                MailTransport::Disabled
            }
            Some("smtp") => MailTransport::Smtp(self.smtp()),
            Some("graph") => MailTransport::Graph {
                mailbox: self.graph_mailbox(),
            },
            Some("log") => MailTransport::Log,
            Some("disabled") => MailTransport::Disabled,
            Some(_) => {
                self.problem("MAIL_TRANSPORT must be smtp, graph, log or disabled");
                MailTransport::Disabled
            }
        };
        self.known.extend([
            "SMTP_HOST",
            "SMTP_PORT",
            "SMTP_USERNAME",
            "SMTP_PASSWORD",
            "SMTP_TLS",
        ]);
        let from = self.text_or("MAIL_FROM", "workflow-ops@localhost.localdomain");
        self.check_address("MAIL_FROM", &from);
        let reply_to = self.text("MAIL_REPLY_TO");
        if let Some(address) = &reply_to {
            self.check_address("MAIL_REPLY_TO", address);
        }
        MailSettings {
            transport,
            from,
            reply_to,
            recipient_domains: self.recipient_domains(),
        }
    }

    fn recipient_domains(&mut self) -> Vec<String> {
        let text = self.text_or("MAIL_RECIPIENT_DOMAINS", "").to_lowercase();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let domains: Vec<String> = parts.map(str::to_owned).collect();
        for domain in &domains {
            if Email::try_from(format!("x@{domain}")).is_err() {
                self.problem(format!(
                    "MAIL_RECIPIENT_DOMAINS: {domain} is not a domain like example.com"
                ));
            }
        }
        domains
    }

    fn check_address(&mut self, name: &str, address: &str) {
        if Email::try_from(address).is_err() {
            self.problem(format!("{name} must be an e-mail address"));
        }
    }

    fn graph_mailbox(&mut self) -> String {
        let mailbox = self.text_or("SERVICE_MAILBOX_EMAIL", "");
        self.check_address("SERVICE_MAILBOX_EMAIL", &mailbox);
        if self.text("AAD_CLIENT_SECRET").is_none() {
            self.problem("AAD_CLIENT_SECRET is required with MAIL_TRANSPORT=graph");
        }
        mailbox
    }

    fn smtp(&mut self) -> SmtpSettings {
        let host = self.text_or("SMTP_HOST", "");
        if host.is_empty() {
            self.problem("SMTP_HOST is required with MAIL_TRANSPORT=smtp");
        }
        let loopback = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let tls = match self.text("SMTP_TLS").as_deref() {
            None | Some("starttls") => SmtpTls::StartTls,
            Some("implicit") => SmtpTls::Implicit,
            Some("none") if loopback => SmtpTls::None,
            Some("none") => {
                self.problem("SMTP_TLS may be none on loopback only");
                SmtpTls::StartTls
            }
            Some(_) => {
                self.problem("SMTP_TLS must be starttls, implicit or none");
                SmtpTls::StartTls
            }
        };
        let default_port = if tls == SmtpTls::Implicit { 465 } else { 587 };
        SmtpSettings {
            host,
            port: self.number_or("SMTP_PORT", default_port, 1, u16::MAX),
            username: self.text("SMTP_USERNAME"),
            password: self.secret("SMTP_PASSWORD"),
            tls,
        }
    }

    pub(super) fn model(&mut self) -> Option<ModelSettings> {
        let azure_deployment = self
            .text("AZURE_OPENAI_DEPLOYMENT")
            .or_else(|| self.text("AZURE_OPENAI_DEPLOYMENT_NAME"));
        self.known.insert("AZURE_OPENAI_DEPLOYMENT_NAME");
        let api_version = self.text_or("AZURE_OPENAI_API_VERSION", "2024-10-21");
        let azure_key = self.secret("AZURE_OPENAI_API_KEY");
        let azure_endpoint = self.text("AZURE_OPENAI_ENDPOINT");
        let model = self.text("OPENAI_MODEL");
        let api_key = self.secret("OPENAI_API_KEY").unwrap_or_default();
        if self.text("OPENAI_BASE_URL").is_some() {
            let base_url = self.service_url("OPENAI_BASE_URL", "https://localhost/v1");
            let Some(model) = model else {
                self.problem("OPENAI_MODEL is required with OPENAI_BASE_URL");
                return None;
            };
            return Some(ModelSettings::OpenAi {
                base_url,
                api_key,
                model,
            });
        }
        let (Some(_), Some(api_key)) = (azure_endpoint, azure_key) else {
            return None;
        };
        let endpoint = self.service_url("AZURE_OPENAI_ENDPOINT", "https://localhost");
        let deployment = azure_deployment.unwrap_or_else(|| "gpt-4".to_owned());
        Some(ModelSettings::Azure {
            endpoint,
            api_key,
            deployment,
            api_version,
        })
    }

    pub(super) fn attachments(&mut self, storage: &Path) -> AttachmentSettings {
        let default_folder = storage.join("attachments");
        let folder = PathBuf::from(self.text_or("ATTACHMENTS_BASE_PATH", &default_folder.to_string_lossy()));
        let store_url = match self.text("ATTACHMENTS_URL") {
            Some(text) => Url::parse(&text).ok().filter(|url| {
                matches!(
                    url.scheme(),
                    "file" | "s3" | "s3a" | "az" | "azure" | "abfs" | "abfss" | "gs" | "memory"
                )
            }),
            None => std::path::absolute(&folder)
                .ok()
                .and_then(|path| Url::from_directory_path(path).ok()),
        };
        let store_url = store_url.unwrap_or_else(|| {
            self.problem("ATTACHMENTS_URL must be a file://, s3://, az:// or gs:// address");
            Url::from_directory_path("/").unwrap_or_else(|()| unreachable!("the root folder has an address"))
        });
        let types = self.text_or("ALLOWED_MIME_TYPES", DEFAULT_MIME_TYPES);
        let allowed_mime_types: Vec<_> = types
            .split(',')
            .map(|part| part.trim().to_lowercase())
            .filter(|part| !part.is_empty())
            .collect();
        if allowed_mime_types
            .iter()
            .any(|part| part.split('/').filter(|half| !half.is_empty()).count() != 2)
        {
            self.problem("ALLOWED_MIME_TYPES must be a comma list of types like application/pdf");
        }
        AttachmentSettings {
            store_url,
            store_options: self.sources.store_options(),
            max_mb: self.number_or("ATTACHMENTS_MAX_MB", 50, 1, 1_024),
            allowed_mime_types,
        }
    }

    pub(super) fn bootstrap(&mut self) -> Option<BootstrapSettings> {
        let setup_key = self.secret("ADMIN_SETUP_KEY");
        match (self.text("BOOTSTRAP_USERNAME"), self.secret("BOOTSTRAP_PASSWORD")) {
            (Some(username), Some(password)) => Some(BootstrapSettings {
                username,
                password,
                setup_key,
            }),
            (None, None) => None,
            _ => {
                self.problem("BOOTSTRAP_USERNAME and BOOTSTRAP_PASSWORD go together");
                None
            }
        }
    }
}
