//! What many requests want of the database at the same time, gathered: what comes while a command is on its way goes
//! together with the next one. Alone, nobody waits for others.
//!
//! Invariants: nobody is answered by a command that was sent before the question came; nothing that waits is forgotten;
//! what nobody waits for any more when its turn comes is not sent.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// What goes to the database together.
pub(super) trait Together: Send + Sync + 'static {
    /// What one caller wants.
    type Wish: Send + 'static;
    /// What the caller is told.
    type Outcome: Send + 'static;

    /// How many of the wishes, the oldest first, fit into one command; one always goes.
    fn fitting<'a>(wishes: impl Iterator<Item = &'a Self::Wish>) -> usize;

    /// Carries wishes out by one command; the outcomes in their order.
    fn carry_out(&self, wishes: Vec<Self::Wish>) -> impl Future<Output = Vec<Self::Outcome>> + Send;
}

/// Gathers wishes of one kind; cheap to clone.
pub(super) struct Gathering<T: Together>(Arc<Inner<T>>);

struct Inner<T: Together> {
    together: T,
    tracker: TaskTracker,
    waiting: Mutex<Waiting<T>>,
}

struct Waiting<T: Together> {
    wishes: Vec<Pending<T>>,
    /// Whether a carrier is at work; one at a time, so that batches are large in each of several processes too.
    is_carried: bool,
}

/// A wish and where its outcome goes; closed when nobody waits any more.
struct Pending<T: Together> {
    wish: T::Wish,
    outcome: oneshot::Sender<T::Outcome>,
}

impl<T: Together> Clone for Gathering<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Together> fmt::Debug for Gathering<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").finish_non_exhaustive()
    }
}

impl<T: Together> Gathering<T> {
    /// Gathers what goes together like this.
    pub(super) fn new(together: T, tracker: &TaskTracker) -> Self {
        Self(Arc::new(Inner {
            together,
            tracker: tracker.clone(),
            waiting: Mutex::new(Waiting {
                wishes: Vec::new(),
                is_carried: false,
            }),
        }))
    }

    /// The outcome of a wish; `None` when carrying it out panicked. Whoever stops waiting before it is on its way has
    /// not wished it.
    pub(super) async fn ask(&self, wish: T::Wish) -> Option<T::Outcome> {
        let (outcome, told) = oneshot::channel();
        if self.0.add(Pending { wish, outcome }) {
            // A task of its own: the others' outcomes must not hang on this caller's patience.
            self.0.tracker.spawn(Carrier(Arc::clone(&self.0)).run());
        }
        told.await.ok()
    }
}

impl<T: Together> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a wish; whether a carrier has to start.
    fn add(&self, pending: Pending<T>) -> bool {
        let mut waiting = self.lock();
        waiting.wishes.push(pending);
        !std::mem::replace(&mut waiting.is_carried, true)
    }

    /// The next wishes; `None` ends the carrier, under the same lock, so that no wish is forgotten.
    fn take(&self) -> Option<Vec<Pending<T>>> {
        let mut waiting = self.lock();
        waiting.wishes.retain(|pending| !pending.outcome.is_closed());
        if waiting.wishes.is_empty() {
            waiting.is_carried = false;
            return None;
        }
        let many = T::fitting(waiting.wishes.iter().map(|pending| &pending.wish));
        let many = many.clamp(1, waiting.wishes.len());
        Some(waiting.wishes.drain(..many).collect())
    }
}

/// Carries wishes out until none waits.
struct Carrier<T: Together>(Arc<Inner<T>>);

impl<T: Together> Carrier<T> {
    async fn run(self) {
        while let Some(pending) = self.0.take() {
            let (wishes, told): (Vec<_>, Vec<_>) = pending
                .into_iter()
                .map(|pending| (pending.wish, pending.outcome))
                .unzip();
            let outcomes = self.0.together.carry_out(wishes).await;
            for (outcome, told) in outcomes.into_iter().zip(told) {
                // Nobody listens when the request went away.
                let _ = told.send(outcome);
            }
        }
    }
}

impl<T: Together> Drop for Carrier<T> {
    /// After a panic its callers are told, since their senders are gone, and the next wish starts another.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().is_carried = false;
        }
    }
}
