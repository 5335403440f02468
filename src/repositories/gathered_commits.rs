//! Commits of several tickets, gathered into one command.
//!
//! Each ticket still has a compare-and-set of its own; what they share is the way to the server and the wait for the
//! majority. The server says how many of them matched, not which: as long as all did, or all but those with an error of
//! their own, everybody knows; else each looks at its ticket ([`Sent::Unclear`]).

use super::gathering::{Gathering, Together};
use super::mongo::{WriteFault, classify};
use super::ticket_repo::COLLECTION;
use bson::raw::RawArrayBuf;
use bson::{Bson, Document, RawDocumentBuf, rawdoc};
use mongodb::Database;
use mongodb::error::Error;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long one command may be on its way; after that nobody waits for its answer.
pub(super) const ATTEMPT: Duration = Duration::from_secs(8);
/// How many commits one command holds.
const MOST: usize = 32;
/// How large the commits of one command may be together, in bytes; a larger one goes alone.
const BYTES: usize = 4 * 1024 * 1024;

/// What one attempt at a commit came to.
#[derive(Debug)]
pub(super) enum Sent {
    /// It is stored on a majority.
    Applied,
    /// The ticket has another version; nothing was stored.
    Missed,
    /// The server will never take it; nothing was stored.
    Refused(String),
    /// Some commits of the command missed, and this may be one of them.
    Unclear,
    /// Nobody knows.
    Unknown(Error),
}

/// Sends commits together; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct GatheredCommits(Gathering<Commits>);

struct Commits(Database);

impl GatheredCommits {
    /// Commits to the tickets of `database`.
    pub(super) fn new(database: &Database, tracker: &TaskTracker) -> Self {
        Self(Gathering::new(Commits(database.clone()), tracker))
    }

    /// Sends one statement of an update. It may have to wait for as long as one attempt takes before its own begins.
    pub(super) async fn send(&self, statement: RawDocumentBuf) -> Sent {
        match tokio::time::timeout(ATTEMPT * 2, self.0.ask(statement)).await {
            Ok(Some(sent)) => sent,
            Ok(None) => Sent::Unknown(Error::custom("a gathered commit ended without an outcome")),
            Err(_) => Sent::Unknown(timed_out()),
        }
    }
}

impl Together for Commits {
    type Wish = RawDocumentBuf;
    type Outcome = Sent;

    const SIDE_BY_SIDE: usize = 4;

    fn fitting<'a>(statements: impl Iterator<Item = &'a RawDocumentBuf>) -> usize {
        let mut bytes = 0;
        let small_enough = statements.take(MOST).take_while(|statement| {
            bytes += statement.as_bytes().len();
            bytes <= BYTES
        });
        small_enough.count()
    }

    async fn carry_out(&self, statements: Vec<RawDocumentBuf>) -> Vec<Sent> {
        send_together(&self.0, &statements).await
    }
}

/// Sends one commit alone.
pub(super) async fn send_alone(database: &Database, statement: &RawDocumentBuf) -> Sent {
    let sent = send_together(database, std::slice::from_ref(statement)).await;
    sent.into_iter()
        .next()
        .unwrap_or_else(|| Sent::Unknown(Error::custom("a commit without an outcome")))
}

/// What each of several commits came to, in their order.
async fn send_together(database: &Database, statements: &[RawDocumentBuf]) -> Vec<Sent> {
    let attempt = async { database.run_raw_command(update_of(statements)).await };
    let failed = match tokio::time::timeout(ATTEMPT, attempt).await {
        Ok(Ok(reply)) => return read_reply(&reply, statements.len()),
        Ok(Err(error)) => error,
        Err(_) => timed_out(),
    };
    if classify(&failed) != WriteFault::Refused {
        return statements.iter().map(|_| Sent::Unknown(failed.clone())).collect();
    }
    if let [_] = statements {
        return vec![Sent::Refused(failed.to_string())];
    }
    // Nothing of it was stored. Alone, only the guilty one is refused.
    let mut sent = Vec::with_capacity(statements.len());
    for statement in statements {
        sent.push(Box::pin(send_alone(database, statement)).await);
    }
    sent
}

