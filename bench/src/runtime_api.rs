//! A fake of Lambda's Runtime API for one process: it hands out one event at a time, and tells the moment at
//! which each thing happened.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http::{Conversation, answer};

/// Under which name the function runs.
pub(crate) const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:permission-broker";

/// The timeout of the template: what the deadline header of each event is counted from.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What the process has done.
pub(crate) enum Step {
    /// It asks for an event.
    Waits(Instant),
    /// An event goes out to it.
    Sent(Instant),
    /// It has answered, with a success or with an error of the function.
    Answered { at: Instant, succeeded: bool, body: Vec<u8> },
    /// It cannot start.
    InitError(Vec<u8>),
}

/// The fake. Its threads end with it, or with the process's connections.
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    steps: Receiver<Step>,
    events: Sender<String>,
    ended: Arc<AtomicBool>,
}

impl RuntimeApi {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (events, waiting) = channel();
        let (steps, happened) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (steps, waiting) = (steps.clone(), Arc::clone(&waiting));
                thread::spawn(move || serve(stream, &steps, &waiting));
            }
        });
        Ok(Self { address, steps: happened, events, ended })
    }

    /// Hands out an event to the process, as soon as it asks.
    pub(crate) fn send(&self, event: String) {
        // Nobody takes it once the process has died, which the next step tells.
        let _ = self.events.send(event);
    }

    /// The next step of the process, if there is one within the time.
    pub(crate) fn step(&self, within: Duration) -> Option<Step> {
        self.steps.recv_timeout(within).ok()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, steps: &Sender<Step>, events: &Mutex<Receiver<String>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut process = Conversation::new(stream);
    let tell = |step| steps.send(step).map_err(io::Error::other);
    while let Some(request) = process.request()? {
        let at = Instant::now();
        if request.target.ends_with("/invocation/next") {
            tell(Step::Waits(at))?;
            let event = events.lock().unwrap_or_else(PoisonError::into_inner).recv().map_err(io::Error::other)?;
            let bytes = invocation(&event);
            tell(Step::Sent(Instant::now()))?;
            process.send(&bytes)?;
            continue;
        }
        let body = request.body;
        tell(match request.target.rsplit('/').next() {
            Some("response") => Step::Answered { at, succeeded: true, body },
            _ if request.target.ends_with("/init/error") => Step::InitError(body),
            _ => Step::Answered { at, succeeded: false, body },
        })?;
        process.send(&answer(202, &[], br#"{"status":"OK"}"#))?;
    }
    Ok(())
}

fn invocation(event: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", "8f5a2c1e-0c56-4f7c-9f1a-5e0b6f6d2c11".to_owned()),
        ("Lambda-Runtime-Deadline-Ms", (now + TIMEOUT).as_millis().to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN.to_owned()),
        (
            "Lambda-Runtime-Trace-Id",
            "Root=1-69a55f2c-d0c621de49f145fda9988c79;Parent=53995c3f42cd8ad8;Sampled=0".to_owned(),
        ),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    answer(200, &headers, event.as_bytes())
}
