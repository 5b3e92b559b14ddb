"""How much one account, one key and everybody together may ask for: what is refused, how, and who is not affected."""

import contextlib
import json
import threading
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import audit_trail
from conftest import running
from region import FIXTURES, REGION, Region, binary, free_port
from signing import Connection, Signer

MANIFEST = FIXTURES / "manifests" / "suite.toml"


class Limited(Region):
    """A region whose `region.toml` has these lines in `[limits]`."""

    def __init__(self, folder, limits):
        super().__init__(folder / "data", manifest=MANIFEST, port=free_port())
        self.config = folder / "region.toml"
        self.config.write_text(
            f'manifest = "{MANIFEST}"\n[region]\ndata = "data"\n[listen]\nport = {self.port}\n[limits]\n{limits}\n'
        )

    def command(self):
        return [binary(), "serve", "--config", str(self.config)]


@contextlib.contextmanager
def limited(folder, limits):
    with running(Limited(folder, limits)) as region:
        yield region


def encrypt(client, key):
    return lambda: client.encrypt(KeyId=key, Plaintext=b"limits")


class Burst:
    """Calls one after the other as fast as they go: how many passed, what the others were answered, how long it took."""

    def __init__(self, call, count):
        self.passed, self.refusals = 0, []
        began = time.monotonic()
        for _ in range(count):
            try:
                call()
                self.passed += 1
            except ClientError as error:
                self.refusals.append(error.response)
        self.seconds = time.monotonic() - began

    def holds(self, rate, burst):
        """As many passed as the bucket had, and what ran into it meanwhile."""
        assert burst <= self.passed <= burst + rate * self.seconds + 1, (self.passed, self.seconds)
        assert self.refusals, "nothing was refused"
        for refusal in self.refusals:
            assert refusal["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"} | refusal["Error"]
            assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 400
            # A full bucket's worth is the longest that anybody has to wait.
            assert 0 < after_ms(refusal) <= 1000 * (1 / rate) + 1


def after_ms(refusal):
    return int(refusal["ResponseMetadata"]["HTTPHeaders"]["x-amz-retry-after"])


def test_an_account_has_its_rate(folder):
    with limited(folder, "account = { requests_per_second = 2, burst = 6 }") as region:
        admin, keeper, partner = (region.client(user) for user in ("administrator", "keeper", "partner"))
        burst = Burst(admin.list_keys, 30)
        burst.holds(2, 6)
        # The account's other users share its bucket, another account has its own.
        with pytest.raises(ClientError) as shared:
            Burst(admin.list_keys, 3)
            keeper.list_keys()
        assert shared.value.response["Error"]["Code"] == "ThrottlingException"
        assert Burst(partner.list_keys, 6).passed == 6
        time.sleep(after_ms(shared.value.response) / 1000)
        keeper.list_keys()


def test_throttled_calls_are_counted_in_one_record_a_second(folder):
    with limited(folder, "account = { requests_per_second = 1, burst = 1 }") as region:
        admin, refused = region.client("administrator"), 0
        began = time.time()
        while time.time() < began + 2.5:
            refused += len(Burst(admin.list_keys, 10).refusals)
        assert region.metric("kannuki_throttled_total") == refused > 50
        assert region.stop() == 0
        written = audit_trail.records(region.data / "audit")
        throttled = [record for record in written if record.get("errorCode") == "ThrottlingException"]
        arn = region.credentials("administrator").arn
        assert {record["userIdentity"]["arn"] for record in throttled} == {arn}
        assert sum(record["kannuki"]["count"] for record in throttled) == refused
        # One connection is one worker's, which writes one record for each second of the clock that it saw.
        assert len(throttled) <= 4
        audit_trail.verify(region.data / "audit")


