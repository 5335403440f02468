//! Why an embedded server stopped, in one line.

use super::{EmbeddedError, log_path};
use std::io::ErrorKind;
use std::path::Path;

/// Less free room than this, in bytes, and the server cannot go on.
const ROOM: usize = 4 << 20;
/// How many of the log's last lines are looked through.
const LINES: usize = 200;

/// Why the server of this folder stopped: a full disk, its own last words, or how it ended.
pub(super) fn why_it_stopped(folder: &Path, status: &str) -> EmbeddedError {
    if is_full(folder) {
        return EmbeddedError::DiskFull {
            folder: folder.display().to_string(),
        };
    }
    let log = log_path(folder);
    EmbeddedError::Stopped {
        reason: last_words(&log).unwrap_or_else(|| status.to_owned()),
        log: log.display().to_string(),
    }
}

/// Whether the disk has no room for what the server writes next; it cannot say so itself, its log is on the same disk.
fn is_full(folder: &Path) -> bool {
    let probe = folder.join("room");
    let written = std::fs::write(&probe, vec![0_u8; ROOM]);
    let _ = std::fs::remove_file(probe);
    written.is_err_and(|error| error.kind() == ErrorKind::StorageFull)
}

/// The last fatal or error line of the server's log, which names a locked folder or broken data.
fn last_words(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let is_grave = |line: &&str| line.contains(r#""s":"F""#) || line.contains(r#""s":"E""#);
    let mut grave = text.lines().rev().take(LINES).filter(is_grave);
    grave.find_map(|line| {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        let said = entry.get("msg")?.as_str()?.trim();
        if said.starts_with("***aborting") {
            return None;
        }
        let cause = |name: &str| entry.get("attr")?.get(name)?.as_str();
        let cause = cause("error").or_else(|| cause("message")).unwrap_or_default();
        let words = format!("{said} {cause}");
        Some(words.split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_those_that_say_something() {
        let folder = tempfile::tempdir().unwrap();
        let log = log_path(folder.path());
        let lines = [
            r#"{"s":"E","msg":"DBException in initAndListen, terminating","attr":{"error":"DBPathInUse: Unable to lock"}}"#,
            r#"{"s":"F","msg":"Writing fatal message","attr":{"message":"terminate() called.\nNo space left\n"}}"#,
            r#"{"s":"F","msg":"\n\n***aborting after fassert() failure\n\n"}"#,
            r#"{"s":"I","msg":"Shutting down"}"#,
        ];
        let said = |count: usize| {
            std::fs::write(&log, lines[..count].join("\n")).unwrap();
            last_words(&log)
        };
        assert_eq!(said(0), None);
        let locked = "DBException in initAndListen, terminating DBPathInUse: Unable to lock";
        assert_eq!(said(1).as_deref(), Some(locked));
        let fatal = "Writing fatal message terminate() called. No space left";
        assert_eq!(said(4).as_deref(), Some(fatal));
    }
}
