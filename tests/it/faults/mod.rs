//! What the service does when what it depends on is down, slow or lying: the answer a client gets, and the recovery.
//!
//! Each test writes its row of the table in docs/reliability.md with what it has seen (`scripts/prove-faults`).

mod database;
mod files;
mod mail;
mod model;
mod sign_in;
pub(crate) mod wire;

use crate::support::Reply;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// A row of the table.
struct Row {
    /// Where it stands in the table.
    order: u16,
    /// What the service depends on.
    dependency: &'static str,
    /// What is wrong with it.
    fault: &'static str,
    /// What clients are answered meanwhile.
    answer: String,
    /// How it is afterwards, without anybody's help.
    recovery: String,
}

impl Row {
    /// Keeps the row for the table.
    fn keep(self) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
        std::fs::create_dir_all(&folder).unwrap();
        let row = json!({
            "dependency": self.dependency, "fault": self.fault, "answer": self.answer, "recovery": self.recovery,
        });
        std::fs::write(folder.join(format!("{:03}.json", self.order)), row.to_string()).unwrap();
    }
}

/// An answer in words: the status, the code of an error, and when to come back.
fn said(reply: &Reply) -> String {
    let mut words = reply.status.as_u16().to_string();
    if !reply.code().is_empty() {
        words = format!("{words} `{}`", reply.code());
    }
    if !reply.header("retry-after").is_empty() {
        words = format!("{words} with `Retry-After: {}`", reply.header("retry-after"));
    }
    words
}

/// How long something took, in words that are the same from run to run.
fn after(begun: Instant) -> String {
    match begun.elapsed() {
        short if short < Duration::from_secs(1) => "at once".to_owned(),
        long => format!("after {} s", long.as_secs()),
    }
}
