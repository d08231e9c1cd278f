//! The body of an answer on its way to the caller: whole, byte by byte, or broken off.
//! Guarantees that the promised length is always the full one, so that a break is seen as a break.
//! It knows nothing of HTTP beyond that.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Interval, interval};

/// How long a broken-off body waits before it breaks, so that what was written has left the machine.
const FLUSH: Duration = Duration::from_millis(20);

/// The rest of a body, and how it is sent.
pub(super) struct ReplyBody {
    left: Bytes,
    promised: u64,
    pace: Pace,
}

enum Pace {
    Whole,
    Slow(Interval),
    Half { sent: bool, wait: Interval },
}

impl ReplyBody {
    pub(super) fn whole(body: Bytes) -> Self {
        Self::paced(body, Pace::Whole)
    }

    pub(super) fn slow(body: Bytes, every: Duration) -> Self {
        // An interval of zero is refused by the timer.
        let every = every.max(Duration::from_micros(1));
        Self::paced(body, Pace::Slow(interval(every)))
    }

    pub(super) fn truncated(body: Bytes) -> Self {
        let wait = interval(FLUSH);
        Self::paced(body, Pace::Half { sent: false, wait })
    }

    fn paced(left: Bytes, pace: Pace) -> Self {
        let promised = u64::try_from(left.len()).unwrap_or(u64::MAX);
        Self { left, promised, pace }
    }

    fn next(&mut self, bytes: usize) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let bytes = bytes.min(self.left.len());
        let part = self.left.split_to(bytes);
        Poll::Ready((!part.is_empty()).then(|| Ok(Frame::data(part))))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let (half, all) = (self.left.len() / 2, self.left.len());
        match &mut self.pace {
            Pace::Whole => self.next(all),
            Pace::Slow(ticks) => {
                ready!(ticks.poll_tick(cx));
                self.next(1)
            }
            Pace::Half { sent, wait } => {
                // The first tick is immediate, the second comes when the half is out.
                ready!(wait.poll_tick(cx));
                if std::mem::replace(sent, true) {
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                self.next(half.max(1))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && matches!(self.pace, Pace::Whole)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
