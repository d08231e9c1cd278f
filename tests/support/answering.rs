//! An AWS that exists in one test only: the SDK's side of HTTP, answered by a function of that test. Nothing is sent, so that
//! time can be a value.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// An answer: its status, AWS's name of the error, its body.
pub(crate) type Answer = (u16, Option<&'static str>, Value);

type Answers = dyn Fn(&str, &str, &[u8]) -> Answer + Send + Sync;

/// What answers the method, path and body of each call, half of the same time after it is sent and before it is heard.
#[derive(Clone)]
pub(crate) struct Answering {
    latency: Duration,
    answer: Arc<Answers>,
}

impl Answering {
    pub(crate) fn new(latency: Duration, answer: impl Fn(&str, &str, &[u8]) -> Answer + Send + Sync + 'static) -> Self {
        Self { latency, answer: Arc::new(answer) }
    }
}

impl HttpConnector for Answering {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { latency, answer } = self.clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(latency / 2).await;
            let (_, from_host) = request.uri().split_once("://").unwrap();
            let path = &from_host[from_host.find('/').unwrap()..];
            let path = path.split('?').next().unwrap();
            let (status, error, body) = answer(request.method(), path, request.body().bytes().unwrap());
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
            if let Some(error) = error {
                response.headers_mut().insert("x-amzn-errortype", error);
            }
            tokio::time::sleep(latency / 2).await;
            Ok(response)
        })
    }
}

impl HttpClient for Answering {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl std::fmt::Debug for Answering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answering")
    }
}
