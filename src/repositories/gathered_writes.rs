//! Writes to several tickets, gathered into one command.
//!
//! Each commit still has a compare-and-set of its own, and each new ticket an insert; what they share is the way to the
//! server and the wait for the majority. The server says which inserts were refused, but of commits only how many
//! matched: as long as all did, or all but those with an error of their own, everybody knows; else each looks at its
//! ticket ([`Sent::Unclear`]).

use super::gathering::{Gathering, Together};
use super::mongo::{DUPLICATE_KEY, WriteFault, classify, is_refusal};
use super::ticket_repo::COLLECTION;
use bson::raw::RawArrayBuf;
use bson::{Bson, Document, RawDocumentBuf, rawdoc};
use mongodb::Database;
use mongodb::error::Error;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long one command may be on its way; after that nobody waits for its answer.
pub(super) const ATTEMPT: Duration = Duration::from_secs(8);
/// How many writes one command holds.
const MOST: usize = 32;
/// How large the writes of one command may be together, in bytes; a larger one goes alone.
const BYTES: usize = 4 * 1024 * 1024;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteKind {
    /// A statement that replaces a ticket if it still has its version.
    Commit,
    /// The document of a new ticket.
    Insert,
}

/// What one attempt at a write came to.
#[derive(Debug)]
pub(super) enum Sent {
    /// It is stored on a majority.
    Applied,
    /// The ticket has another version, or its id is taken; nothing was stored.
    Missed,
    /// The server will never take it; nothing was stored.
    Refused(String),
    /// Some writes of the command missed, and this may be one of them.
    Unclear,
    /// Nobody knows.
    Unknown(Error),
}

/// Sends writes of one kind together; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct GatheredWrites(Gathering<Writes>);

struct Writes {
    database: Database,
    kind: WriteKind,
}

impl GatheredWrites {
    /// Writes to the tickets of `database`.
    pub(super) fn new(database: &Database, kind: WriteKind, tracker: &TaskTracker) -> Self {
        let database = database.clone();
        Self(Gathering::new(Writes { database, kind }, tracker))
    }

    /// Sends one write. It may have to wait for as long as one attempt takes before its own begins.
    pub(super) async fn send(&self, write: RawDocumentBuf) -> Sent {
        match tokio::time::timeout(ATTEMPT * 2, self.0.ask(write)).await {
            Ok(Some(sent)) => sent,
            Ok(None) => Sent::Unknown(Error::custom("a gathered write ended without an outcome")),
            Err(_) => Sent::Unknown(timed_out()),
        }
    }
}

impl Together for Writes {
    type Wish = RawDocumentBuf;
    type Outcome = Sent;
    /// Little beside the wait for the majority that each command has.
    const MOMENT: Duration = Duration::from_millis(4);

    fn fitting<'a>(writes: impl Iterator<Item = &'a RawDocumentBuf>) -> usize {
        let mut bytes = 0;
        let small_enough = writes.take(MOST).take_while(|write| {
            bytes += write.as_bytes().len();
            bytes <= BYTES
        });
        small_enough.count()
    }

    async fn carry_out(&self, writes: Vec<RawDocumentBuf>) -> Vec<Sent> {
        send_together(&self.database, self.kind, &writes).await
    }
}

/// Sends one write alone.
pub(super) async fn send_alone(database: &Database, kind: WriteKind, write: &RawDocumentBuf) -> Sent {
    let sent = send_together(database, kind, std::slice::from_ref(write)).await;
    sent.into_iter()
        .next()
        .unwrap_or_else(|| Sent::Unknown(Error::custom("a write without an outcome")))
}

/// What each of several writes came to, in their order.
async fn send_together(database: &Database, kind: WriteKind, writes: &[RawDocumentBuf]) -> Vec<Sent> {
    let attempt = async { database.run_raw_command(kind.command(writes)).await };
    let failed = match tokio::time::timeout(ATTEMPT, attempt).await {
        Ok(Ok(reply)) => return kind.read_reply(&reply, writes.len()),
        Ok(Err(error)) => error,
        Err(_) => timed_out(),
    };
    if classify(&failed) != WriteFault::Refused {
        return writes.iter().map(|_| Sent::Unknown(failed.clone())).collect();
    }
    if let [_] = writes {
        return vec![Sent::Refused(failed.to_string())];
    }
    // Nothing of it was stored. Alone, only the guilty one is refused.
    let mut sent = Vec::with_capacity(writes.len());
    for write in writes {
        sent.push(Box::pin(send_alone(database, kind, write)).await);
    }
    sent
}

