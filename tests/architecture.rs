//! The rules of `ARCHITECTURE.md` that a compiler does not see: who may know whom, what the engine never mentions, how
//! long a file may be. Reads the sources as text.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Longest file, in lines that are neither blank nor comment; unit tests at a file's end do not count.
const LONGEST: usize = 400;
/// Longest file of tests.
const LONGEST_TESTS: usize = 600;

/// Files that are longer, and how long. The list may only shrink: a number goes down with its file, a new name is refused.
const LONGER: [(&str, usize); 0] = [];

/// Which parts of the crate a part may name besides itself.
const MAY_KNOW: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("engine", &["domain"]),
    ("repositories", &["domain"]),
    ("clients", &["domain", "config"]),
    // The local issuer of development reads the people of the development directory.
    ("auth", &["domain", "config", "clients"]),
    ("config", &["domain"]),
    (
        "services",
        &[
            "domain",
            "engine",
            "repositories",
            "clients",
            "auth",
            "config",
            "app",
        ],
    ),
    (
        "scheduler",
        &["domain", "services", "repositories", "config", "app"],
    ),
    // Handlers call services; of repositories they name rows and filters.
    (
        "api",
        &[
            "domain",
            "engine",
            "services",
            "repositories",
            "clients",
            "auth",
            "config",
            "app",
            "scheduler",
            "telemetry",
        ],
    ),
];

/// Words that the pure core has no use for.
const IMPURE: [&str; 9] = [
    "async",
    "await",
    "tokio",
    "mongodb",
    "axum",
    "reqwest",
    "Utc::now",
    "SystemTime",
    "rand",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project, its path relative to the project, its text.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == "rs") {
                let name = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no Rust");
    files
}

/// The lines of a file without comments; with its unit tests left out.
fn code(text: &str) -> Vec<&str> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text.get(..end).unwrap_or(text).lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect()
}

/// The part of the crate that a file belongs to: the folder below `src`, or the file itself.
fn part(name: &str) -> &str {
    let below = name.strip_prefix("src/").unwrap_or(name);
    below.split(['/', '.']).next().unwrap_or(below)
}

fn is_test(name: &str) -> bool {
    name.starts_with("tests/")
        || name.contains("/tests/")
        || name.ends_with("/tests.rs")
        || name.ends_with("/testing.rs")
        || name.contains("/testing/")
        || name.contains("/fuzzing/")
}

/// The parts of the crate that a line names by path.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        end.and_then(|end| rest.get(..end)).unwrap_or(rest)
    })
}

