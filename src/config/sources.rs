//! Where raw values come from: the environment, then `.env` in development, then `config/*.toml`.

use super::ConfigError;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::Path;

/// A raw value and where it was found.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) value: String,
}

/// Named raw values of all sources.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    values: BTreeMap<String, Raw>,
    file_keys: Vec<(String, String)>,
}

impl Sources {
    /// The sources of this process: its environment, `.env` unless `ENVIRONMENT` says otherwise, and `config/*.toml`.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    #[expect(
        clippy::disallowed_methods,
        reason = "config is the one module that reads the environment"
    )]
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut sources = Self::default();
        let mut problems = Vec::new();
        sources.add_toml_files(Path::new("config"), &mut problems);
        let environment = std::env::var("ENVIRONMENT").unwrap_or_default();
        if (environment.is_empty() || environment == "development") && Path::new(".env").exists() {
            sources.add_dotenv(Path::new(".env"), &mut problems);
        }
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                sources.values.insert(name, Raw { value });
            }
        }
        if problems.is_empty() {
            Ok(sources)
        } else {
            Err(ConfigError { problems })
        }
    }

    /// Options of cloud object stores under their usual names (`AWS_...`, `AZURE_STORAGE_...`, `GOOGLE_...`); they may be
    /// secrets.
    pub(super) fn store_options(&self) -> Vec<(String, SecretString)> {
        const PREFIXES: [&str; 3] = ["AWS_", "AZURE_STORAGE_", "GOOGLE_"];
        let is_option = |name: &str| {
            PREFIXES
                .iter()
                .any(|prefix| name.to_uppercase().starts_with(prefix))
        };
        let options = self.values.iter().filter(|(name, _)| is_option(name));
        options
            .map(|(name, raw)| (name.to_lowercase(), SecretString::from(raw.value.clone())))
            .collect()
    }

    /// Exactly these values, as if they came from the environment.
    pub fn of_pairs(pairs: &[(&str, &str)]) -> Self {
        let values = pairs.iter().map(|(name, value)| {
            (
                (*name).to_owned(),
                Raw {
                    value: (*value).to_owned(),
                },
            )
        });
        Self {
            values: values.collect(),
            file_keys: Vec::new(),
        }
    }

    /// The same with one more key, as if it stood in a file.
    #[must_use]
    pub fn with_file_key(mut self, file: &str, key: &str, value: &str) -> Self {
        self.add_file_key(file, key, value.to_owned());
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(|raw| raw.value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Keys that stand in files, with the file.
    pub(super) fn file_keys(&self) -> &[(String, String)] {
        &self.file_keys
    }

    fn add_file_key(&mut self, file: &str, key: &str, value: String) {
        let name = key.to_uppercase();
        self.values.entry(name.clone()).or_insert(Raw { value });
        self.file_keys.push((file.to_owned(), name));
    }

    fn add_dotenv(&mut self, path: &Path, problems: &mut Vec<String>) {
        match dotenvy::from_path_iter(path) {
            Ok(pairs) => {
                for pair in pairs {
                    match pair {
                        Ok((name, value)) => {
                            self.values.insert(name, Raw { value });
                        }
                        Err(error) => problems.push(format!("{}: {error}", path.display())),
                    }
                }
            }
            Err(error) => problems.push(format!("{}: {error}", path.display())),
        }
    }

    fn add_toml_files(&mut self, folder: &Path, problems: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        let mut files: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files
            .retain(|path| path.extension().is_some_and(|ext| ext == "toml") && !path.ends_with("deny.toml"));
        files.sort();
        for path in files {
            let shown = path.display().to_string();
            let source = config::File::from(path).format(config::FileFormat::Toml);
            let parsed = config::Config::builder().add_source(source).build();
            match parsed.and_then(config::Config::try_deserialize::<BTreeMap<String, config::Value>>) {
                Ok(keys) => {
                    for (key, value) in keys {
                        match value.into_string() {
                            Ok(value) => self.add_file_key(&shown, &key, value),
                            Err(_) => problems.push(format!("{shown}: {key} must be a single value")),
                        }
                    }
                }
                Err(error) => problems.push(format!("{shown}: {error}")),
            }
        }
    }
}