impl WriteKind {
    fn command(self, writes: &[RawDocumentBuf]) -> RawDocumentBuf {
        let mut list = RawArrayBuf::new();
        for write in writes {
            list.push(write);
        }
        let concern = rawdoc! {"w": "majority", "j": true};
        match self {
            Self::Commit => {
                rawdoc! {"update": COLLECTION, "updates": list, "ordered": false, "writeConcern": concern}
            }
            Self::Insert => {
                rawdoc! {"insert": COLLECTION, "documents": list, "ordered": false, "writeConcern": concern}
            }
        }
    }

    /// What the reply says of each write. One that is neither counted nor in error has missed, or was not come to before
    /// an error that ended the command.
    fn read_reply(self, reply: &Document, writes: usize) -> Vec<Sent> {
        let errors: Vec<&Document> = match reply.get_array("writeErrors") {
            Ok(errors) => errors.iter().filter_map(Bson::as_document).collect(),
            Err(_) => Vec::new(),
        };
        let counted = reply.get_i32("n").ok().and_then(|n| usize::try_from(n).ok());
        let concern = reply.get_document("writeConcernError").ok();
        let other = |_| match (concern, counted) {
            (Some(concern), _) => Sent::Unknown(Error::custom(concern.to_string())),
            (None, None) => Sent::Unknown(Error::custom("the reply to a write has no count")),
            (None, Some(0)) if errors.is_empty() && self == Self::Commit => Sent::Missed,
            (None, Some(counted)) if counted + errors.len() == writes => Sent::Applied,
            (None, Some(_)) => Sent::Unclear,
        };
        let mut sent: Vec<Sent> = (0..writes).map(other).collect();
        for error in &errors {
            let at = error
                .get_i32("index")
                .ok()
                .and_then(|at| usize::try_from(at).ok());
            if let Some(one) = at.and_then(|at| sent.get_mut(at)) {
                *one = self.failed(error);
            }
        }
        sent
    }

    fn failed(self, error: &Document) -> Sent {
        let code = error.get_i32("code").unwrap_or_default();
        let reason = error.get_str("errmsg").unwrap_or_default();
        if self == Self::Insert && code == DUPLICATE_KEY {
            Sent::Missed
        } else if is_refusal(code) {
            Sent::Refused(format!("{code}: {reason}"))
        } else {
            Sent::Unknown(Error::custom(format!("{code}: {reason}")))
        }
    }
}

pub(super) fn timed_out() -> Error {
    Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    fn words(kind: WriteKind, reply: &Document, writes: usize) -> Vec<&'static str> {
        let word = |sent: &Sent| match sent {
            Sent::Applied => "applied",
            Sent::Missed => "missed",
            Sent::Refused(_) => "refused",
            Sent::Unclear => "unclear",
            Sent::Unknown(_) => "unknown",
        };
        kind.read_reply(reply, writes).iter().map(word).collect()
    }

    #[test]
    fn a_reply_tells_each_commit_what_it_can() {
        let words = |reply: &Document, writes| words(WriteKind::Commit, reply, writes);
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

    #[test]
    fn a_reply_tells_each_new_ticket_whether_it_is_stored() {
        let words = |reply: &Document, writes| words(WriteKind::Insert, reply, writes);
        let taken = doc! {"index": 0, "code": 11000, "errmsg": "duplicate key"};
        assert_eq!(words(&doc! {"n": 2}, 2), ["applied", "applied"]);
        assert_eq!(
            words(&doc! {"n": 0, "writeErrors": [taken.clone()]}, 1),
            ["missed"]
        );
        let others = doc! {"n": 2, "writeErrors": [taken.clone()]};
        assert_eq!(words(&others, 3), ["missed", "applied", "applied"]);
        let refused = doc! {"n": 0, "writeErrors": [taken.clone(), {"index": 1, "code": 171}]};
        assert_eq!(words(&refused, 2), ["missed", "refused"]);
        let ended = doc! {"n": 0, "writeErrors": [taken]};
        assert_eq!(words(&ended, 2), ["missed", "unclear"]);
        assert_eq!(words(&doc! {"n": 0}, 1), ["unclear"]);
        let late = doc! {"n": 2, "writeConcernError": {"code": 64}};
        assert_eq!(words(&late, 2), ["unknown", "unknown"]);
    }
}