def test_a_key_has_its_rate(folder):
    with limited(folder, "key = { requests_per_second = 2, burst = 5 }") as region:
        admin, application = region.client("administrator"), region.client("application")
        one, other = (admin.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
        admin.create_alias(AliasName="alias/limited", TargetKeyId=other)
        admin.update_alias(AliasName="alias/limited", TargetKeyId=one)
        # Whatever was taken from the bucket so far is back.
        time.sleep(2.5)
        Burst(encrypt(admin, one), 20).holds(2, 5)
        # By another name and for another caller it is the same key, and another key is not affected.
        for client, name in [(admin, "alias/limited"), (application, one)]:
            assert Burst(encrypt(client, name), 5).refusals
        assert Burst(encrypt(admin, other), 3).passed == 3
        # An SDK that retries as it does by default gets through.
        who = region.credentials("administrator")
        patient = boto3.session.Session().client(
            "kms",
            endpoint_url=region.url(),
            verify=str(region.ca),
            region_name=REGION,
            aws_access_key_id=who.key_id,
            aws_secret_access_key=who.secret,
            config=Config(retries={"mode": "standard", "total_max_attempts": 8}),
        )
        assert Burst(encrypt(patient, one), 5).passed == 5


class Crowd:
    """The same request on many connections at once, so that some of them are at work at the same time."""

    def __init__(self, region, operation, payload, connections):
        self.who, self.operation = region.credentials("administrator"), operation
        self.body = json.dumps(payload).encode()
        self.connections = [Connection(region) for _ in range(connections)]
        self.answers = []

    def ask(self, connection, start):
        signer = Signer(self.who.key_id, self.who.secret)
        headers = signer.headers(connection.host, f"TrentService.{self.operation}", self.body)
        start.wait()
        began = time.monotonic()
        answer = connection.send(headers, self.body)
        self.answers.append((answer, time.monotonic() - began))

    def round(self):
        start = threading.Barrier(len(self.connections))
        threads = [threading.Thread(target=self.ask, args=(each, start)) for each in self.connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def until_refused(self, rounds_max=60):
        """The refusals; some request must have passed, too."""
        for _ in range(rounds_max):
            self.round()
            refused = [(answer, seconds) for answer, seconds in self.answers if answer.status != 200]
            if refused and len(refused) < len(self.answers):
                return refused
        pytest.fail(f"none of {len(self.answers)} requests was refused")

    def close(self):
        for connection in self.connections:
            connection.close()


def is_retryable_at_once(refused):
    for answer, seconds in refused:
        assert (answer.status, answer.code) == (500, "KeyUnavailableException"), answer
        assert 0 < int(answer.headers["x-amz-retry-after"]) <= 1000
        # Well before the deadline: it did not wait for its turn.
        assert seconds < 2


def test_more_reads_at_once_than_are_taken_on(folder):
    with limited(folder, "in_flight_quick_max = 1") as region:
        admin = region.client("administrator")
        key = admin.create_key()["KeyMetadata"]["KeyId"]
        crowd = Crowd(region, "Encrypt", {"KeyId": key, "Plaintext": "bGltaXRz" * 600}, 16)
        is_retryable_at_once(crowd.until_refused())
        crowd.close()
        assert admin.encrypt(KeyId=key, Plaintext=b"alone again")["KeyId"].endswith(key)


def test_more_writes_at_once_than_are_taken_on(folder):
    """Writes are a class of their own: reads go on, and what was refused was not done."""
    with limited(folder, "in_flight_slow_max = 1") as region:
        admin = region.client("administrator")
        stop, failed = threading.Event(), []

        def read():
            while not stop.is_set():
                try:
                    admin.list_keys()
                except ClientError as error:
                    failed.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        crowd = Crowd(region, "CreateKey", {}, 8)
        try:
            is_retryable_at_once(crowd.until_refused())
        finally:
            stop.set()
            reader.join()
            crowd.close()
        assert not failed
        made = {answer.json["KeyMetadata"]["KeyId"] for answer, _ in crowd.answers if answer.status == 200}
        pages = admin.get_paginator("list_keys").paginate()
        listed = {row["KeyId"] for page in pages for row in page["Keys"]}
        declared = {row["id"] for row in region.manifest().get("key", []) if row["account"] == "111122223333"}
        assert listed - declared == made


def test_there_is_no_limit_unless_one_is_set(region, shared_key):
    """On one connection, so that only a rate could refuse."""
    connection, who = Connection(region), region.credentials("administrator")
    body = json.dumps({"KeyId": shared_key, "Plaintext": "bGltaXRz"}).encode()
    headers = Signer(who.key_id, who.secret).headers(connection.host, "TrentService.Encrypt", body)
    answers = [connection.send(headers, body).status for _ in range(1000)]
    connection.close()
    assert answers == [200] * 1000