#[test]
fn each_part_knows_only_the_parts_below_it() {
    let modules: BTreeSet<String> = files("src")
        .iter()
        .map(|(name, _)| part(name).to_owned())
        .collect();
    let mut faults = Vec::new();
    for (name, text) in files("src") {
        let own = part(&name);
        let Some((_, may_know)) = MAY_KNOW.iter().find(|(part, _)| *part == own) else {
            continue;
        };
        for line in code(&text) {
            for other in named(line).filter(|other| modules.contains(*other)) {
                if other != own && !may_know.contains(&other) {
                    faults.push(format!("{name} names {other}: {line}"));
                }
            }
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

#[test]
fn the_engine_knows_neither_the_network_nor_the_clock_nor_chance() {
    let mut faults = Vec::new();
    for (name, text) in files("src/engine").into_iter().filter(|(name, _)| !is_test(name)) {
        for line in code(&text) {
            let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            if words.any(|word| {
                IMPURE
                    .iter()
                    .any(|impure| word == *impure || word.starts_with(&format!("{impure}::")))
            }) {
                faults.push(format!("{name}: {line}"));
            }
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

/// The names in the table of dependencies of a manifest, as sources write them.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap();
    let table = text.split("[dependencies]\n").nth(1).unwrap_or_default();
    let table = table.split("\n[").next().unwrap_or_default();
    let lines = table.lines().filter_map(|line| line.split_once(" = "));
    lines.map(|(name, _)| name.replace('-', "_")).collect()
}

#[test]
fn the_fuzz_targets_have_every_crate_that_the_pure_parts_use() {
    let (own, theirs) = (dependencies("Cargo.toml"), dependencies("fuzz/Cargo.toml"));
    let mut faults = Vec::new();
    for (name, text) in files("src/domain").into_iter().chain(files("src/engine")) {
        for line in code(&text).into_iter().filter(|_| !is_test(&name)) {
            let mut paths = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let missing = paths.find_map(|path| {
                let (first, _) = path.split_once("::")?;
                (own.contains(first) && !theirs.contains(first)).then_some(first)
            });
            faults.extend(
                missing.map(|missing| format!("{name} uses {missing}, fuzz/Cargo.toml does not have it")),
            );
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

#[test]
fn no_file_is_about_too_much() {
    let mut faults = Vec::new();
    for (name, text) in files("src").into_iter().chain(files("tests")) {
        let length = code(&text).len();
        let limit = if is_test(&name) { LONGEST_TESTS } else { LONGEST };
        match LONGER.iter().find(|(longer, _)| *longer == name) {
            Some((_, known)) if length > *known => {
                faults.push(format!("{name} has grown from {known} to {length} lines"));
            }
            Some((_, known)) if length < *known && length > limit => {
                faults.push(format!("{name} has shrunk to {length} lines; say so in LONGER"));
            }
            Some(_) if length <= limit => faults.push(format!("{name} is short enough; take it from LONGER")),
            None if length > limit => faults.push(format!(
                "{name} has {length} lines; what second thing is it about?"
            )),
            Some(_) | None => {}
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

#[test]
fn a_lint_is_silenced_only_with_a_reason_and_while_it_is_needed() {
    // Written in two parts, so that this line is not a find.
    let silenced = concat!("#[all", "ow(");
    let whole = concat!("#![all", "ow(");
    let mut faults = Vec::new();
    for (name, text) in files("src").into_iter().chain(files("tests")) {
        let lines = code(&text).into_iter();
        faults.extend(
            lines
                .filter(|line| line.contains(silenced) || line.contains(whole))
                .map(|line| format!("{name}: {line}")),
        );
    }
    assert_eq!(faults, [] as [String; 0]);
}

/// Whoever follows a redirect sends credentials, or asks inside the network, wherever an answer points to.
#[test]
fn no_http_client_follows_redirects() {
    let mut clients = 0;
    for (name, text) in files("src").into_iter().filter(|(name, _)| !is_test(name)) {
        let code = code(&text).join("\n");
        assert!(
            !code.contains("reqwest::get(") && !code.contains("Client::new()"),
            "{name}: a client of its own, with every default"
        );
        for client in code.split("reqwest::Client::builder()").skip(1) {
            let settings = client.split(".build()").next().unwrap_or_default();
            assert!(
                settings.contains(".redirect(reqwest::redirect::Policy::none())"),
                "{name}: {settings}"
            );
            clients += 1;
        }
    }
    assert!(
        clients >= 4,
        "{clients}: the clients are built in some other way now"
    );
}

/// The words between back ticks on the pages of the project, each with its page.
fn quoted_words() -> Vec<(String, String)> {
    let mut pages = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    pages.extend(docs.map(|entry| entry.unwrap().path()));
    pages.retain(|page| page.extension().is_some_and(|is| is == "md"));
    let mut words = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        // Blocks of code are examples.
        let prose = text.split("```").step_by(2).collect::<String>();
        let name = page.file_name().unwrap().to_str().unwrap().to_owned();
        let quoted = prose.split('`').skip(1).step_by(2);
        words.extend(quoted.map(|word| (name.clone(), word.to_owned())));
    }
    words
}

#[test]
fn every_file_that_the_pages_name_exists() {
    let code: Vec<String> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(files)
        .map(|(name, _)| name)
        .collect();
    let below = |word: &str| {
        let folders = ["src/", "tests/", "benches/", "scripts/", "docs/"];
        folders.iter().any(|folder| word.starts_with(folder))
    };
    let mut checked = 0;
    let mut missing = Vec::new();
    for (page, word) in quoted_words() {
        let path = word.split(' ').next().unwrap_or(&word);
        let is_rust = Path::new(path).extension().is_some_and(|is| is == "rs");
        if path.contains('<') || !(below(path) || is_rust) {
            continue;
        }
        checked += 1;
        let is_code = code
            .iter()
            .any(|name| name == path || name.ends_with(&format!("/{path}")));
        if !is_code && !root().join(path).exists() {
            missing.push(format!("{page}: {word}"));
        }
    }
    assert!(checked > 50, "the pages are not read as meant: {checked}");
    assert_eq!(missing, [] as [String; 0]);
}
