//! A sandbox of Lambda for the deployed binary: its environment, its Runtime API, its two streams.
//!
//! The Runtime API is the real protocol over loopback. The streams are read to their end, so a test
//! looks at all that a process has ever written.

mod runtime_api;

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use permission_broker::local::stage::{ALLOWLIST, FUNCTION_ARN};
use serde_json::Value;

use runtime_api::{Event, RuntimeApi};

/// Nothing here takes this long; it only keeps a broken binary from hanging the tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time that Lambda gives an invocation in the template.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

/// A running process of the deployed binary.
pub(crate) struct Sandbox {
    child: Child,
    runtime_api: RuntimeApi,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

/// What the binary told Lambda about one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The response, as bytes.
    Response(Vec<u8>),
    /// A function error.
    Error {
        /// The header that Lambda reads.
        header: Option<String>,
        /// The body: `errorType` and `errorMessage`.
        body: Vec<u8>,
    },
}

/// Everything that a process wrote.
pub(crate) struct Streams {
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Answer {
    /// The response as JSON.
    pub(crate) fn response(&self) -> Value {
        match self {
            Self::Response(body) => serde_json::from_slice(body).expect("a response is JSON"),
            Self::Error { body, .. } => panic!("a function error: {}", String::from_utf8_lossy(body)),
        }
    }

    /// The type of a function error, and the document in its message.
    pub(crate) fn error(&self) -> (String, Value) {
        let Self::Error { body, .. } = self else { panic!("no function error: {}", self.response()) };
        let error: Value = serde_json::from_slice(body).expect("an error is JSON");
        let message = error["errorMessage"].as_str().expect("an error has a message");
        let document = serde_json::from_str(message).expect("the message is the document");
        (error["errorType"].as_str().expect("an error has a type").to_owned(), document)
    }

    /// The body of either.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Response(body) | Self::Error { body, .. } => body,
        }
    }
}

impl Streams {
    /// The lines of standard output, each of which has to be ASCII JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert!(self.stdout.is_ascii(), "standard output is ASCII");
        let text = String::from_utf8_lossy(&self.stdout);
        assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// The audit lines.
    pub(crate) fn audit(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["type"] == "audit").collect()
    }

    /// The audit lines about one invocation.
    pub(crate) fn audit_of(&self, request_id: &str) -> Vec<Value> {
        self.audit().into_iter().filter(|line| line["requestId"] == request_id).collect()
    }

    /// The other lines.
    pub(crate) fn diagnostics(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["type"] != "audit").collect()
    }
}

/// What a process has taken of the machine so far.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// The most memory that it ever held at once, in bytes.
    pub(crate) memory: usize,
    /// How long its one thread has worked.
    pub(crate) work: Duration,
}

/// The deployed binary with the environment that Lambda gives it, and nothing else.
fn command(runtime_api: &str, aws: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_permission-broker"));
    command.env_clear().envs([
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_LAMBDA_FUNCTION_NAME", "permission-broker"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/permission-broker"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEXAMPLESESSION"),
        ("AWS_ENDPOINT_URL_LAMBDA", aws),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("BROKER_ALLOWLIST", ALLOWLIST),
        ("BROKER_SOURCES", "direct,api-gateway,eventbridge,sqs"),
    ]);
    command
}

impl Sandbox {
    /// Starts the binary against a control plane and waits until it asks for its first event.
    pub(crate) async fn ready(aws: &str, variables: &[(&str, &str)]) -> Self {
        let sandbox = Self::start(aws, |command| {
            command.envs(variables.iter().copied());
        })
        .await;
        let asked = tokio::time::timeout(PATIENCE, sandbox.runtime_api.asked()).await;
        asked.expect("the binary asks for an event");
        sandbox
    }

    /// Starts the binary, its environment changed at will, and waits for nothing.
    pub(crate) async fn start(aws: &str, change: impl FnOnce(&mut Command)) -> Self {
        let runtime_api = RuntimeApi::start().await;
        let mut command = command(&runtime_api.address, aws);
        change(&mut command);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary starts");
        let stdout = child.stdout.take().map(read_to_end);
        let stderr = child.stderr.take().map(read_to_end);
        Self { child, runtime_api, stdout, stderr }
    }

    /// Hands the binary an event, as Lambda would, and waits for its answer.
    pub(crate) async fn invoke(&self, request_id: &str, event: impl Into<Vec<u8>>) -> Answer {
        self.send(Event::new(request_id, FUNCTION_ARN, TIMEOUT, event.into())).await
    }

    /// The same, with another time left before Lambda's deadline.
    pub(crate) async fn invoke_within(&self, time: Duration, request_id: &str, event: impl Into<Vec<u8>>) -> Answer {
        self.send(Event::new(request_id, FUNCTION_ARN, time, event.into())).await
    }

    /// Hands over an event with a further header, and does not wait.
    pub(crate) fn post(&self, request_id: &str, header: (&'static str, &str), event: impl Into<Vec<u8>>) {
        let event = Event::new(request_id, FUNCTION_ARN, TIMEOUT, event.into());
        drop(self.runtime_api.give(event.with(header)));
    }

    async fn send(&self, event: Event) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.runtime_api.give(event)).await;
        answer.expect("the binary answers in time").expect("the binary answers")
    }

    /// What the process has used so far, as Linux counts it.
    #[cfg(target_os = "linux")]
    pub(crate) fn used(&self) -> Used {
        let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("a process");
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kibibytes: usize = peak.and_then(|peak| peak.parse().ok()).expect("the peak of its memory");
        let worked = read("schedstat").split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok());
        Used { memory: kibibytes * 1024, work: Duration::from_nanos(worked.expect("the time it has worked")) }
    }

    /// Ends the process, as Lambda does in its own time, and hands over what it wrote.
    pub(crate) fn end(mut self) -> Streams {
        let _ = self.child.kill();
        let _ = self.child.wait();
        Streams { stdout: joined(self.stdout.take()), stderr: joined(self.stderr.take()) }
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Streams) {
        // Its streams end with it.
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let read = tokio::task::spawn_blocking(move || Streams { stdout: joined(stdout), stderr: joined(stderr) });
        let streams = tokio::time::timeout(PATIENCE, read).await.expect("the process ends by itself");
        (self.child.wait().expect("the process can be waited for"), streams.expect("the streams can be read"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads beside the test, so that a process never waits for its pipe.
fn read_to_end(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

fn joined(stream: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    stream.expect("a stream is read once").join().expect("a pipe can be read")
}
