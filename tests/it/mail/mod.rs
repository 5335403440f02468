//! Mail: what is delivered, what happens when it cannot be, and that nothing is lost.

mod administration;
mod bell;
mod configuration;
mod dear_figures;
mod delivery;
mod faults;
mod figures;
mod hostile;
mod journey;
mod killed;
mod metrics;
mod side_by_side;
mod templates;

use crate::support::{SmtpServer, TestApp};

/// A service that sends its mail to `server`.
async fn app_sending_to(server: &SmtpServer) -> TestApp {
    let settings = server.settings();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    TestApp::with(&settings).await
}

/// Sends everything that is due, and waits for it.
async fn drain(app: &TestApp) -> usize {
    app.app.notifications.drain.drain().await.unwrap()
}
