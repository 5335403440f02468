//! Constant memory: what large uploads, downloads and exports cost the real program, as the system counts it.

use crate::support::{ServiceProcess, TestApp, eventually};
use bson::{Document, doc};
use futures::{StreamExt, stream};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The largest file allowed.
const FILE: usize = 50 << 20;
/// What a transfer may add to the resident memory.
const RISE_KIB: u64 = 16 << 10;
/// What one piece of a transfer holds.
const PIECE: usize = 64 << 10;

/// The program with its own settings, and somebody who is signed in to it.
struct Program {
    process: ServiceProcess,
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Program {
    async fn start(database: &str) -> Self {
        let address = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().to_string()
        };
        let settings = [
            ("BIND_ADDR", address.clone()),
            ("ATTACHMENTS_MAX_MB", "50".to_owned()),
            ("REQUESTS_PER_SECOND_PER_PERSON", "0".to_owned()),
        ];
        let process = ServiceProcess::start(database, &settings);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://{address}");
        let ready = || async {
            let answer = http.get(format!("{base}/health/ready")).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        eventually("the program is ready", ready).await;
        let asked = http
            .post(format!("{base}/dev/token"))
            .json(&json!({"email": "ann.lee@example.com"}));
        let minted: Value = asked.send().await.unwrap().json().await.unwrap();
        Self {
            process,
            token: format!("Bearer {}", minted["access_token"].as_str().unwrap()),
            base,
            http,
        }
    }

    /// Uploads a document of `size` bytes piece by piece; returns its id.
    async fn upload(&self, name: &str, size: usize) -> String {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/pdf\r\n\r\n%PDF-1.7"
        );
        let rest = size - "%PDF-1.7".len();
        let pieces = (0..rest.div_ceil(PIECE)).map(move |n| vec![b' '; PIECE.min(rest - n * PIECE)]);
        let form = std::iter::once(head.into_bytes())
            .chain(pieces)
            .chain(std::iter::once(b"\r\n--b--\r\n".to_vec()));
        let answer = self
            .http
            .post(format!("{}/api/v1/attachments/upload", self.base))
            .header(AUTHORIZATION, &self.token)
            .header(CONTENT_TYPE, "multipart/form-data; boundary=b")
            .body(reqwest::Body::wrap_stream(stream::iter(
                form.map(Ok::<_, std::io::Error>),
            )))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let uploaded: Value = answer.json().await.unwrap();
        assert_eq!(uploaded["size_bytes"], size);
        uploaded["attachment_id"].as_str().unwrap().to_owned()
    }

    /// Reads an answer to its end piece by piece; returns its length.
    async fn read(&self, path: &str) -> usize {
        let asked = self
            .http
            .get(format!("{}{path}", self.base))
            .header(AUTHORIZATION, &self.token);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut pieces = answer.bytes_stream();
        let mut length = 0;
        while let Some(piece) = pieces.next().await {
            length += piece.unwrap().len();
        }
        length
    }

    /// A line of the system's account of the process, in KiB.
    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(self.file("status")).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line));
        let words = found.and_then(|text| text.split_whitespace().nth(1)).unwrap();
        words.parse().unwrap()
    }

    /// What the resident memory rises by at most while `work` goes on, in KiB.
    async fn rise(&self, work: impl Future<Output = ()>) -> u64 {
        // The peak is counted from now on (proc(5), clear_refs).
        std::fs::write(self.file("clear_refs"), "5").unwrap();
        let before = self.memory("VmRSS");
        work.await;
        self.memory("VmHWM").saturating_sub(before)
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.process.pid()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_of_50_mib_and_exports_raise_resident_memory_by_less_than_16_mib() {
    let app = TestApp::new().await;
    let program = Program::start(app.database().name()).await;
    // What is set up once does not count.
    let small = program.upload("small.pdf", 2 << 20).await;
    program
        .read(&format!("/api/v1/attachments/{small}/download"))
        .await;

    let mut id = String::new();
    let uploading = program
        .rise(async { id = program.upload("large.pdf", FILE).await })
        .await;
    let path = format!("/api/v1/attachments/{id}/download");
    let downloading = program
        .rise(async { assert_eq!(program.read(&path).await, FILE) })
        .await;
    many_tickets(&app, &program).await;
    let mut length = 0;
    let exporting = program
        .rise(async { length = program.read("/api/v1/tickets/export?format=jsonl").await })
        .await;
    assert!(length > 30 << 20, "the export has only {length} bytes");
    for (what, rise) in [
        ("upload", uploading),
        ("download", downloading),
        ("export", exporting),
    ] {
        assert!(rise < RISE_KIB, "{what}: {rise} KiB");
    }
}

/// Gives Ann many tickets with long form values.
async fn many_tickets(app: &TestApp, program: &Program) {
    let field = json!({"field_key": "what", "field_label": "What", "field_type": "TEXTAREA", "order": 0});
    let definition = json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field]},
            {"step_id": "ok", "step_name": "Approve", "step_type": "APPROVAL_STEP", "is_terminal": true,
             "approver_resolution": "REQUESTER_MANAGER"},
        ],
        "transitions": [{"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM"}],
    });
    app.grant_people_their_rights().await;
    let dana = app.person("dana.wolf");
    let created = dana
        .post("/api/v1/workflows", json!({"name": "Long"}))
        .await
        .expect(201);
    let workflow = created.body["workflow_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/workflows/{workflow}");
    dana.put(&format!("{path}/draft"), json!({"definition": definition}))
        .await
        .expect(200);
    dana.post_nothing(&format!("{path}/publish")).await.expect(200);
    let wish = json!({"workflow_id": workflow, "title": "Long", "initial_form_step_ids": ["ask"],
        "initial_form_values": {"what": "x".repeat(8_000)}});
    let raised = app
        .person("ann.lee")
        .post("/api/v1/tickets", wish)
        .await
        .expect(201);
    let tickets = app.database().collection::<Document>("tickets");
    let id = raised.body["ticket_id"].as_str().unwrap();
    let original = tickets.find_one(doc! {"_id": id}).await.unwrap().unwrap();
    for batch in 0..10 {
        let copies = (0..500).map(|n| {
            let mut copy = original.clone();
            copy.insert("_id", format!("TKT-{:012x}", batch * 500 + n));
            copy
        });
        tickets.insert_many(copies).await.unwrap();
    }
    // The first row is read once, so that plans and connections are there.
    program.read("/api/v1/tickets?page_size=1").await;
}
