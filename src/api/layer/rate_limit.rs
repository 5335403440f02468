//! A bound on what one person can ask of one process; keyed by person, so that an office behind one address is fine.

use crate::domain::error::ServiceError;
use crate::domain::person::Person;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

/// Requests one person may make, by their object id or address.
pub struct RateLimit {
    limiter: Option<DefaultKeyedRateLimiter<String>>,
}

impl RateLimit {
    /// `per_second` requests on average, ten times as many at once; 0 sets no bound.
    pub fn new(per_second: u32) -> Self {
        let quota = NonZeroU32::new(per_second).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::new(10).unwrap_or(rate));
            Quota::per_second(rate).allow_burst(burst)
        });
        Self {
            limiter: quota.map(RateLimiter::keyed),
        }
    }

    /// Counts a request of `person`.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] above the bound.
    pub fn check(&self, person: &Person) -> Result<(), ServiceError> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        let key = person.aad_id.clone().unwrap_or_else(|| person.email.key());
        limiter
            .check_key(&key)
            .map_err(|refused| ServiceError::RateLimited {
                retry_after: refused.wait_time_from(DefaultClock::default().now()),
            })
    }

    /// Forgets people who have been quiet; called by a job.
    pub fn forget_quiet(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

impl std::fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimit")
            .field("is_set", &self.limiter.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::Email;

    #[test]
    fn one_person_s_flood_does_not_slow_another() {
        let limit = RateLimit::new(1);
        let person = |address: &str| Person::from_email(Email::try_from(address).unwrap());
        let refused = (0..20)
            .filter(|_| limit.check(&person("ann@a.example")).is_err())
            .count();
        assert!(refused >= 9, "{refused}");
        assert!(limit.check(&person("ben@a.example")).is_ok());
    }

    #[test]
    fn zero_sets_no_bound() {
        let limit = RateLimit::new(0);
        let person = Person::from_email(Email::try_from("ann@a.example").unwrap());
        assert!((0..10_000).all(|_| limit.check(&person).is_ok()));
    }
}
