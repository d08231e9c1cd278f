//! A fake of AWS Lambda's control plane over TLS: four operations, the statements of one process, and a count of
//! calls and connections. It checks no request; the tests of the broker have a control plane that does.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::http::{Conversation, Request, answer};

/// How calls are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once.
    #[default]
    Prompt,
    /// After this time.
    After(Duration),
    /// At once, and then the connection is closed.
    ThenClose,
    /// Never, though the call is carried out.
    Never,
    /// A byte every 200 ms.
    Drip,
    /// Never, and the call is not carried out: its connection died before it came.
    Lost,
}

/// What has come from one process.
#[derive(Default)]
pub(crate) struct Seen {
    /// Method and what it was about, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) connections: usize,
    /// By resource and statement id.
    pub(crate) statements: BTreeMap<(String, String), Value>,
}

#[derive(Default)]
struct State {
    seen: Seen,
    manner: Manner,
    /// How many calls are still answered in that manner; the rest are answered at once.
    left: usize,
}

/// The fake. It serves until the program ends.
pub(crate) struct ControlPlane {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl ControlPlane {
    pub(crate) fn start(tls: Arc<ServerConfig>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, state) = (Arc::clone(&tls), Arc::clone(&shared));
                lock(&state).seen.connections += 1;
                // A connection that breaks is the client's to notice.
                thread::spawn(move || serve(stream, tls, &state));
            }
        });
        Ok(Self { url, state })
    }

    /// Forgets the last process, and how it was answered.
    pub(crate) fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    /// From now on so many calls are answered in this manner.
    pub(crate) fn behave(&self, manner: Manner, calls: usize) {
        let mut state = lock(&self.state);
        (state.manner, state.left) = (manner, calls);
    }

    /// What has come since the last reset.
    pub(crate) fn seen<T>(&self, of: impl FnOnce(&Seen) -> T) -> T {
        of(&lock(&self.state).seen)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, tls: Arc<ServerConfig>, state: &Mutex<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let raw = stream.try_clone()?;
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut client = Conversation::new(StreamOwned::new(connection, stream));
    while let Some(request) = client.request()? {
        let (bytes, manner) = {
            let mut state = lock(state);
            let manner = if state.left == 0 { Manner::Prompt } else { state.manner };
            state.left = state.left.saturating_sub(1);
            let carried_out = (manner != Manner::Lost).then(|| carry_out(&mut state.seen, &request));
            (carried_out.unwrap_or_default(), manner)
        };
        match manner {
            Manner::Prompt => client.send(&bytes)?,
            Manner::After(time) => {
                thread::sleep(time);
                client.send(&bytes)?;
            }
            Manner::ThenClose => return client.send(&bytes),
            Manner::Never | Manner::Lost => return (&raw).read(&mut [0; 1]).map(drop),
            Manner::Drip => {
                for byte in bytes {
                    client.send(&[byte])?;
                    thread::sleep(Duration::from_millis(200));
                }
            }
        }
    }
    Ok(())
}

fn carry_out(seen: &mut Seen, request: &Request) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let (resource, sid) = match words.as_slice() {
        [_, "functions", name, "policy", rest @ ..] => (format!("function:{name}"), rest.first()),
        [_, "layers", name, "versions", version, "policy", rest @ ..] => {
            (format!("layer:{name}:{version}"), rest.first())
        }
        _ => return refuse(404, "ResourceNotFoundException"),
    };
    let arn = format!("arn:aws:lambda:us-east-1:123456789012:{resource}");
    let arn = match request.target.split_once("?Qualifier=") {
        Some((_, qualifier)) => format!("{arn}:{qualifier}"),
        None => arn,
    };
    match (request.method.as_str(), sid) {
        ("POST", None) => {
            seen.calls.push("add");
            let given: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let key = (arn.clone(), given["StatementId"].as_str().unwrap_or_default().to_owned());
            if seen.statements.contains_key(&key) {
                return refuse(409, "ResourceConflictException");
            }
            let statement = statement(&arn, &given);
            let body = json!({ "Statement": statement.to_string() });
            seen.statements.insert(key, statement);
            succeed(201, &body)
        }
        ("GET", None) => {
            seen.calls.push("read");
            let statements: Vec<&Value> =
                seen.statements.iter().filter(|((of, _), _)| *of == arn).map(|(_, statement)| statement).collect();
            if statements.is_empty() {
                return refuse(404, "ResourceNotFoundException");
            }
            let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
            succeed(200, &json!({ "Policy": policy.to_string(), "RevisionId": "1" }))
        }
        ("DELETE", Some(sid)) => {
            seen.calls.push("remove");
            seen.statements.remove(&(arn, (*sid).to_owned()));
            succeed(204, &Value::Null)
        }
        _ => refuse(404, "ResourceNotFoundException"),
    }
}

/// A statement as AWS writes it.
fn statement(arn: &str, given: &Value) -> Value {
    let principal = given["Principal"].as_str().unwrap_or_default();
    let principal = match principal.len() {
        12 => json!({ "AWS": format!("arn:aws:iam::{principal}:root") }),
        _ => json!({ "Service": principal }),
    };
    let mut statement = json!({
        "Sid": given["StatementId"], "Effect": "Allow", "Principal": principal,
        "Action": given["Action"], "Resource": arn,
    });
    if let Some(account) = given.get("SourceAccount") {
        statement["Condition"]["StringEquals"]["AWS:SourceAccount"] = account.clone();
    }
    if let Some(source) = given.get("SourceArn") {
        statement["Condition"]["ArnLike"]["AWS:SourceArn"] = source.clone();
    }
    statement
}

const REQUEST_ID: (&str, &str) = ("x-amzn-RequestId", "69d922ec-f964-4269-81be-ec6140f6f129");

fn succeed(status: u16, body: &Value) -> Vec<u8> {
    answer(status, &[REQUEST_ID], body.to_string().as_bytes())
}

fn refuse(status: u16, error: &str) -> Vec<u8> {
    let body = json!({ "Type": "User", "Message": "refused" }).to_string();
    answer(status, &[REQUEST_ID, ("x-amzn-ErrorType", error)], body.as_bytes())
}
