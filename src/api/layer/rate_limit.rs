//! Bounds on what one person can ask of one process; keyed by person, so that an office behind one address is fine.
//!
//! Whatever a person does counts as a request; what costs more than others, or fills a store, has a bound of its own.
//! Questions to the language model are counted where they are asked (`services/model.rs`).

use crate::config::ServerSettings;
use crate::domain::error::ServiceError;
use crate::domain::person::Person;
use axum::http::Method;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

/// Requests that may come at once, in times of the rate a second.
const BURST: u32 = 10;

/// What a request is for, as far as its number is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Raises a ticket.
    Raise,
    /// Stores a file.
    Upload,
    /// Asks the directory.
    LookUp,
    /// Anything else.
    Other,
}

impl Purpose {
    /// The purpose of a request to `route`, the path as the router names it.
    pub fn of(method: &Method, route: &str) -> Self {
        match route.strip_prefix("/api/v1").unwrap_or_default() {
            "/tickets" if method == Method::POST => Self::Raise,
            family if family.starts_with("/attachments/upload") => Self::Upload,
            family if family.starts_with("/directory/users") => Self::LookUp,
            _ => Self::Other,
        }
    }
}

/// What each person may do, by object id or address.
pub struct RateLimits {
    limiters: Option<Limiters>,
}

struct Limiters {
    requests: DefaultKeyedRateLimiter<String>,
    raises: DefaultKeyedRateLimiter<String>,
    uploads: DefaultKeyedRateLimiter<String>,
    look_ups: DefaultKeyedRateLimiter<String>,
}

impl RateLimits {
    /// The bounds of `settings`; none at all when no bound is set on requests.
    pub fn new(settings: &ServerSettings) -> Self {
        let limiters = NonZeroU32::new(settings.requests_per_second_per_person).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::new(BURST).unwrap_or(rate));
            Limiters {
                requests: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
                raises: per_minute(settings.raises_per_minute_per_person),
                uploads: per_minute(settings.uploads_per_minute_per_person),
                look_ups: per_minute(settings.look_ups_per_minute_per_person),
            }
        });
        Self { limiters }
    }

    /// Counts a request of `person`.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] above a bound.
    pub fn check(&self, person: &Person, purpose: Purpose) -> Result<(), ServiceError> {
        let Some(limiters) = &self.limiters else {
            return Ok(());
        };
        let key = person.aad_id.clone().unwrap_or_else(|| person.email.key());
        count(&limiters.requests, &key)?;
        match purpose {
            Purpose::Raise => count(&limiters.raises, &key),
            Purpose::Upload => count(&limiters.uploads, &key),
            Purpose::LookUp => count(&limiters.look_ups, &key),
            Purpose::Other => Ok(()),
        }
    }

    /// Forgets people who have been quiet; called by a job.
    pub fn forget_quiet(&self) {
        let Some(limiters) = &self.limiters else {
            return;
        };
        for limiter in [
            &limiters.requests,
            &limiters.raises,
            &limiters.uploads,
            &limiters.look_ups,
        ] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

fn per_minute(rate: u32) -> DefaultKeyedRateLimiter<String> {
    RateLimiter::keyed(Quota::per_minute(
        NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN),
    ))
}

fn count(limiter: &DefaultKeyedRateLimiter<String>, key: &String) -> Result<(), ServiceError> {
    limiter
        .check_key(key)
        .map_err(|refused| ServiceError::RateLimited {
            retry_after: refused.wait_time_from(DefaultClock::default().now()),
        })
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimits")
            .field("are_set", &self.limiters.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};
    use crate::domain::person::Email;

    fn limits(pairs: &[(&str, &str)]) -> RateLimits {
        let mut all = vec![("ENVIRONMENT", "development")];
        all.extend(pairs);
        RateLimits::new(&Settings::from_sources(Sources::of_pairs(&all)).unwrap().server)
    }

    fn person(address: &str) -> Person {
        Person::from_email(Email::try_from(address).unwrap())
    }

    fn refused(limits: &RateLimits, times: usize, who: &str, purpose: Purpose) -> usize {
        let who = person(who);
        (0..times)
            .filter(|_| limits.check(&who, purpose).is_err())
            .count()
    }

    #[test]
    fn one_person_s_flood_does_not_slow_another() {
        let limits = limits(&[("REQUESTS_PER_SECOND_PER_PERSON", "1")]);
        assert!(refused(&limits, 20, "ann@a.example", Purpose::Other) >= 9);
        assert_eq!(refused(&limits, 1, "ben@a.example", Purpose::Other), 0);
    }

    #[test]
    fn what_fills_a_store_is_bounded_apart_from_everything_else() {
        let limits = limits(&[
            ("RAISES_PER_MINUTE_PER_PERSON", "3"),
            ("UPLOADS_PER_MINUTE_PER_PERSON", "4"),
            ("LOOK_UPS_PER_MINUTE_PER_PERSON", "5"),
        ]);
        for (purpose, allowed) in [(Purpose::Raise, 3), (Purpose::Upload, 4), (Purpose::LookUp, 5)] {
            assert_eq!(
                refused(&limits, 10, "ann@a.example", purpose),
                10 - allowed,
                "{purpose:?}"
            );
        }
        assert_eq!(refused(&limits, 10, "ann@a.example", Purpose::Other), 0);
    }

    #[test]
    fn zero_sets_no_bound() {
        let limits = limits(&[("REQUESTS_PER_SECOND_PER_PERSON", "0")]);
        assert_eq!(refused(&limits, 10_000, "ann@a.example", Purpose::Raise), 0);
    }

    #[test]
    fn a_request_is_counted_by_its_route() {
        let of = |method: Method, route| Purpose::of(&method, route);
        assert_eq!(of(Method::POST, "/api/v1/tickets"), Purpose::Raise);
        assert_eq!(of(Method::GET, "/api/v1/tickets"), Purpose::Other);
        assert_eq!(
            of(Method::POST, "/api/v1/attachments/upload-multiple"),
            Purpose::Upload
        );
        assert_eq!(of(Method::GET, "/api/v1/directory/users/search"), Purpose::LookUp);
        assert_eq!(
            of(Method::POST, "/api/v1/tickets/{ticket_id}/cancel"),
            Purpose::Other
        );
    }
}
