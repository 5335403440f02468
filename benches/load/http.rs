//! One connection of a client, kept alive.

use anyhow::Context;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// The value of the `Authorization` header.
    pub(crate) bearer: Arc<str>,
    /// The JSON body; empty for reads.
    pub(crate) body: Bytes,
}

impl Call {
    /// A read.
    pub(crate) fn get(path: String, bearer: &Arc<str>) -> Self {
        Self {
            method: Method::GET,
            path,
            bearer: Arc::clone(bearer),
            body: Bytes::new(),
        }
    }

    /// A command.
    pub(crate) fn post(path: String, bearer: &Arc<str>, body: &serde_json::Value) -> Self {
        Self {
            method: Method::POST,
            path,
            bearer: Arc::clone(bearer),
            body: body.to_string().into(),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { address, sender })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub(crate) async fn exchange(&mut self, call: &Call) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path.as_str())
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, &*call.bearer);
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        self.sender
            .ready()
            .await
            .context("the service closed a connection")?;
        let answer = self
            .sender
            .send_request(request.body(Full::new(call.body.clone()))?)
            .await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Sends a request that must succeed and answers the body.
    pub(crate) async fn send(&mut self, call: &Call) -> anyhow::Result<Bytes> {
        let (status, body) = self.exchange(call).await?;
        anyhow::ensure!(
            status.is_success(),
            "{} {}: {status} {}",
            call.method,
            call.path,
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}
