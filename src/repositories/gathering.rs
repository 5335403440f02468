//! What many requests want of the database at the same time, gathered: what comes while a command is on its way goes
//! together with the next one. Alone, nobody waits for others; where the command before carried several, those who were
//! answered by it are likely to come again at once, and the next one may wait for them for a moment.
//!
//! Invariants: nobody is answered by a command that was sent before the question came; nothing that waits is forgotten;
//! what nobody waits for any more when its turn comes is not sent.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

/// What goes to the database together.
pub(super) trait Together: Send + Sync + 'static {
    /// What one caller wants.
    type Wish: Send + 'static;
    /// What the caller is told.
    type Outcome: Send + 'static;

    /// How long the next wishes wait at most until they are as many as the last command carried, where those were
    /// several.
    const MOMENT: Duration;

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
    /// Told when as many wait as the last command carried.
    complete: Notify,
}

struct Waiting<T: Together> {
    wishes: Vec<Pending<T>>,
    /// Whether a carrier is at work; one at a time, so that batches are large in each of several processes too.
    is_carried: bool,
    /// How many wishes the last command carried.
    last: usize,
}

impl<T: Together> Waiting<T> {
    /// Whether as many wait as the last command carried, or that was one only.
    const fn is_complete(&self) -> bool {
        self.last < 2 || self.wishes.len() >= self.last
    }
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
                last: 0,
            }),
            complete: Notify::new(),
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
        if waiting.is_complete() {
            self.complete.notify_one();
        }
        !std::mem::replace(&mut waiting.is_carried, true)
    }

    /// Waits a moment for company, after a command that carried several.
    async fn wait_for_company(&self) {
        if T::MOMENT.is_zero() {
            return;
        }
        let until = Instant::now() + T::MOMENT;
        while !self.lock().is_complete() {
            if timeout_at(until, self.complete.notified()).await.is_err() {
                return;
            }
        }
    }

    /// The next wishes; `None` ends the carrier, under the same lock, so that no wish is forgotten.
    fn take(&self) -> Option<Vec<Pending<T>>> {
        let mut waiting = self.lock();
        waiting.wishes.retain(|pending| !pending.outcome.is_closed());
        if waiting.wishes.is_empty() {
            waiting.is_carried = false;
            waiting.last = 0;
            return None;
        }
        let many = T::fitting(waiting.wishes.iter().map(|pending| &pending.wish));
        let many = many.clamp(1, waiting.wishes.len());
        waiting.last = many;
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
            self.0.wait_for_company().await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::{AtomicBool, Ordering};

    const MOMENT: Duration = Duration::from_secs(1);

    /// Tells each how many were carried with it, by commands that take no time once they may go.
    struct HowMany {
        may_go: Arc<Notify>,
        is_held: Arc<AtomicBool>,
    }

    impl Together for HowMany {
        type Wish = ();
        type Outcome = usize;
        const MOMENT: Duration = MOMENT;

        fn fitting<'a>(wishes: impl Iterator<Item = &'a ()>) -> usize {
            wishes.count()
        }

        async fn carry_out(&self, wishes: Vec<()>) -> Vec<usize> {
            if self.is_held.load(Ordering::SeqCst) {
                self.may_go.notified().await;
            }
            vec![wishes.len(); wishes.len()]
        }
    }

    /// A gathering whose last command carried three, and whose carrier waits for company.
    async fn after_three() -> Gathering<HowMany> {
        let may_go = Arc::new(Notify::new());
        let is_held = Arc::new(AtomicBool::new(true));
        let how_many = HowMany {
            may_go: Arc::clone(&may_go),
            is_held: Arc::clone(&is_held),
        };
        let tracker = TaskTracker::new();
        let gathering = Gathering::new(how_many, &tracker);
        let alone = tracker.spawn({
            let gathering = gathering.clone();
            async move { gathering.ask(()).await }
        });
        while !gathering.0.lock().is_carried || !gathering.0.lock().wishes.is_empty() {
            tokio::task::yield_now().await;
        }
        let release = async {
            while gathering.0.lock().wishes.len() < 3 {
                tokio::task::yield_now().await;
            }
            is_held.store(false, Ordering::SeqCst);
            may_go.notify_one();
        };
        let (three, ()) = tokio::join!(join_all((0..3).map(|_| gathering.ask(()))), release);
        assert_eq!(alone.await.unwrap(), Some(1));
        assert_eq!(three, [Some(3), Some(3), Some(3)]);
        gathering
    }

    #[tokio::test(start_paused = true)]
    async fn alone_a_wish_waits_for_nobody() {
        let how_many = HowMany {
            may_go: Arc::new(Notify::new()),
            is_held: Arc::new(AtomicBool::new(false)),
        };
        let gathering = Gathering::new(how_many, &TaskTracker::new());
        let begun = Instant::now();
        for _ in 0..3 {
            assert_eq!(gathering.ask(()).await, Some(1));
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_as_the_last_command_carried_go_together_at_once() {
        let gathering = after_three().await;
        let begun = Instant::now();
        let again = join_all((0..3).map(|_| gathering.ask(()))).await;
        assert_eq!(again, [Some(3), Some(3), Some(3)]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_wait_a_moment_for_company_and_not_longer() {
        let gathering = after_three().await;
        let begun = Instant::now();
        let again = join_all((0..2).map(|_| gathering.ask(()))).await;
        assert_eq!(again, [Some(2), Some(2)]);
        // The timer counts in whole milliseconds.
        let off = begun.elapsed().abs_diff(MOMENT);
        assert!(off <= Duration::from_millis(1), "{off:?}");
    }
}
