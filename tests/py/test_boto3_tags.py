"""Tags: order, limits and texts."""

import pytest

from conftest import refused


def tags(client, key):
    return [(row["TagKey"], row["TagValue"]) for row in client.list_resource_tags(KeyId=key)["Tags"]]


def pairs(*given):
    return [{"TagKey": name, "TagValue": value} for name, value in given]


def test_tag_update_untag(admin, key):
    assert admin.list_resource_tags(KeyId=key)["Truncated"] is False
    admin.tag_resource(KeyId=key, Tags=pairs(("a", "1"), ("b", "2")))
    admin.tag_resource(KeyId=key, Tags=pairs(("c", "3")))
    assert tags(admin, key) == [("a", "1"), ("b", "2"), ("c", "3")]
    admin.tag_resource(KeyId=key, Tags=pairs(("a", "4")))
    assert tags(admin, key) == [("a", "4"), ("b", "2"), ("c", "3")], "an updated tag keeps its place"
    admin.untag_resource(KeyId=key, TagKeys=["b", "never there"])
    assert tags(admin, key) == [("a", "4"), ("c", "3")]


def test_an_empty_value_is_a_value(admin, key):
    admin.tag_resource(KeyId=key, Tags=pairs(("empty", "")))
    assert tags(admin, key) == [("empty", "")]


def test_duplicates(admin, key):
    with refused("TagException", "Duplicate tag keys"):
        admin.tag_resource(KeyId=key, Tags=pairs(("a", "1"), ("a", "2")))
    with refused("TagException", "Duplicate tag keys"):
        admin.create_key(Tags=pairs(("a", "1"), ("a", "2")))
    assert tags(admin, key) == []


def test_fifty_are_the_limit(admin, key):
    many = [(f"t{number:02}", "v") for number in range(51)]
    with refused("TagException", "Too many tags"):
        admin.create_key(Tags=pairs(*many))
    admin.tag_resource(KeyId=key, Tags=pairs(*many[:50]))
    assert len(tags(admin, key)) == 50
    with refused("TagException", "Too many tags"):
        admin.tag_resource(KeyId=key, Tags=pairs(many[50]))
    admin.tag_resource(KeyId=key, Tags=pairs((many[0][0], "changed")))


@pytest.mark.parametrize("name", ["aws:x", "AWS:x", "Aws:x"])
def test_reserved(admin, key, name):
    with refused("TagException", "Tags beginning with aws: are reserved"):
        admin.tag_resource(KeyId=key, Tags=pairs((name, "v")))


def test_lengths(admin, key):
    long_key, long_value = "k" * 129, "v" * 257
    with refused("ValidationException") as seen:
        admin.tag_resource(KeyId=key, Tags=pairs((long_key, "v")))
    assert seen.message == (
        f"1 validation error detected: Value '{long_key}' at 'tags.1.member.tagKey' failed to satisfy constraint:"
        " Member must have length less than or equal to 128"
    )
    with refused("ValidationException") as seen:
        admin.tag_resource(KeyId=key, Tags=pairs(("k", "v"), ("l", long_value)))
    assert seen.message == (
        f"1 validation error detected: Value '{long_value}' at 'tags.2.member.tagValue' failed to satisfy constraint:"
        " Member must have length less than or equal to 256"
    )
    admin.tag_resource(KeyId=key, Tags=pairs(("k" * 128, "v" * 256)))


def test_tags_decide(region, admin, key):
    """A key's tags are in the context of the next decision."""
    strict = region.client("administrator", "matching")
    with refused("AccessDeniedException"):
        strict.encrypt(KeyId=key, Plaintext=b"x")
    admin.tag_resource(KeyId=key, Tags=pairs(("env", "prod")))
    strict.encrypt(KeyId=key, Plaintext=b"x")
    admin.untag_resource(KeyId=key, TagKeys=["env"])
    with refused("AccessDeniedException"):
        strict.encrypt(KeyId=key, Plaintext=b"x")


def test_create_with_tags_needs_leave_to_tag(region, nobody, admin):
    with refused("AccessDeniedException"):
        nobody.create_key(Tags=pairs(("a", "1")))
