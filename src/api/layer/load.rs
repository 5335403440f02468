//! A bound on requests served and waiting at the same time: better some are told to come back than all become slow.
//!
//! Each class of routes has places and a queue of its own, so that a rush of one does not keep another out: people
//! decide on tickets while files are uploaded and models or the directory are slow.

use crate::api::envelope::ApiError;
use crate::domain::error::ServiceError;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The longest that a request waits for a place; an answer that comes much later is for nobody.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Of how many in a room one waits.
const WAITING: usize = 5;
/// When somebody who was turned away may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a request asks of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RouteClass {
    /// Answered from the database.
    Read,
    /// Decided and committed.
    Change,
    /// Bytes that come or go for as long as the line is slow.
    File,
    /// Waits for a language model.
    Model,
    /// Waits for the directory.
    Directory,
}

impl RouteClass {
    /// The class of a request; `None` for health and figures, which are always answered, or a busy process would be
    /// taken for a dead one.
    fn of(request: &Request) -> Option<Self> {
        let path = request.uri().path();
        if path == "/health" || path.starts_with("/health/") || path == "/metrics" {
            return None;
        }
        Some(match path.strip_prefix("/api/v1/").unwrap_or_default() {
            family if family.starts_with("attachments") => Self::File,
            family if family.starts_with("directory") => Self::Directory,
            family if family.starts_with("genai") || family.starts_with("ai-chat") => Self::Model,
            _ if request.method() == Method::GET || request.method() == Method::HEAD => Self::Read,
            _ => Self::Change,
        })
    }

    /// The word in figures.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
            Self::File => "file",
            Self::Model => "model",
            Self::Directory => "directory",
        }
    }
}

/// The places of one class and those who wait for one.
#[derive(Debug)]
struct Room {
    places: Semaphore,
    queue: Semaphore,
}

impl Room {
    /// Of those in it one in [`WAITING`] waits: enough for a rush of a moment, and so few that a request which is
    /// served takes little longer under any load than it does in a room that is just full.
    fn of(size: usize) -> Self {
        let waiting = size / WAITING;
        Self::with(size.saturating_sub(waiting).max(1), waiting)
    }

    fn with(places: usize, queue: usize) -> Self {
        Self {
            places: Semaphore::new(places),
            queue: Semaphore::new(queue),
        }
    }

    /// A place, at once or after a while in the queue; `None` when the queue is full too, or nothing becomes free.
    async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        let _queued = self.queue.try_acquire().ok()?;
        let place = tokio::time::timeout(LONGEST_WAIT, self.places.acquire()).await;
        place.ok()?.ok()
    }
}

/// The rooms of all classes.
#[derive(Debug)]
pub(super) struct Rooms {
    read: Room,
    change: Room,
    file: Room,
    model: Room,
    directory: Room,
}

impl Rooms {
    /// Rooms in which at most `most` requests are, served or waiting, in all.
    pub(super) fn new(most: usize) -> Self {
        Self {
            read: Room::of(most / 3),
            change: Room::of(most / 3),
            file: Room::of(most / 9),
            model: Room::of(most / 9),
            directory: Room::of(most / 9),
        }
    }

    const fn of(&self, class: RouteClass) -> &Room {
        match class {
            RouteClass::Read => &self.read,
            RouteClass::Change => &self.change,
            RouteClass::File => &self.file,
            RouteClass::Model => &self.model,
            RouteClass::Directory => &self.directory,
        }
    }
}

/// Answers 429 with `Retry-After` when neither a place nor the queue is free.
pub(super) async fn shed(State(rooms): State<Arc<Rooms>>, request: Request, next: Next) -> Response {
    let Some(class) = RouteClass::of(&request) else {
        return next.run(request).await;
    };
    let Some(_place) = rooms.of(class).enter().await else {
        metrics::counter!("http_requests_shed_total", "class" => class.as_str()).increment(1);
        return ApiError(ServiceError::RateLimited {
            retry_after: RETRY_AFTER,
        })
        .into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::http::header;
    use axum::routing::{any, get};
    use axum::{Router, middleware};
    use futures::future::join_all;
    use tokio::sync::watch;
    use tower::ServiceExt;

    /// A service with two places and two in the queue for each class, whose handlers wait until they are let go.
    fn service() -> (Router, watch::Sender<bool>) {
        let (release, released) = watch::channel(false);
        let wait = move || {
            let mut released = released.clone();
            async move {
                let _ = released.wait_for(|released| *released).await;
            }
        };
        let room = || Room::with(2, 2);
        let rooms = Rooms {
            read: room(),
            change: room(),
            file: room(),
            model: room(),
            directory: room(),
        };
        let router = Router::new()
            .route("/health/live", get(async || ()))
            .fallback(any(wait))
            .layer(middleware::from_fn_with_state(Arc::new(rooms), shed));
        (router, release)
    }

    async fn ask(router: &Router, method: Method, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn at_three_times_the_room_some_are_served_and_the_rest_told_to_come_back() {
        let (router, release) = service();
        let asked = join_all((0..12).map(|_| ask(&router, Method::POST, "/api/v1/tickets")));
        let let_go = async {
            // The others are asked first: they are polled in turn, and only what waits is left when this one is.
            release.send(true).unwrap();
        };
        let (answers, ()) = tokio::join!(asked, let_go);
        let (served, refused): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|answer| answer.status() == StatusCode::OK);
        assert_eq!((served.len(), refused.len()), (4, 8));
        for answer in refused {
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
        }
    }

    #[tokio::test]
    async fn a_full_class_keeps_no_other_out_and_health_is_answered() {
        let (router, release) = service();
        let full = join_all((0..4).map(|_| ask(&router, Method::POST, "/api/v1/ai-chat/chat")));
        let others = async {
            let refused = ask(&router, Method::POST, "/api/v1/ai-chat/chat").await;
            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(
                ask(&router, Method::GET, "/health/live").await.status(),
                StatusCode::OK
            );
            release.send(true).unwrap();
            for (method, path) in [
                (Method::GET, "/api/v1/directory/users/search"),
                (Method::GET, "/api/v1/tickets"),
                (Method::POST, "/api/v1/tickets"),
                (Method::GET, "/api/v1/attachments/x"),
            ] {
                assert_eq!(
                    ask(&router, method, path).await.status(),
                    StatusCode::OK,
                    "{path}"
                );
            }
        };
        let (served, ()) = tokio::join!(full, others);
        assert!(served.iter().all(|answer| answer.status() == StatusCode::OK));
        let later = ask(&router, Method::POST, "/api/v1/ai-chat/chat").await;
        assert_eq!(later.status(), StatusCode::OK, "the places are free again");
    }

    #[test]
    fn all_rooms_together_hold_no_more_than_they_may() {
        for most in [12, 100, 1_024] {
            let rooms = Rooms::new(most);
            let all = [
                &rooms.read,
                &rooms.change,
                &rooms.file,
                &rooms.model,
                &rooms.directory,
            ];
            let held = |room: &Room| room.places.available_permits() + room.queue.available_permits();
            assert!(all.into_iter().all(|room| room.places.available_permits() > 0));
            assert!(all.into_iter().map(held).sum::<usize>() <= most, "{most}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_place_for_ever() {
        let (router, _hold) = service();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let router = router.clone();
            waiting.spawn(async move { ask(&router, Method::GET, "/api/v1/tickets").await.status() });
        }
        let first = waiting.join_next().await.unwrap().unwrap();
        assert_eq!(first, StatusCode::TOO_MANY_REQUESTS);
    }
}
