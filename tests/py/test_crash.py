"""kill -9 in the middle of a stream of writes and crypto: what was acknowledged is there, what was encrypted opens."""

import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import audit_trail
from region import FIXTURES, Region

WRITERS = 6
SECONDS = 1.5


class Stream(threading.Thread):
    """One client that writes and encrypts until the service is gone, and keeps what it was told."""

    def __init__(self, region, number, round_number):
        super().__init__(daemon=True)
        self.region = region
        self.client = region.client("administrator")
        self.draw = random.Random(f"{number}-{round_number}")
        self.name = f"{round_number}-{number}"
        self.keys, self.aliases, self.tags, self.grants = {}, {}, {}, {}
        self.disabled, self.blobs, self.fault = {}, [], None

    def run(self):
        try:
            while True:
                self.step()
        except (BotoCoreError, ClientError) as error:
            # The end of the connection is expected; an answer that is an error is not.
            if isinstance(error, ClientError):
                self.fault = error

    def step(self):
        key = self.client.create_key(Description=f"made {len(self.keys)}")["KeyMetadata"]
        self.keys[key["Arn"]] = key["Description"]
        alias = f"alias/crash-{self.name}-{len(self.keys)}"
        self.client.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
        self.aliases[alias] = key["Arn"]
        value = f"{self.draw.random()}"
        self.client.tag_resource(KeyId=key["Arn"], Tags=[{"TagKey": "t", "TagValue": value}])
        self.tags[key["Arn"]] = value
        self.encrypt(self.draw.choice(sorted(self.keys.keys() - self.disabled.keys())))
        nobody = self.region.credentials("nobody").arn
        grant = self.client.create_grant(KeyId=key["Arn"], GranteePrincipal=nobody, Operations=["Encrypt"])
        self.grants[grant["GrantId"]] = key["Arn"]
        if len(self.keys) % 3 == 0:
            # What was sent and is not acknowledged may have been done or not.
            del self.grants[grant["GrantId"]]
            self.client.revoke_grant(KeyId=key["Arn"], GrantId=grant["GrantId"])
            self.grants[grant["GrantId"]] = None
            self.disabled[key["Arn"]] = None
            self.client.disable_key(KeyId=key["Arn"])
            self.disabled[key["Arn"]] = True

    def encrypt(self, key):
        plaintext = self.draw.randbytes(self.draw.randrange(1, 200))
        context = {"n": str(len(self.blobs))}
        made = self.client.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)
        self.blobs.append((key, made["CiphertextBlob"], context, plaintext))

    def check(self):
        """Against the restarted service."""
        client = self.region.client("administrator")
        for key, description in self.keys.items():
            found = client.describe_key(KeyId=key)["KeyMetadata"]
            assert found["Description"] == description
            if self.disabled.get(key) is not None:
                assert found["KeyState"] == ("Disabled" if self.disabled[key] else "Enabled")
        for alias, key in self.aliases.items():
            assert client.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == key
        for key, value in self.tags.items():
            assert client.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "t", "TagValue": value}]
        for key in {key for key in self.grants.values() if key}:
            held = {row["GrantId"] for row in client.list_grants(KeyId=key)["Grants"]}
            assert {grant for grant, on in self.grants.items() if on == key} <= held
        for grant, key in self.grants.items():
            assert key or all(grant not in str(client.list_grants(KeyId=each)["Grants"]) for each in self.disabled)
        for key, blob, context, plaintext in self.blobs:
            if key in self.disabled and self.disabled[key] is not False:
                client.enable_key(KeyId=key)
                # Acknowledged as well, and to be found so by the next check.
                self.disabled[key] = False
            opened = client.decrypt(CiphertextBlob=blob, EncryptionContext=context)
            assert (opened["KeyId"], opened["Plaintext"]) == (key, plaintext)


def test_kill_in_the_middle_of_writes(folder, long_run):
    region = Region(folder / "data", manifest=FIXTURES / "manifests" / "suite.toml")
    streams = []
    try:
        for round_number in range(20 if long_run else 3):
            region.start()
            fresh = [Stream(region, number, round_number) for number in range(WRITERS)]
            for stream in fresh:
                stream.start()
            time.sleep(SECONDS * random.uniform(0.5, 1.5))
            region.kill()
            for stream in fresh:
                stream.join(30)
                assert not stream.is_alive()
                assert stream.fault is None, stream.fault
            assert sum(len(stream.keys) for stream in fresh) > WRITERS, "hardly anything was written"
            streams += fresh
            region.start()
            for stream in fresh:
                stream.check()
            region.kill()
        region.start()
        streams[0].check()
        assert region.stop() == 0
        audit_trail.verify(region.data / "audit")
    finally:
        region.kill()


@pytest.mark.parametrize("delay_ms", [1, 5, 20, 50, 100, 200, 400])
def test_kill_during_the_first_start(folder, delay_ms):
    """A first start that was cut anywhere is completed by the next, or refused in words; never half done."""
    region = Region(folder / "data")
    region.spawn()
    time.sleep(delay_ms / 1000)
    region.kill()
    region.spawn()
    until = time.monotonic() + 15
    while region.process.poll() is None and region.operations("/ready")[0] != 200:
        assert time.monotonic() < until, region.output()
        time.sleep(0.05)
    try:
        if region.process.poll() is None:
            region.stop()
            assert (region.data / "env").exists()
            region.start()
        else:
            assert "panicked" not in region.output()
    finally:
        region.kill()
