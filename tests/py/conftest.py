"""The regions that the suites share, and how a test states that a call is refused."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from region import FIXTURES, Region, boto_client, sourced, Credentials


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the rounds that take long too")


@pytest.fixture(scope="session")
def long_run(request):
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def workspace():
    folder = Path(tempfile.mkdtemp(prefix="kannuki-suite-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(workspace):
    """An empty folder for one test's own region."""
    return Path(tempfile.mkdtemp(dir=workspace))


@contextlib.contextmanager
def running(region):
    """Starts a region and ends its process whatever happens."""
    try:
        yield region.start()
    finally:
        region.kill()


@pytest.fixture(scope="session")
def region(workspace):
    """The suite's own manifest: users, endpoints and keys that the tables need."""
    with running(Region(workspace / "suite", manifest=FIXTURES / "manifests" / "suite.toml")) as started:
        yield started


@pytest.fixture(scope="session")
def demo(workspace):
    """What a first start without arguments makes."""
    with running(Region(workspace / "demo")) as started:
        yield started


@pytest.fixture(scope="session")
def admin(region):
    return region.client("administrator")


@pytest.fixture(scope="session")
def application(region):
    return region.client("application")


@pytest.fixture(scope="session")
def nobody(region):
    return region.client("nobody")


@pytest.fixture(scope="session")
def keeper(region):
    return region.client("keeper")


@pytest.fixture(scope="session")
def partner(region):
    return region.client("partner")


@pytest.fixture
def key(admin):
    """The ARN of a fresh key with the default policy."""
    return admin.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="session")
def shared_key(admin):
    """The ARN of a key that no test changes."""
    return admin.create_key(Description="not changed by any test")["KeyMetadata"]["Arn"]


def env_client(env, service="kms"):
    """A client made of nothing but an env file's variables."""
    who = Credentials("", "", env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    return boto_client(service, env[f"AWS_ENDPOINT_URL_{service.upper()}"], env["AWS_CA_BUNDLE"], who)


@pytest.fixture(scope="session")
def demo_env(demo):
    return sourced(demo.data / "env")


@pytest.fixture(scope="session")
def strict_env(demo):
    return sourced(demo.data / "env-strict")


@pytest.fixture(scope="session")
def demo_admin(demo_env):
    return env_client(demo_env)


@pytest.fixture(scope="session")
def demo_strict(strict_env):
    return env_client(strict_env)


class Refusal:
    """Filled in when the block ends: the error's code and message (None when the service sent none)."""

    code = None
    message = None


@contextlib.contextmanager
def refused(code, message=None):
    """The block must be refused with this code and, when given, exactly this message; `""` means no message at all."""
    seen = Refusal()
    try:
        yield seen
    except ClientError as error:
        seen.code = error.response["Error"]["Code"]
        seen.message = error.response["Error"].get("Message") or ""
        assert error.response["ResponseMetadata"]["RequestId"], "a refusal without a request id"
        assert seen.code == code, f"{seen.code}: {seen.message}"
        if message is not None:
            assert seen.message == message
        return
    pytest.fail(f"was not refused with {code}")


def document(*statements, version="2012-10-17"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(principal, action="kms:*", **more):
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*", **more}


def deny(principal, action="kms:*", **more):
    return {**allow(principal, action, **more), "Effect": "Deny"}
