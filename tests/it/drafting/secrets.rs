//! Keys of the model, and what people and providers write, stay out of logs and answers.

use super::stage::{LAPTOP, Stage, always, answer};
use crate::support::Behaviour;
use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

const KEY: &str = "sk-Very5ecretKeyOfTheModel";

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn neither_keys_nor_texts_reach_logs_and_answers_at_any_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // The whole service of this test runs on this thread.
    let _logging = tracing::subscriber::set_default(subscriber);
    let stage = Stage::with(&[("OPENAI_API_KEY", KEY), ("GENAI_TIMEOUT_SECONDS", "1")]).await;
    let description = format!("{LAPTOP} The word is heliotrope.");
    let echo = Behaviour::Status(401, KEY, None);
    let behaviours = [
        always(&answer()),
        echo,
        Behaviour::Status(400, "invalid_request_error", None),
        Behaviour::Status(500, "server_error", None),
        Behaviour::ContentFilter,
        Behaviour::Malformed,
        Behaviour::Disconnect,
        Behaviour::Text(format!("I know the key {KEY} and the word heliotrope.")),
    ];
    for behaviour in behaviours {
        stage.server.otherwise(behaviour);
        let drafted = stage.draft_of(&description).await;
        let refined = stage.refine(&answer(), "Add a step for the heliotrope").await;
        for reply in [drafted, refined] {
            assert!(!reply.text.contains(KEY), "{}", reply.text);
            assert!(!reply.text.contains("secret words"), "{}", reply.text);
        }
    }
    let sent = &stage.server.requests()[0].headers["authorization"];
    assert_eq!(sent, &format!("Bearer {KEY}"), "the key was in use");
    let text = log.text();
    assert!(text.contains("a plain draft was made"), "the log was read");
    for secret in [
        KEY,
        "secret words",
        "heliotrope",
        "You draft workflow definitions",
    ] {
        let at = text
            .find(secret)
            .map(|at| text[at.saturating_sub(300)..at + 100].to_owned());
        assert_eq!(at, None, "{secret} is in the log");
    }
}
