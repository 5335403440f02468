//! A line between the service and what it depends on, which a test makes slow, silent, broken or garbled.

use crate::support::mongo;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the line is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Everything passes.
    Fair,
    /// Everything passes after a while.
    Slow(Duration),
    /// Nothing passes, and nobody is told.
    Silent,
    /// Connections break and new ones are closed.
    Broken,
    /// Answers become something else.
    Garbled,
    /// What contains this word does not pass.
    Without(&'static str),
}

/// The line.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    weather: Arc<watch::Sender<Weather>>,
    held: Arc<AtomicUsize>,
}

impl Wire {
    /// A line to `host:port`.
    pub(crate) async fn to(target: &str) -> Self {
        let target = target.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let weather = Arc::new(watch::channel(Weather::Fair).0);
        let held = Arc::new(AtomicUsize::new(0));
        let (of_line, counter) = (Arc::clone(&weather), Arc::clone(&held));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *of_line.borrow() == Weather::Broken {
                    continue;
                }
                if let Ok(far) = TcpStream::connect(&target).await {
                    tokio::spawn(join(near, far, of_line.subscribe(), Arc::clone(&counter)));
                }
            }
        });
        Self { port, weather, held }
    }

    /// A line to the database of this run.
    pub(crate) async fn to_database() -> Self {
        let server = mongo::uri().trim_start_matches("mongodb://");
        Self::to(server.split('/').next().unwrap()).await
    }

    /// The address of a database at the other end.
    pub(crate) fn uri(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.address())
    }

    /// The line's own `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The line's own port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather for connections that are and that come.
    pub(crate) fn turn(&self, weather: Weather) {
        self.held.store(0, Ordering::SeqCst);
        self.weather.send_replace(weather);
    }

    /// How many pieces were held back since the weather changed.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

async fn join(near: TcpStream, far: TcpStream, weather: watch::Receiver<Weather>, held: Arc<AtomicUsize>) {
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let mut broken = weather.clone();
    let questions = carry(from_near, to_far, weather.clone(), false, &held);
    let answers = carry(from_far, to_near, weather, true, &held);
    tokio::select! {
        () = questions => {}
        () = answers => {}
        _ = broken.wait_for(|weather| *weather == Weather::Broken) => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    is_answer: bool,
    held: &AtomicUsize,
) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let now = *weather.borrow_and_update();
        match now {
            Weather::Slow(pause) => {
                held.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(pause).await;
            }
            Weather::Without(word) if !contains(&piece[..length], word) => {}
            Weather::Silent | Weather::Without(_) => {
                held.fetch_add(1, Ordering::SeqCst);
                if weather.wait_for(|weather| *weather != now).await.is_err() {
                    return;
                }
            }
            Weather::Garbled if is_answer => piece[..length].fill(b'?'),
            Weather::Fair | Weather::Broken | Weather::Garbled => {}
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

fn contains(piece: &[u8], word: &str) -> bool {
    piece.windows(word.len()).any(|window| window == word.as_bytes())
}
