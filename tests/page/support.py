"""What the checks of the page share: pages made by the command line, servers, and the browser's clock."""

import contextlib
import http.server
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target/page"
SHOTS = WORK / "shots"
BROKER = ROOT / "target/debug/broker"
DEMO = ROOT / "src/local/report/demo.json"

# No rule of the whole set is left out but those that are experimental.
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def chromium():
    return shutil.which("chromium")


def report(name, *options):
    """Has the command line write a page; its path, and what it says."""
    path = WORK / name
    command = [BROKER, "report", "--output", path, *options]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    assert done.stderr == "", f"nothing is said where nobody looks: {done.stderr}"
    return path, done.stdout


def report_on_a_terminal(name, *options):
    """The same with standard error on a terminal; its path, and what that showed."""
    path, (ours, theirs) = WORK / name, pty.openpty()
    command = [BROKER, "report", "--output", path, *options]
    process = subprocess.Popen(command, cwd=ROOT, env={"TERM": "xterm"}, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while part := os.read(ours, 4096):
            shown += part
    assert process.wait() == 0, shown
    return path, shown.decode()


def statements(path):
    """Every statement of a world, with its target's name and its own text."""
    policies = json.loads(path.read_text())["policies"].items()
    for arn, policy in policies:
        name = arn.split(":", 5)[5]
        for statement in policy["statements"]:
            yield name, statement, json.dumps(statement)


def counted(page):
    """The numbers of statements and targets that the page says it found."""
    text = page.locator("#count").text_content().replace(",", "")
    return tuple(int(n) for n in re.match(r"(\d+)(?: of \d+)? statements? on (\d+) target", text).groups())


HOSTILE = [
    '</script><script>window.hacked = "element"</script>',
    '<img src="x" onerror="window.hacked = 1">',
    "\"'`;window.hacked=2//",
    "a\u2028window.hacked=3\u2029b\u0085c",
    "<!--<script>",
    "\u202egnp.evil\u2066",
    "__proto__",
    "javascript:window.hacked=4",
]


def hostile_world():
    """A world in which whatever takes text says what a page must not do."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    made = [
        {"Sid": text, "Effect": "Allow", "Principal": {"AWS": text}, "Action": text, "Resource": arn,
         "Condition": {text: {text: text}}}
        for text in HOSTILE
    ]
    made.append({"Sid": "token", "Effect": "Allow", "Principal": {"Service": "alexa-appkit.amazon.com"},
                 "Action": "lambda:InvokeFunction", "Resource": arn,
                 "Condition": {"StringEquals": {"lambda:EventSourceToken": "CANARY-7f3a91"}}})
    place = {"partition": "aws", "region": "us-east-1", "account": "123456789012"}
    path = WORK / "hostile.json"
    path.write_text(json.dumps(place | {"functions": {"orders": {}}, "policies": {arn: {"statements": made}}}))
    return path


class Served:
    """`broker serve` on free ports."""

    def __enter__(self):
        state = WORK / "state.json"
        state.unlink(missing_ok=True)
        command = [BROKER, "serve", "--port", "0", "--control-plane-port", "0", "--state", state, "--world", DEMO]
        self.process = subprocess.Popen(command, cwd=ROOT, env={}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/grants", line)[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.state = state
        return self

    def state_text(self):
        return self.state.read_text() if self.state.exists() else ""

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def other_site():
    """Another site of this machine, as far as a browser can tell."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()


def time_typing(page, text):
    """Types a text; for each key the milliseconds of script, and until the frame with its result is painted."""
    return page.evaluate(
        """async (text) => {
            const field = document.getElementById("filter"), times = [];
            const painted = () => new Promise((done) => requestAnimationFrame(() => {
                const channel = new MessageChannel();
                channel.port1.onmessage = done;
                channel.port2.postMessage(0);
            }));
            for (let i = 1; i <= text.length; i++) {
                field.value = text.slice(0, i);
                await painted();
                const start = performance.now();
                field.dispatchEvent(new Event("input"));
                const script = performance.now() - start;
                await painted();
                times.push([script, performance.now() - start]);
            }
            return times;
        }""",
        text,
    )
