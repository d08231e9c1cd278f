"""A cloud on loopback: MiniStack with IAM enforced, over TLS, and moto as a second opinion on Lambda's control plane."""

import functools
import json
import urllib.request

import boto3
from botocore.config import Config

from certificate import certificate
from support import TOOLS, environment, free_port, listening, scratch, start

ACCOUNT = "123456789012"
REGION = "us-east-1"
# The account's root, for MiniStack. Any secret will do for it there, so nothing is proved with this key: those who ask have
# keys of their own.
ADMIN = ("test", "test")


class Cloud:
    """MiniStack, and clients for it."""

    def __init__(self, iam=True):
        folder = scratch()
        self.log = folder / "ministack.log"
        self.authority, served, key = _certificate()
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        # Functions inherit this environment: URL and authority are what the broker is told of AWS.
        here = environment(
            AUTH=str(iam).lower(),
            GATEWAY_PORT=self.port,
            BIND_HOST="127.0.0.1",
            USE_SSL="1",
            MINISTACK_SSL_CERT=served,
            MINISTACK_SSL_KEY=key,
            MINISTACK_ACCOUNT_ID=ACCOUNT,
            AWS_ENDPOINT_URL=self.url,
            AWS_ACCESS_KEY_ID=ADMIN[0],
            AWS_SECRET_ACCESS_KEY=ADMIN[1],
            SSL_CERT_FILE=self.authority,
            TMPDIR=folder,
            STATE_DIR=folder / "state",
            S3_DATA_DIR=folder / "s3",
        )
        self.process = start([TOOLS / "emulators" / "bin" / "ministack"], self.log, env=here, cwd=folder)
        listening(self.process, self.port, self.log)

    def client(self, service, key=ADMIN):
        """A client with somebody's key: an access key, its secret and perhaps a token."""
        return client(service, self.url, key, verify=str(self.authority))

    def environment(self, key=ADMIN, **more):
        """What the command line tools of AWS need to come here instead."""
        names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        return environment(
            AWS_ENDPOINT_URL=self.url,
            AWS_DEFAULT_REGION=REGION,
            AWS_REGION=REGION,
            AWS_CA_BUNDLE=self.authority,
            CURL_CA_BUNDLE=self.authority,
            **dict(zip(names, key)),
            **more,
        )


@functools.cache
def _certificate():
    return certificate(scratch())


def client(service, url, key, **options):
    names = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, config=config, **dict(zip(names, key)), **options
    )


@functools.cache
def cloud():
    """The one that all tests share."""
    return Cloud()


@functools.cache
def without_iam():
    """Another one, for what the first refuses to the right policies; the same authority vouches for both."""
    return Cloud(iam=False)


@functools.cache
def moto():
    """The URL of moto, started when it is first asked for."""
    folder, port = scratch(), free_port()
    log = folder / "moto.log"
    process = start([TOOLS / "emulators" / "bin" / "moto_server", "-H", "127.0.0.1", "-p", port], log, env=environment(), cwd=folder)
    listening(process, port, log)
    url = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(f"{url}/moto-api/config", json.dumps({"lambda": {"use_docker": False}}).encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 201, answer.status
    return url
