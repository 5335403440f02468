//! One pass of the relay: the writes for a batch of entries, in the order of their targets.

use super::Relay;
use crate::domain::id::TicketId;
use crate::domain::tail::{StableKey, TailEntry};
use crate::domain::time::Timestamp;
use crate::repositories::mongo::{WriteFault, classify};
use crate::repositories::relay::{Carried, RelayTargets, Target};
use futures::future::join_all;
use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;

/// How often an entry is tried before it is set aside.
const TRIES: u32 = 10;
/// How many writes of one target are under way at the same time.
const SIDE_BY_SIDE: usize = 16;

/// How many writes the relay may make before it stops; tests use it to stop between any two.
#[derive(Debug, Clone, Copy)]
pub struct StepLimit(Option<usize>);

impl StepLimit {
    /// No limit.
    pub const NONE: Self = Self(None);

    /// Stops before write number `steps + 1`.
    pub const fn of(steps: usize) -> Self {
        Self(Some(steps))
    }

    const fn is_none(self) -> bool {
        self.0.is_none()
    }

    fn take(&mut self) -> Result<(), Stop> {
        match &mut self.0 {
            None => Ok(()),
            Some(0) => Err(Stop::Limit),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// Why a pass ended early; the entries are still in their tails.
#[derive(Debug)]
pub(super) enum Stop {
    Limit,
    Database(mongodb::error::Error),
}

impl From<mongodb::error::Error> for Stop {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Database(error)
    }
}

impl Relay {
    /// One pass over entries: target by target in order, then out of the tails. An entry that fails keeps what its
    /// ticket wants at later targets waiting, so that nobody reads of something that is not done.
    pub(super) async fn pass(
        &self,
        entries: &[TailEntry],
        mut limit: StepLimit,
    ) -> Result<Vec<StableKey>, Stop> {
        let now = self.0.clock.now();
        let mut failed: HashMap<&StableKey, Carried> = HashMap::new();
        let mut held: HashSet<&TicketId> = HashSet::new();
        for rank in Target::RANKS {
            let wanted = |target: Target| -> Vec<&TailEntry> {
                let of_target = entries.iter().filter(|entry| target.takes(entry));
                of_target
                    .filter(|entry| !held.contains(&entry.key.ticket_id))
                    .collect()
            };
            let mut refused = Vec::new();
            if limit.is_none() {
                let side_by_side = rank
                    .iter()
                    .map(|target| self.carry_together(*target, wanted(*target), now));
                for of_target in join_all(side_by_side).await {
                    refused.extend(of_target?);
                }
            } else {
                for target in rank {
                    refused.extend(self.carry_all(*target, &wanted(*target), now, &mut limit).await?);
                }
            }
            for (entry, carried) in refused {
                held.insert(&entry.key.ticket_id);
                failed.insert(&entry.key, carried);
            }
        }
        let mut moved: Vec<&StableKey> = Vec::with_capacity(entries.len());
        for entry in entries {
            let may_leave = match failed.get(&entry.key) {
                None => !held.contains(&entry.key.ticket_id),
                Some(Carried::Refused(reason)) => self.give_up(entry, reason, now, &mut limit).await?,
                Some(Carried::Later | Carried::Yes) => false,
            };
            if may_leave {
                moved.push(&entry.key);
            }
        }
        if !moved.is_empty() {
            limit.take()?;
            self.0.targets.pull(&moved).await?;
        }
        Ok(moved.into_iter().cloned().collect())
    }

    /// The same without a limit; targets that are written entry by entry are written for several at a time.
    async fn carry_together<'a>(
        &self,
        target: Target,
        entries: Vec<&'a TailEntry>,
        now: Timestamp,
    ) -> Result<Vec<(&'a TailEntry, Carried)>, Stop> {
        if !RelayTargets::is_single(target) {
            let mut limit = StepLimit::NONE;
            return self.carry_all(target, &entries, now, &mut limit).await;
        }
        let entries = self.0.targets.open(target, entries).await?;
        let share = entries.len().div_ceil(SIDE_BY_SIDE).max(1);
        let shares = entries.chunks(share).map(|share| async move {
            let mut limit = StepLimit::NONE;
            self.carry_all(target, share, now, &mut limit).await
        });
        let mut refused = Vec::new();
        for of_share in join_all(shares).await {
            refused.extend(of_share?);
        }
        Ok(refused)
    }

    /// Carries entries to one target: together where the target allows it, one by one where not or when it refuses one.
    async fn carry_all<'a>(
        &self,
        target: Target,
        entries: &[&'a TailEntry],
        now: Timestamp,
        limit: &mut StepLimit,
    ) -> Result<Vec<(&'a TailEntry, Carried)>, Stop> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        if !RelayTargets::is_single(target) {
            limit.take()?;
            match self.0.targets.carry(target, entries, now).await {
                Ok(_) => return Ok(Vec::new()),
                Err(error) if classify(&error) == WriteFault::Refused => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut refused = Vec::new();
        for entry in entries {
            limit.take()?;
            let carried = match self.0.targets.carry(target, &[*entry], now).await {
                Ok(carried) => carried,
                Err(error) if classify(&error) == WriteFault::Unknown => return Err(error.into()),
                Err(error) => Carried::Refused(error.to_string()),
            };
            if carried != Carried::Yes {
                refused.push((*entry, carried));
            }
        }
        Ok(refused)
    }

    /// Counts a failure of an entry; at the tenth it is set aside and may leave its tail.
    async fn give_up(
        &self,
        entry: &TailEntry,
        reason: &str,
        now: Timestamp,
        limit: &mut StepLimit,
    ) -> Result<bool, Stop> {
        let key = entry.key.to_string();
        let tries = {
            let mut tries = self.0.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let count = tries.entry(key.clone()).or_insert(0);
            *count += 1;
            *count
        };
        if tries < TRIES {
            return Ok(false);
        }
        limit.take()?;
        self.0.targets.park(entry, reason, now).await?;
        self.0
            .tries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        metrics::counter!("workflow_relay_parked_total").increment(1);
        tracing::error!(entry.key = %key, reason, "an entry cannot be carried on and is set aside in relay_failed");
        Ok(true)
    }
}
