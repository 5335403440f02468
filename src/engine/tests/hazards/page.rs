//! `docs/hazards.md` names every hazard of the contract, and every test that it or `docs/reliability.md` names exists and
//! runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

fn page(name: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join("docs").join(name)).unwrap()
}

/// The words between back ticks that look like names of tests.
fn named_tests(page: &str) -> Vec<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    let is_of_name = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    quoted
        .filter(|word| word.matches('_').count() >= 3 && word.chars().all(is_of_name))
        .collect()
}

/// Everything below a folder that is Rust, as one text.
fn sources(folder: &std::path::Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|is| is == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The functions that a test runner runs: attributes and comments between `#[test]` and the function are skipped.
fn tests(code: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let (mut is_test, mut in_macro) = (false, false);
    for line in code.lines().map(str::trim) {
        let starts = ["#[test]", "#[rstest]", "#[tokio::test"];
        if starts.iter().any(|attribute| line.starts_with(attribute)) {
            is_test = true;
        }
        in_macro |= line.starts_with("proptest!");
        let signature = line
            .strip_prefix("async fn ")
            .or_else(|| line.strip_prefix("fn "));
        if let Some(signature) = signature {
            if is_test || in_macro {
                tests.insert(signature.split(['(', '<']).next().unwrap_or_default());
            }
            is_test = false;
        }
    }
    tests
}

#[test]
fn every_test_that_the_pages_of_proof_name_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let tests = tests(&code);
    let (hazards, reliability) = (page("hazards.md"), page("reliability.md"));
    let mut named = named_tests(&hazards);
    assert!(
        named.len() > 100,
        "the page is not read as meant: {}",
        named.len()
    );
    named.extend(named_tests(&reliability));
    let missing: Vec<_> = named.into_iter().filter(|name| !tests.contains(name)).collect();
    assert_eq!(missing, [] as [&str; 0]);
}

/// The ids of contract engine-core 11, engine-actions 9 and http-admin 21.
fn hazards() -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for (prefix, last) in [("HZ-", 51), ("A", 20), ("S", 25), ("T", 14), ("C", 17), ("N", 67)] {
        ids.extend((1..=last).map(|number| format!("{prefix}{number}")));
    }
    let further = "HZ-4b HZ-4c HZ-4d HZ-9b HZ-9c HZ-15b HZ-15c HZ-15d HZ-26b HZ-31b A18b";
    ids.extend(further.split(' ').map(str::to_owned));
    ids
}

#[test]
fn the_page_of_hazards_has_a_line_for_every_hazard() {
    let page = page("hazards.md");
    let mut listed = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let ids = row.split('|').nth(1).unwrap_or_default();
        listed.extend(ids.split(',').map(|id| id.trim().to_owned()));
    }
    let mut missing = String::new();
    for id in hazards().iter().filter(|id| !listed.contains(*id)) {
        write!(missing, "{id} ").unwrap();
    }
    assert_eq!(missing, "", "these hazards have no line");
}
