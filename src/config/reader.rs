//! Reads single settings and collects what is wrong with them; mail, files and the language model have files of their own.

mod files;
mod mail;
mod model;

use super::{
    AuthMode, AuthSettings, BootstrapSettings, ConfigError, DatabaseServer, Environment, LogFormat, Settings,
    Sources,
};
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;
use url::{Host, Url};

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
