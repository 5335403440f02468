//! What the service has acknowledged, and what was done to it: written down at once, and read again by a trial that
//! goes on where it stopped.

use super::deeds::Deed;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A command that was acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Acknowledged {
    /// The number of the ticket in the plan.
    pub(super) number: u32,
    /// The ticket.
    pub(super) ticket: String,
    /// What was done.
    pub(super) deed: Deed,
    /// The address of who did it.
    pub(super) who: String,
    /// The key that the commit has stored.
    pub(super) key: String,
    /// What was written.
    pub(super) text: String,
}

/// A blow to the service or its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Blow {
    /// A service process killed.
    ServiceKilled,
    /// The primary killed.
    PrimaryKilled,
    /// A secondary killed.
    SecondaryKilled,
    /// The primary told to step down.
    PrimaryDeposed,
    /// The primary stopped for longer than an election takes, and continued.
    PrimaryFrozen,
    /// A secondary stopped for a while.
    SecondaryFrozen,
    /// The whole trial broken off and taken up again.
    Interrupted,
}

/// One line of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Line {
    Acknowledged(Acknowledged),
    Ended { number: u32 },
    Struck(Blow),
    Violated(String),
    Seconds(u64),
}

/// What is known of a trial.
#[derive(Debug, Default, Clone)]
pub(super) struct Record {
    /// The acknowledged commands of each ticket, by its number in the plan and the key stored with each.
    pub(super) acknowledged: BTreeMap<u32, BTreeMap<String, Acknowledged>>,
    /// The numbers of the tickets that went to their end.
    pub(super) ended: BTreeSet<u32>,
    /// The numbers of the tickets that were under way when the trial was broken off.
    pub(super) taken_up: BTreeSet<u32>,
    /// How often each blow fell.
    pub(super) blows: BTreeMap<Blow, usize>,
    /// What was seen that must not be.
    pub(super) violations: Vec<String>,
    /// How long there was load, in seconds.
    pub(super) seconds: u64,
}

/// The ledger of a trial.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    record: Record,
}

impl Ledger {
    /// Opens the ledger of a trial's folder; one that was broken off has suffered a blow by that.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join("ledger.jsonl");
        let mut record = Record::default();
        let is_continued = path.exists();
        if is_continued {
            let lines = BufReader::new(File::open(&path).unwrap())
                .lines()
                .map_while(Result::ok);
            // A line that the break cut short says nothing.
            for line in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                record.add(line);
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        let ledger = Self(Mutex::new(Inner { file, record }));
        if is_continued {
            ledger.lock().file.write_all(b"\n").unwrap();
            ledger.write(Line::Struck(Blow::Interrupted));
        }
        ledger
    }

    pub(super) fn acknowledge(&self, done: Acknowledged) {
        self.write(Line::Acknowledged(done));
    }

    pub(super) fn end(&self, number: u32) {
        self.write(Line::Ended { number });
    }

    pub(super) fn strike(&self, blow: Blow) {
        self.write(Line::Struck(blow));
    }

    pub(super) fn violate(&self, what: String) {
        self.write(Line::Violated(what));
    }

    pub(super) fn spend(&self, seconds: u64) {
        self.write(Line::Seconds(seconds));
    }

    /// What is known so far.
    pub(super) fn record(&self) -> Record {
        self.lock().record.clone()
    }

    /// Looks at what is known so far.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Record) -> T) -> T {
        at(&self.lock().record)
    }

    fn write(&self, line: Line) {
        let mut text = serde_json::to_vec(&line).unwrap();
        text.push(b'\n');
        let mut inner = self.lock();
        inner.file.write_all(&text).unwrap();
        inner.record.add(line);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn add(&mut self, line: Line) {
        match line {
            Line::Acknowledged(done) => {
                let of_ticket = self.acknowledged.entry(done.number).or_default();
                of_ticket.insert(done.key.clone(), done);
            }
            Line::Ended { number } => {
                self.ended.insert(number);
            }
            Line::Struck(blow) => {
                *self.blows.entry(blow).or_default() += 1;
                if blow == Blow::Interrupted {
                    let open = self
                        .acknowledged
                        .keys()
                        .filter(|number| !self.ended.contains(number));
                    self.taken_up.extend(open);
                }
            }
            Line::Violated(what) => self.violations.push(what),
            Line::Seconds(seconds) => self.seconds += seconds,
        }
    }

    /// How often this blow fell.
    pub(super) fn count(&self, blow: Blow) -> usize {
        self.blows.get(&blow).copied().unwrap_or_default()
    }

    /// How many processes were killed, of the service and of the database.
    pub(super) fn kills(&self) -> usize {
        self.count(Blow::ServiceKilled) + self.count(Blow::PrimaryKilled) + self.count(Blow::SecondaryKilled)
    }

    /// How many commands were acknowledged.
    pub(super) fn commands(&self) -> usize {
        self.acknowledged.values().map(BTreeMap::len).sum()
    }
}
