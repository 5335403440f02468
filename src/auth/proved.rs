//! Tokens that were proved a moment ago, by their hash: a person's page sends the same token many times a minute, and
//! checking its signature costs more than the rest of the way to the handler.

use super::claims::{Identity, LEEWAY};
use crate::domain::time::{Clock, Timestamp};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

/// A proof is repeated after this time, so that a withdrawn key is noticed.
const PROOF_MILLIS: i64 = 60_000;
/// Tokens that are remembered.
const REMEMBERED: usize = 4_096;

/// The hash of a token; the token itself is not kept.
type TokenHash = [u8; 32];

/// Proofs that still hold.
#[derive(Debug)]
pub(super) struct ProvedTokens {
    clock: Clock,
    proofs: Cache<TokenHash, Proof>,
}

#[derive(Debug, Clone)]
struct Proof {
    identity: Identity,
    proved_at: Timestamp,
}

impl ProvedTokens {
    /// None yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            proofs: Cache::new(REMEMBERED),
        }
    }

    /// The key under which a token is remembered.
    pub(super) fn hash(token: &str) -> TokenHash {
        Sha256::digest(token.as_bytes()).into()
    }

    /// Whose token it is, while both the proof and the token hold.
    pub(super) fn get(&self, hash: &TokenHash) -> Option<Identity> {
        let proof = self.proofs.get(hash)?;
        let now = self.clock.now();
        let age = now.since(proof.proved_at).num_milliseconds();
        let holds = (0..PROOF_MILLIS).contains(&age) && proof.identity.expires_at.plus_millis(LEEWAY) > now;
        holds.then_some(proof.identity)
    }

    /// Remembers a proof that was made just now.
    pub(super) fn remember(&self, hash: TokenHash, identity: &Identity) {
        let proof = Proof {
            identity: identity.clone(),
            proved_at: self.clock.now(),
        };
        self.proofs.insert(hash, proof);
    }
}
