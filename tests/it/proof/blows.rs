//! What happens to the service and its database while people work: a shuffled deck of blows, dealt over the time.

use super::ledger::{Blow, Ledger};
use super::replica_set::{MEMBERS, ReplicaSet};
use super::services::{PROCESSES, Services};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One deal; of its nine kills two are of the primary.
const DECK: [Blow; 12] = [
    Blow::ServiceKilled,
    Blow::ServiceKilled,
    Blow::ServiceKilled,
    Blow::ServiceKilled,
    Blow::ServiceKilled,
    Blow::ServiceKilled,
    Blow::PrimaryKilled,
    Blow::PrimaryKilled,
    Blow::SecondaryKilled,
    Blow::PrimaryDeposed,
    Blow::PrimaryFrozen,
    Blow::SecondaryFrozen,
];
/// How long a frozen member stands still, in milliseconds; an election takes at least a second.
const FROZEN: std::ops::Range<u64> = 1_500..4_000;

/// Who deals them.
pub(super) struct Dealer<'a> {
    chance: StdRng,
    deck: Vec<Blow>,
    ledger: &'a Ledger,
}

impl<'a> Dealer<'a> {
    pub(super) fn new(seed: u64, ledger: &'a Ledger) -> Self {
        let dealt: usize = ledger.look(|record| record.blows.values().sum());
        Self {
            chance: StdRng::seed_from_u64(seed ^ (dealt as u64) << 32),
            deck: Vec::new(),
            ledger,
        }
    }

    /// Deals one blow about every `pause` until told to stop.
    pub(super) async fn deal(
        &mut self,
        members: &mut ReplicaSet,
        services: &mut Services,
        pause: impl Fn() -> Duration,
        stop: &AtomicBool,
    ) {
        while !stop.load(Ordering::SeqCst) {
            let pause = pause().mul_f64(self.chance.random_range(0.5..1.5));
            let until = Instant::now() + pause;
            while Instant::now() < until && !stop.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            for ended in services.ended_by_themselves().await {
                self.ledger.violate(ended);
            }
            let blow = self.draw();
            self.strike(blow, members, services).await;
        }
    }

    fn draw(&mut self) -> Blow {
        if self.deck.is_empty() {
            self.deck.extend(DECK);
            self.deck.shuffle(&mut self.chance);
        }
        self.deck.pop().unwrap()
    }

    async fn strike(&mut self, blow: Blow, members: &mut ReplicaSet, services: &mut Services) {
        let down = Duration::from_millis(self.chance.random_range(0..1_000));
        match blow {
            Blow::ServiceKilled => {
                // Sometimes nobody is left to serve.
                let victims = if self.chance.random_ratio(1, 6) {
                    vec![0, 1]
                } else {
                    vec![self.chance.random_range(0..PROCESSES)]
                };
                for victim in &victims {
                    services.kill(*victim);
                    self.ledger.strike(blow);
                }
                tokio::time::sleep(down).await;
                for victim in victims {
                    services.revive(victim).await;
                }
            }
            Blow::PrimaryKilled | Blow::SecondaryKilled => {
                let victim = self.victim(blow == Blow::PrimaryKilled, members).await;
                members.kill(victim);
                self.ledger.strike(blow);
                tokio::time::sleep(down).await;
                members.revive(victim).await;
            }
            Blow::PrimaryFrozen | Blow::SecondaryFrozen => {
                let victim = self.victim(blow == Blow::PrimaryFrozen, members).await;
                members.freeze(victim);
                self.ledger.strike(blow);
                tokio::time::sleep(Duration::from_millis(self.chance.random_range(FROZEN))).await;
                members.thaw(victim);
                members.until_all_take_part().await;
            }
            Blow::PrimaryDeposed => {
                let primary = members.primary().await;
                members.depose(primary).await;
                self.ledger.strike(blow);
                members.until_all_take_part().await;
            }
            Blow::Interrupted => {}
        }
    }

    async fn victim(&mut self, is_primary: bool, members: &ReplicaSet) -> usize {
        let primary = members.primary().await;
        if is_primary {
            return primary;
        }
        (primary + self.chance.random_range(1..MEMBERS)) % MEMBERS
    }
}
