//! A real SMTP server in a process of its own; see `server.py` for what recipients make it do.

use super::eventually;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The server's certificate and key for tests of TLS, signed by an authority of our own; they protect nothing.
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp/server.pem");
/// That authority's certificate.
pub(crate) const AUTHORITY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp/authority.pem");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/smtp/server.py");
const PACKAGE: &str = "aiosmtpd==1.4.6";

/// A running server; it ends with this value.
#[derive(Debug)]
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    folder: PathBuf,
    child: Child,
    /// The folder, when it goes with the server.
    _own: Option<TempDir>,
}

/// A mail as the server took it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TakenMail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// The whole message, headers included.
    pub(crate) text: String,
    /// How many messages, this one among them, the server had read and not answered when it took this one.
    #[serde(default)]
    pub(crate) at_once: usize,
}

impl SmtpServer {
    /// A server without TLS that answers at once.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server that takes a mail and then needs `millis` to say so.
    pub(crate) fn slow(millis: u32) -> Self {
        Self::with(&["--delay-ms", &millis.to_string()])
    }

    /// A server with TLS from the first byte.
    pub(crate) fn with_tls() -> Self {
        Self::with(&["--tls", CERTIFICATE])
    }

    /// A server that takes mail only after STARTTLS.
    pub(crate) fn with_starttls() -> Self {
        Self::with(&["--starttls", CERTIFICATE])
    }

    /// A server that adds to the mails of this folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        Self::started(folder.to_owned(), None, &[])
    }

    fn with(arguments: &[&str]) -> Self {
        let own = tempfile::tempdir().unwrap();
        Self::started(own.path().to_owned(), Some(own), arguments)
    }

    fn started(folder: PathBuf, own: Option<TempDir>, arguments: &[&str]) -> Self {
        let mut child = Command::new(python())
            .arg(SERVER)
            .arg(&folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the SMTP server names its port");
        Self {
            port,
            folder,
            child,
            _own: own,
        }
    }

    /// Settings that send mail here.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("MAIL_TRANSPORT", "smtp".to_owned()),
            ("SMTP_HOST", "127.0.0.1".to_owned()),
            ("SMTP_PORT", self.port.to_string()),
            ("SMTP_TLS", "none".to_owned()),
            ("MAIL_FROM", "ops@contoso.example".to_owned()),
        ]
    }

    /// The same over TLS: `implicit` or `starttls`.
    pub(crate) fn settings_with_tls(&self, tls: &str) -> Vec<(&'static str, String)> {
        let mut settings = self.settings();
        settings.retain(|(name, _)| *name != "SMTP_TLS");
        settings.push(("SMTP_TLS", tls.to_owned()));
        settings
    }

    /// The mails taken so far, in order.
    pub(crate) fn mails(&self) -> Vec<TakenMail> {
        let names = std::fs::read_dir(&self.folder).unwrap();
        let mut paths: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let read = |path: &PathBuf| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        paths.iter().map(read).collect()
    }

    /// How many mails each recipient got, and under how many different Message-IDs.
    pub(crate) fn by_recipient(&self) -> BTreeMap<String, Vec<String>> {
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for mail in self.mails() {
            let id = mail.header("Message-ID").unwrap_or_default();
            ids.entry(mail.to[0].clone()).or_default().push(id);
        }
        ids
    }

    /// Answers the mails to `hold-` recipients that were not answered before, and later ones at once.
    pub(crate) fn let_go(&self) {
        std::fs::write(self.folder.join("go"), "").unwrap();
    }

    /// Waits until `count` mails were taken.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<TakenMail> {
        eventually("mails arrive", || async { self.mails().len() >= count }).await;
        self.mails()
    }
}

impl TakenMail {
    /// A header's value, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers();
        let start = format!("{}:", name.to_lowercase());
        let line = headers
            .iter()
            .find(|line| line.to_lowercase().starts_with(&start))?;
        line.get(start.len()..).map(|value| value.trim().to_owned())
    }

    /// The header lines, unfolded.
    pub(crate) fn headers(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in self.text.lines().take_while(|line| !line.is_empty()) {
            match lines.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => {
                    last.push(' ');
                    last.push_str(line.trim());
                }
                _ => lines.push(line.to_owned()),
            }
        }
        lines
    }

    /// The part of this type, decoded.
    pub(crate) fn part(&self, content_type: &str) -> String {
        let script = "import email,email.policy,sys\n\
            m=email.message_from_string(sys.stdin.read(),policy=email.policy.default)\n\
            [sys.stdout.write(p.get_content()) for p in m.walk() if p.get_content_type()==sys.argv[1]]";
        let mut child = Command::new(python())
            .args(["-c", script, content_type])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), self.text.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    /// The subject, decoded.
    pub(crate) fn subject(&self) -> String {
        let script = "import email,email.policy,sys\n\
            sys.stdout.write(email.message_from_string(sys.stdin.read(),policy=email.policy.default)['subject'])";
        let mut child = Command::new(python())
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), self.text.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python with the server's package: `AIOSMTPD_PYTHON`, or an environment of our own made once.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| match std::env::var("AIOSMTPD_PYTHON") {
        Ok(given) => PathBuf::from(given),
        Err(_) => own_environment(),
    })
}

fn own_environment() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aiosmtpd-1.4.6");
    let program = home.join("bin/python");
    if program.exists() {
        return program;
    }
    // Made aside and renamed, so that runs side by side never see half of one.
    let unfinished = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
    run(Command::new("python3").args(["-m", "venv"]).arg(&unfinished));
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PACKAGE,
    ];
    run(Command::new(unfinished.join("bin/python")).args(pip));
    if std::fs::rename(&unfinished, &home).is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    program
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(
        status.success(),
        "{command:?} failed; tests of mail need Python 3 with venv and pip"
    );
}
