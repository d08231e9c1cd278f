"""What every test here needs: processes that end with it, free ports, waiting, and saying where an emulator is not AWS."""

import atexit
import ctypes
import functools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target" / "tools"
# What was built from the template; `run` makes it.
BUILT = ROOT / "target" / "deploy" / "build"

# A signal ends the tests like any other error: what is to be done at the end is done.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def once(make):
    """Makes a thing when it is first asked for, and never again: what failed fails the same way for whoever asks next."""
    made = []

    @functools.wraps(make)
    def get():
        if not made:
            try:
                made.append((make(), None))
            except Exception as error:
                made.append((None, error))
        thing, error = made[0]
        if error:
            raise error
        return thing

    return get


def scratch():
    """A folder of this run alone, gone when it ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="permission-broker-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _end_with_parent():
    # Even a killed test leaves no server behind, at least on Linux.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def start(command, log, **options):
    """Starts a process with a group of its own, which is ended when this run ends, with all that it has started."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
            **options,
        )
    atexit.register(_end, process)
    return process


def _end(process):
    for number, seconds in [(signal.SIGTERM, 5), (signal.SIGKILL, 5)]:
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def listening(process, port, log):
    """Waits until a process that was started answers at its port."""

    def connects():
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(connects, f"something listens at port {port}", seconds=60)


def until(question, what, seconds=30):
    """Asks again until the answer is more than nothing, and gives it."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def differs(emulator, there, aws):
    """Says where a test makes an exception for an emulator, so that nobody takes it for AWS."""
    print(f"\n    {emulator} is not AWS: {there}\n        on AWS: {aws}\n    ", end="", file=sys.stderr)


def environment(**more):
    """An environment with nothing in it that could matter, above all no credentials of whoever runs the tests."""
    folders = [TOOLS / "emulators" / "bin", os.environ["PATH"]]
    base = {"PATH": os.pathsep.join(map(str, folders)), "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
    for name in ["CARGO_HOME", "RUSTUP_HOME"]:
        if name in os.environ:
            base[name] = os.environ[name]
    quiet = {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}
    # What Python compiles is kept, but not beside the sources.
    quiet["PYTHONPYCACHEPREFIX"] = str(TOOLS / "pycache")
    return base | quiet | {name: str(value) for name, value in more.items()}
