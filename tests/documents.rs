//! What the documents name exists: scripts, files, settings and commands. Reads the documents as text.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

use regex::Regex;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use workflow_ops::domain::import::RepairRule;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// Every file and folder of the project below `folder`, by its path with `/` before it.
fn paths(folder: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        let is_folder = entry.file_type().unwrap().is_dir();
        if is_folder && !["/target", "/storage", "/.git"].contains(&path.trim_start_matches('.')) {
            paths(&path, found);
        }
        found.insert(path.trim_start_matches('.').to_owned());
    }
}

/// The documents, by name and text.
fn documents() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(root().join("docs")).unwrap();
    let mut names: Vec<String> = folder
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names.extend(["README.md", "ARCHITECTURE.md"].map(str::to_owned));
    names
        .into_iter()
        .map(|name| (name.clone(), read(&name)))
        .collect()
}

/// What a pattern finds in a text; its only group when it has one.
fn found<'a>(pattern: &str, text: &'a str) -> BTreeSet<&'a str> {
    let pattern = Regex::new(pattern).unwrap();
    let finds = pattern.captures_iter(text);
    finds
        .map(|find| find.iter().flatten().last().unwrap().as_str())
        .collect()
}

#[test]
fn every_script_and_file_that_a_document_names_exists() {
    let mut known = BTreeSet::new();
    paths(".", &mut known);
    let exists = |name: &str| {
        let wanted = format!("/{}", name.trim_matches('/'));
        known.iter().any(|path| path.ends_with(&wanted))
    };
    let mut faults = Vec::new();
    for (document, text) in documents() {
        for script in found(r"scripts/[a-z-]+(?:\.py)?", &text) {
            let file = root().join(script);
            // A module of a script is read by it, not run.
            let needed = if file.extension().is_some() { 0o400 } else { 0o100 };
            let mode = std::fs::metadata(file).map(|script| script.permissions().mode());
            if !mode.is_ok_and(|mode| mode & needed != 0) {
                faults.push(format!("{document}: {script}"));
            }
        }
        let files = found(r"`([\w.-][\w./-]*\.(?:rs|md|json|yaml|toml|example))`", &text);
        let folders = found(
            r"`((?:src|tests|docs|benches|config|engine|services|api|auth|repositories)/[\w./-]*)`",
            &text,
        );
        let missing = files.union(&folders).filter(|name| {
            // A module is named with or without its ending.
            !exists(name) && !exists(&format!("{name}.rs"))
        });
        faults.extend(missing.map(|name| format!("{document}: {name}")));
    }
    assert_eq!(faults, [] as [String; 0]);
}

#[test]
fn every_setting_that_readme_names_is_in_the_example_file() {
    let (readme, example) = (read("README.md"), read(".env.example"));
    let known = found(r"(?m)^(?:# )?([A-Z][A-Z0-9_]*)=", &example);
    let named = found(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", &readme);
    assert!(!named.is_empty());
    let unknown: Vec<_> = named.difference(&known).collect();
    assert_eq!(unknown, [] as [&&str; 0]);
}

#[test]
fn every_command_that_readme_names_exists_with_its_options() {
    let readme = read("README.md");
    let named = found(r"`workflow-ops ([^`]+)`", &readme);
    assert!(named.len() >= 8, "{named:?}");
    for command in named {
        let is_word = |word: &&str| {
            !word.starts_with('-')
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c == '-' || c == '|')
        };
        let words: Vec<&str> = command.split_whitespace().take_while(is_word).collect();
        // `admin list|grant` names two.
        let last: Vec<&str> = words.last().unwrap().split('|').collect();
        for last in last {
            let mut program = Command::new(env!("CARGO_BIN_EXE_workflow-ops"));
            program
                .args(words.iter().take(words.len() - 1))
                .arg(last)
                .arg("--help");
            let output = program.output().unwrap();
            let help = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{command}: no {last}");
            for option in found("--[a-z-]+", command) {
                assert!(help.contains(option), "{command}: {option}");
            }
        }
    }
}

#[test]
fn the_hazards_said_to_be_left_in_stored_data_are_those_that_repair_rules_name() {
    let hazards = |text: &str| -> BTreeSet<String> {
        let found = found(r"\b(?:HZ-\d+[a-z]?|[STAC]\d+)\b", text);
        found.into_iter().map(str::to_owned).collect()
    };
    let document = read("docs/hazards.md");
    let (_, section) = document
        .split_once("## What these defects left in stored data")
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let named: Vec<&str> = RepairRule::ALL.iter().map(|rule| rule.hazard()).collect();
    assert_eq!(hazards(section), hazards(&named.join(", ")));
}
