//! Uploads that mean no good, that break off, or that want what is somebody else's: refused, and nothing is left.

use super::{BOUNDARY, FILES, PDF, Part, form_of, id_of, send_form, upload};
use crate::support::{TestApp, TestClient, client_send, eventually};
use bson::{Document, doc};
use pretty_assertions::assert_eq;
use reqwest::Method;
use reqwest::header::{IF_NONE_MATCH, RANGE};
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Everything below a folder that is no folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let found = entries.flatten().flat_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    found.collect()
}

/// Where the bytes of files are.
fn store_of(app: &TestApp) -> PathBuf {
    app.app.settings.attachments.store_url.to_file_path().unwrap()
}

async fn records(app: &TestApp) -> u64 {
    let rows = app.database().collection::<Document>("attachments");
    rows.count_documents(doc! {}).await.unwrap()
}

/// A file whose archive's directory ends with it.
fn archive_behind(head: &[u8]) -> Vec<u8> {
    [head, &b" ".repeat(200_000), b"PK\x05\x06", &[0; 18]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_names_types_and_places_are_refused_and_nothing_is_stored() {
    let app = TestApp::with_people().await;
    let ann = app.person("ann.lee");
    let before = files_below(app.folder()).len();
    let path = format!("{FILES}/upload");
    let long = format!("{}.pdf", "a".repeat(4_000));
    for name in [
        "../../etc/passwd",
        "..\\\\..\\\\boot.ini",
        "/etc/passwd",
        "a/b.pdf",
        "..",
        "a\u{0}.pdf",
        "a\r\nX-Evil: 1\r\n.pdf",
        "a\nb.pdf",
        "a\u{7f}.pdf",
        &long,
    ] {
        let reply = send_form(&ann, &path, &[("file", name, "application/pdf", PDF)]).await;
        assert!(
            reply.status.is_client_error(),
            "{name:?}: {} {}",
            reply.status,
            reply.text
        );
    }
    let gif_and_script = b"GIF89a/*<script>alert(1)</script>*/=1;";
    let pdf_and_page = b"%PDF-1.4\n<!DOCTYPE html><body onload=alert(1)>";
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let jar = [b"PK\x03\x04".as_slice(), &[0; 26], b"META-INF/MANIFEST.MF"].concat();
    let late_binary = [b"plain ".repeat(4_000).as_slice(), b"\0\x01"].concat();
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let wrong: [Part<'_>; 11] = [
        ("file", "a.gif", "image/gif", gif_and_script),
        ("file", "a.pdf", "application/pdf", pdf_and_page),
        ("file", "a.png", "image/png", &archive_behind(png)),
        ("file", "a.pdf", "application/pdf", &archive_behind(PDF)),
        ("file", "a.docx", docx, &jar),
        ("file", "a.txt", "text/plain", &late_binary),
        ("file", "a.txt", "text/plain", b"<html><script>alert(1)</script>"),
        ("file", "a.pdf", "application/pdf", b"MZ\x90\0 a program"),
        ("file", "a.html", "text/html", b"<html>"),
        ("file", "a.svg", "image/svg+xml", b"<svg onload=alert(1)>"),
        ("file", "a.exe", "application/octet-stream", b"MZ"),
    ];
    for part in wrong {
        let reply = send_form(&ann, &path, &[part]).await.expect(400);
        assert_eq!(reply.code(), "INVALID_MIME_TYPE", "{} {}", part.1, part.2);
    }
    let foreign = super::ticket_with(&app, &[]).await.expect(201).body["ticket_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let zoe = app.person("zoe.quinn");
    upload(&zoe, &format!("?ticket_id={foreign}"), "a.pdf", PDF)
        .await
        .expect(403);
    for ticket in [
        "TKT-000000000000",
        "../../x",
        "%2e%2e%2fx",
        "a%0d%0ab",
        "TKT-0000000000001",
    ] {
        upload(&ann, &format!("?ticket_id={ticket}"), "a.pdf", PDF)
            .await
            .expect(404);
    }
    upload(&ann, "?ticket_id=a%00b", "a.pdf", PDF).await.expect(400);
    upload(&ann, &format!("?field_label={}", "x".repeat(501)), "a.pdf", PDF)
        .await
        .expect(400);
    for id in ["..%2f..%2fetc%2fpasswd", "%2e%2e", "a%00b", "a%0d%0ab"] {
        let reply = ann.get(&format!("{FILES}/{id}/download")).await;
        assert!(reply.status.is_client_error(), "{id}: {}", reply.status);
    }
    assert_eq!(records(&app).await, 0);
    assert_eq!(files_below(&store_of(&app)), Vec::<PathBuf>::new());
    assert_eq!(
        files_below(app.folder()).len(),
        before,
        "nothing appears beside the store either"
    );
    // What is all right still is, and lies where the store put it, under no name of the uploader's.
    upload(&ann, "", "good \u{202e}name.pdf", PDF).await.expect(200);
    let stored = files_below(&store_of(&app));
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].to_string_lossy().contains("name"), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_cut_off_half_way_leaves_no_file_and_no_record() {
    let app = TestApp::new().await;
    let token = app.person("ann.lee").token().to_owned();
    let form = form_of(&[("file", "half.pdf", "application/pdf", &PDF.repeat(200_000))]);
    let host = app.base.trim_start_matches("http://").to_owned();
    for framing in [
        format!("content-length: {}", form.len()),
        "transfer-encoding: chunked".to_owned(),
    ] {
        let mut connection = TcpStream::connect(&host).await.unwrap();
        let head = format!(
            "POST {FILES}/upload HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
             content-type: multipart/form-data; boundary={BOUNDARY}\r\n{framing}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let half = &form[..form.len() / 2];
        if framing.starts_with("transfer") {
            connection
                .write_all(format!("{:x}\r\n", half.len()).as_bytes())
                .await
                .unwrap();
        }
        connection.write_all(half).await.unwrap();
        eventually("bytes arrive in the store", || async {
            !files_below(&store_of(&app)).is_empty()
        })
        .await;
        drop(connection);
        eventually("they are gone", || async {
            files_below(&store_of(&app)).is_empty()
        })
        .await;
        assert_eq!(records(&app).await, 0);
    }
    // Half a form in a whole request is refused as well.
    let request = app
        .person("ann.lee")
        .request(Method::POST, &format!("{FILES}/upload"));
    let request = request.header(
        "content-type",
        format!("multipart/form-data; boundary={BOUNDARY}"),
    );
    client_send(request.body(form[..form.len() / 2].to_vec()))
        .await
        .expect(400);
    assert_eq!((records(&app).await, files_below(&store_of(&app)).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_files_are_served_and_a_broken_off_download_can_go_on() {
    let app = TestApp::new().await;
    let ann = app.person("ann.lee");
    let id = id_of(&upload(&ann, "", "a.pdf", PDF).await.expect(200));
    let path = format!("{FILES}/{id}/download");
    let part = |client: &TestClient, headers: &[(&'static str, &str)]| {
        let request = headers
            .iter()
            .fold(client.request(Method::GET, &path), |request, (name, value)| {
                request.header(*name, *value)
            });
        client_send(request)
    };
    let whole = ann.get(&path).await.expect(200);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let tag = whole.header("etag").to_owned();
    let first = part(&ann, &[(RANGE.as_str(), "bytes=0-3")]).await.expect(206);
    assert_eq!(
        (first.text.as_str(), first.header("content-length")),
        ("%PDF", "4")
    );
    assert_eq!(first.header("content-range"), format!("bytes 0-3/{}", PDF.len()));
    let rest = part(&ann, &[("range", "bytes=4-"), ("if-range", &tag)])
        .await
        .expect(206);
    assert_eq!(format!("{}{}", first.text, rest.text), whole.text);
    let other = part(&ann, &[("range", "bytes=4-"), ("if-range", "\"other\"")])
        .await
        .expect(200);
    assert_eq!(other.text, whole.text);
    let beyond = part(&ann, &[("range", "bytes=1000-")]).await.expect(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{}", PDF.len()));
    part(&app.person("ben.cole"), &[("range", "bytes=0-3")])
        .await
        .expect(403);
    // Files are never answered from a cache: rights may have changed.
    part(&ann, &[(IF_NONE_MATCH.as_str(), &tag)]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_named_in_two_tickets_at_once_and_by_another_person_becomes_one_tickets() {
    let app = TestApp::with_people().await;
    let (ann, ben) = (app.person("ann.lee"), app.person("ben.cole"));
    let workflow = super::workflow(&app).await;
    let wish = |title: String, file: &str| {
        json!({"workflow_id": workflow, "title": title, "initial_form_values": {"what": "x"},
            "initial_form_step_ids": ["ask"], "attachment_ids": [file]})
    };
    for round in 0..4 {
        let file = id_of(&upload(&ann, "", &format!("{round}.pdf"), PDF).await.expect(200));
        let (one, two, three) = (
            wish(format!("one {round}"), &file),
            wish(format!("two {round}"), &file),
            wish(format!("three {round}"), &file),
        );
        let (one, two, three) = tokio::join!(
            ann.post("/api/v1/tickets", one),
            ann.post("/api/v1/tickets", two),
            ben.post("/api/v1/tickets", three),
        );
        assert_eq!(three.status, 400, "{}", three.text);
        let statuses = [one.status.as_u16(), two.status.as_u16()];
        assert!(
            statuses == [201, 400] || statuses == [400, 201],
            "{} {}",
            one.text,
            two.text
        );
        let winner = if one.status == 201 { one } else { two };
        app.app.execute.relay().drain().await.unwrap();
        let rows = app.database().collection::<Document>("attachments");
        let row = rows.find_one(doc! {"_id": &file}).await.unwrap().unwrap();
        assert_eq!(row.get_str("ticket_id").unwrap(), winner.body["ticket_id"]);
        assert!(!row.contains_key("claim"), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_a_command_that_never_came_holds_for_a_minute_and_no_longer() {
    let app = TestApp::with_people().await;
    let ann = app.person("ann.lee");
    let file = id_of(&upload(&ann, "", "a.pdf", PDF).await.expect(200));
    // As a process leaves it that is killed between the claim and the commit.
    let until = app.clock.now().plus_minutes(1);
    let claim = doc! {"ticket_id": "TKT-000000000000", "key": "of a killed process", "until": until};
    let rows = app.database().collection::<Document>("attachments");
    rows.update_one(doc! {"_id": &file}, doc! {"$set": {"claim": claim}})
        .await
        .unwrap();
    let refused = super::ticket_with(&app, &[&file]).await.expect(400);
    assert_eq!(refused.code(), "VALIDATION_ERROR");
    app.clock.advance(61_000);
    super::ticket_with(&app, &[&file]).await.expect(201);
}