fn update_of(statements: &[RawDocumentBuf]) -> RawDocumentBuf {
    let mut updates = RawArrayBuf::new();
    for statement in statements {
        updates.push(statement.clone());
    }
    rawdoc! {
        "update": COLLECTION,
        "updates": updates,
        "ordered": false,
        "writeConcern": {"w": "majority", "j": true},
    }
}

/// What the reply says of each statement. One that is neither matched nor in error has missed, or was not come to before
/// an error that ended the command.
fn read_reply(reply: &Document, statements: usize) -> Vec<Sent> {
    let errors: Vec<&Document> = match reply.get_array("writeErrors") {
        Ok(errors) => errors.iter().filter_map(Bson::as_document).collect(),
        Err(_) => Vec::new(),
    };
    let matched = reply.get_i32("n").ok().and_then(|n| usize::try_from(n).ok());
    let concern = reply.get_document("writeConcernError").ok();
    let other = |_| match (concern, matched) {
        (Some(concern), _) => Sent::Unknown(Error::custom(concern.to_string())),
        (None, None) => Sent::Unknown(Error::custom("the reply to an update has no count")),
        (None, Some(0)) if errors.is_empty() => Sent::Missed,
        (None, Some(matched)) if matched + errors.len() == statements => Sent::Applied,
        (None, Some(_)) => Sent::Unclear,
    };
    let mut sent: Vec<Sent> = (0..statements).map(other).collect();
    for error in &errors {
        let at = error
            .get_i32("index")
            .ok()
            .and_then(|at| usize::try_from(at).ok());
        if let Some(one) = at.and_then(|at| sent.get_mut(at)) {
            *one = failed(error);
        }
    }
    sent
}

fn failed(error: &Document) -> Sent {
    let code = error.get_i32("code").unwrap_or_default();
    let reason = error.get_str("errmsg").unwrap_or_default();
    if super::mongo::is_refusal(code) {
        Sent::Refused(format!("{code}: {reason}"))
    } else {
        Sent::Unknown(Error::custom(format!("{code}: {reason}")))
    }
}

pub(super) fn timed_out() -> Error {
    Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    fn words(reply: &Document, statements: usize) -> Vec<&'static str> {
        let word = |sent: &Sent| match sent {
            Sent::Applied => "applied",
            Sent::Missed => "missed",
            Sent::Refused(_) => "refused",
            Sent::Unclear => "unclear",
            Sent::Unknown(_) => "unknown",
        };
        read_reply(reply, statements).iter().map(word).collect()
    }

    #[test]
    fn a_reply_tells_each_commit_what_it_can() {
        let refused = doc! {"index": 1, "code": 17419, "errmsg": "too large"};
        assert_eq!(words(&doc! {"n": 1}, 1), ["applied"]);
        assert_eq!(words(&doc! {"n": 0}, 1), ["missed"]);
        assert_eq!(words(&doc! {"n": 3}, 3), ["applied", "applied", "applied"]);
        assert_eq!(words(&doc! {"n": 0}, 2), ["missed", "missed"]);
        assert_eq!(words(&doc! {"n": 2}, 3), ["unclear", "unclear", "unclear"]);
        let one_refused = doc! {"n": 2, "writeErrors": [refused.clone()]};
        assert_eq!(words(&one_refused, 3), ["applied", "refused", "applied"]);
        let one_missed_too = doc! {"n": 1, "writeErrors": [refused]};
        assert_eq!(words(&one_missed_too, 3), ["unclear", "refused", "unclear"]);
        let ended = doc! {"n": 0, "writeErrors": [{"index": 0, "code": 11602, "errmsg": "stepped down"}]};
        assert_eq!(words(&ended, 2), ["unknown", "unclear"]);
        let late = doc! {"n": 2, "writeConcernError": {"code": 64}};
        assert_eq!(words(&late, 2), ["unknown", "unknown"]);
        assert_eq!(words(&doc! {}, 1), ["unknown"]);
    }
}
