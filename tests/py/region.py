"""Starts one region of the service as a process and speaks to it as its clients do.

Knows the command line, the manifest and the addresses; knows nothing of what a test expects.
"""

import os
import random
import shlex
import signal
import socket
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
REGION = "us-east-1"
LOOPBACKS = ["127.0.0.1", "127.0.10.1", "127.0.10.2", "127.0.10.3", "127.0.20.1", "127.0.20.2", "127.0.20.3"]


def binary():
    """The service under test. No default: a run against the wrong binary would prove nothing."""
    path = os.environ.get("KANNUKI_BIN")
    if not path:
        raise RuntimeError("KANNUKI_BIN must name the kannuki binary (tests/run sets it)")
    return str(Path(path).resolve())


def free_port():
    """A port that is free, as is the next one, on each loopback address that a region binds."""
    for _ in range(200):
        port = random.randrange(20000, 32000, 2)
        try:
            for address in LOOPBACKS:
                for each in (port, port + 1):
                    with socket.socket() as probe:
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        probe.bind((address, each))
            return port
        except OSError:
            continue
    raise RuntimeError("no two neighbouring free ports were found")


def sourced(path):
    """The variables that an env file sets, as a shell that sources it would see them."""
    script = f". {shlex.quote(str(path))} && env -0"
    bare = {"PATH": os.environ["PATH"]}
    out = subprocess.run(["sh", "-c", script], env=bare, capture_output=True, check=True, cwd="/").stdout
    pairs = (item.split("=", 1) for item in out.decode().split("\0") if "=" in item)
    return {name: value for name, value in pairs if name.startswith("AWS_")}


class Credentials:
    """An access key of a user, and the user's ARN."""

    def __init__(self, account, user, key_id, secret):
        self.account, self.user, self.key_id, self.secret = account, user, key_id, secret

    @property
    def arn(self):
        return f"arn:aws:iam::{self.account}:user/{self.user}"


def boto_client(service, url, ca, credentials, validate=True):
    """A boto3 client that makes one attempt, so that what the service answers is what the test sees."""
    config = Config(
        retries={"total_max_attempts": 1},
        parameter_validation=validate,
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=40,
    )
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        verify=str(ca),
        region_name=REGION,
        aws_access_key_id=credentials.key_id,
        aws_secret_access_key=credentials.secret,
        config=config,
    )


class Region:
    """One running `kannuki serve`, with its data folder. The process ends with `stop`, `kill` or the test run."""

    def __init__(self, data, manifest=None, port=None, arguments=()):
        self.data = Path(data)
        self.manifest_path = Path(manifest) if manifest else None
        self.port = port or free_port()
        self.arguments = list(arguments)
        self.process = None
        self.output_path = self.data.parent / f"{self.data.name}.out"
        self._clients = {}

    # The process.

    def command(self):
        command = [binary(), "serve", "--data", str(self.data), "--port", str(self.port)]
        if self.manifest_path:
            command += ["--manifest", str(self.manifest_path)]
        return command + self.arguments

    def start(self, within=15.0):
        self.spawn()
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}:\n{self.output()}")
            if self.operations("/ready")[0] == 200:
                return self
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the service was not ready within {within} s:\n{self.output()}")

    def spawn(self):
        self._clients = {}
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self.data.parent
            )

    def output(self):
        return self.output_path.read_text(errors="replace")[-8000:]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, within=20.0):
        """SIGTERM; answers the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()
                raise RuntimeError(f"SIGTERM did not end the service within {within} s:\n{self.output()}") from None
        return self.process.returncode if self.process else None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    # What it answers on.

    @property
    def ca(self):
        return self.data / "ca.pem"

    def operations(self, path):
        """Status and text of a page of the operations port; status 0 while nothing listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port + 1}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self):
        """The metrics page as a map from `name{labels}` to value."""
        status, text = self.operations("/metrics")
        assert status == 200, f"/metrics answered {status}"
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def metric(self, name):
        """The sum of a metric over all its labels."""
        found = [value for key, value in self.metrics().items() if key.split("{")[0] == name]
        assert found, f"no metric {name}"
        return sum(found)

    # Who speaks to it.

    def manifest(self):
        path = self.manifest_path or self.data / "manifest.toml"
        return tomllib.loads(path.read_text())

    def credentials(self, user):
        for account in self.manifest()["account"]:
            for declared in account.get("user", []):
                if declared["name"] == user:
                    key = declared["access_keys"][0]
                    return Credentials(account["id"], user, key["id"], key["secret"])
        raise KeyError(user)

    def url(self, endpoint="open", zone=0):
        """An endpoint is named by its tag `name`, by its id, or as `public`."""
        return f"https://{self.address(endpoint, zone)}:{self.port}"

    def address(self, endpoint="open", zone=0):
        if endpoint == "public":
            return "127.0.0.1"
        return self.endpoint(endpoint)["interfaces"][zone]["address"]

    def endpoint(self, name):
        for declared in self.manifest()["endpoint"]:
            tags = declared.get("tags", {})
            if name in (declared["id"], tags.get("name"), tags.get("Name")):
                return declared
        raise KeyError(name)

    def client(self, user="administrator", endpoint="open", zone=0, validate=True):
        wanted = (user, endpoint, zone, validate)
        if wanted not in self._clients:
            self._clients[wanted] = boto_client(
                "kms", self.url(endpoint, zone), self.ca, self.credentials(user), validate
            )
        return self._clients[wanted]
