//! The Lambda runtime around the broker.
//!
//! The runtime parses an event before its handler sees it: what is not JSON would never reach the
//! audit, its error text would repeat the value, and text after the first value would pass unseen.
//! So a layer in front takes the bytes as they came, and hands the runtime's parser an empty event.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Error, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use permission_broker::broker::{Broker, Invocation};

/// The runtime gave up: its API is out of reach, or an invocation has headers that it cannot read, such
/// as a client context of a caller's own making. Its own error may repeat that, so it is not kept.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Lambda runtime could not go on: an invocation could not be fetched, read or answered")
    }
}

impl std::error::Error for Ended {}

/// Polls for events and answers them, until the runtime ends. The client for that is built at once; the first poll,
/// which ends Lambda's init phase, is that of the future.
pub(crate) fn run(broker: Broker) -> impl Future<Output = Result<(), Ended>> {
    let broker = Arc::new(broker);
    let raw = RawEvent::default();
    let layer = raw.clone();
    let handler = service_fn(move |event: LambdaEvent<()>| {
        let (broker, bytes) = (Arc::clone(&broker), raw.take());
        async move {
            let context = event.context;
            let invocation = Invocation {
                request_id: &context.request_id,
                function_arn: &context.invoked_function_arn,
                deadline: Invocation::deadline_of(context.deadline),
                now: SystemTime::now(),
            };
            broker.handle(&bytes, &invocation).await
        }
    });
    let runtime = Runtime::new(handler).layer(layer);
    async { runtime.run().await.map_err(|_| Ended) }
}

/// The bytes of the event that is being answered. There is one at a time.
#[derive(Clone, Default)]
struct RawEvent(Arc<Mutex<Bytes>>);

impl RawEvent {
    fn put(&self, bytes: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Layer<S> for RawEvent {
    type Service = TakeRaw<S>;

    fn layer(&self, inner: S) -> TakeRaw<S> {
        TakeRaw { inner, raw: self.clone() }
    }
}

struct TakeRaw<S> {
    inner: S,
    raw: RawEvent,
}

impl<S: Service<LambdaInvocation, Response = (), Error = Error>> Service<LambdaInvocation> for TakeRaw<S> {
    type Response = ();
    type Error = Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> S::Future {
        self.raw.put(std::mem::replace(&mut invocation.body, Bytes::from_static(b"null")));
        self.inner.call(invocation)
    }
}
