//! The command line as a process, and plain HTTP to the servers it opens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use super::path;

/// The command line, started in the checkout, with nothing in its environment that could matter.
pub(crate) fn broker(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_broker"));
    command.args(arguments).current_dir(path(".")).env_clear().stdin(Stdio::null());
    command
}

/// What a process wrote, as text.
pub(crate) fn written(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// A path for a file of one test; what an earlier run left there is removed.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// `broker serve` on free ports, until it is dropped.
pub(crate) struct Served {
    process: Child,
    /// Kept open, so that the process can go on writing.
    _stderr: BufReader<ChildStderr>,
    /// What it said when it was ready.
    pub(crate) greeting: String,
    /// Host and port of the API door.
    pub(crate) api: String,
    /// Host and port of the control plane.
    pub(crate) control_plane: String,
}

impl Served {
    /// Starts it with a file for its state.
    pub(crate) fn start(state: &Path) -> Self {
        Self::start_with(&[], state)
    }

    /// The same with options.
    pub(crate) fn start_with(options: &[&str], state: &Path) -> Self {
        let mut command = broker(&["serve", "--port", "0", "--control-plane-port", "0"]);
        let mut process = command
            .args(options)
            .arg("--state")
            .arg(state)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("broker");
        let mut stderr = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut greeting = String::new();
        while !greeting.contains("aws lambda") {
            assert_ne!(stderr.read_line(&mut greeting).expect("a line"), 0, "it ended: {greeting}");
        }
        let mut addresses = greeting.split("http://").skip(1).map(|rest| {
            let end = rest.find(['/', ' ', '\n']).expect("the end of an address");
            rest[..end].to_owned()
        });
        let (api, control_plane) = (addresses.next().expect("an address"), addresses.next().expect("an address"));
        Self { process, _stderr: stderr, greeting, api, control_plane }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A request over HTTP and its answer: status and body.
pub(crate) fn http(address: &str, method: &str, target: &str, headers: &str, body: &str) -> (u16, String) {
    let answer = exchange(address, method, target, headers, body.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.trim_end().to_owned())
}

/// The same with any bytes as body, and the whole of the answer.
pub(crate) fn exchange(address: &str, method: &str, target: &str, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
    .expect("a request");
    stream.write_all(body).expect("a body");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// What any AWS client sends along; the control plane looks for a signature, not at it.
pub(crate) const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 \
     Credential=AKIDEXAMPLE/20260302/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=0123abcd\r\n";
