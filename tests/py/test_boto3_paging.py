"""Paging: limits, markers and the last page, for each operation that lists."""

import pytest

from conftest import refused
from scenes import Scene, method

LISTS = {
    # operation: (member with the rows, rows by default, rows at most)
    "ListKeys": ("Keys", 100, 1000),
    "ListAliases": ("Aliases", 50, 100),
    "ListGrants": ("Grants", 50, 100),
    "ListRetirableGrants": ("Grants", 50, 100),
    "ListResourceTags": ("Tags", 50, 50),
    "ListKeyPolicies": ("PolicyNames", 100, 1000),
}
each_list = pytest.mark.parametrize("operation", LISTS)


@pytest.fixture(scope="module")
def scene(region, admin):
    """A key with eleven of everything that has a list."""
    made = Scene(admin, region.credentials("administrator").arn)
    admin.tag_resource(KeyId=made.arn, Tags=[{"TagKey": f"t{n:02}", "TagValue": "v"} for n in range(10)])
    for _ in range(11):
        made.alias()
        made.grant(RetiringPrincipal=region.credentials("restrained").arn)
    return made


def asked(region, scene, operation):
    if operation == "ListKeys":
        return {}
    if operation == "ListRetirableGrants":
        return {"RetiringPrincipal": region.credentials("restrained").arn}
    return {"KeyId": scene.arn}


@each_list
@pytest.mark.parametrize("limit", [1, 3, 4])
def test_pages_hold_each_row_once(region, admin, scene, operation, limit):
    member = LISTS[operation][0]
    call, request = getattr(admin, method(operation)), asked(region, scene, operation)
    whole = call(**request)
    assert whole["Truncated"] in (True, False)
    rows, more = [], {}
    while True:
        page = call(**request, **more, Limit=limit)
        assert len(page[member]) <= limit
        rows += page[member]
        assert ("NextMarker" in page) == page["Truncated"]
        if not page["Truncated"]:
            break
        assert 1 <= len(page["NextMarker"]) <= 1024
        assert len(page[member]) == limit, "a page that is not the last is full"
        more = {"Marker": page["NextMarker"]}
    if not whole["Truncated"]:
        assert sorted(map(repr, rows)) == sorted(map(repr, whole[member]))
    assert len(set(map(repr, rows))) == len(rows)


@each_list
def test_a_limit_over_the_operations_own(region, scene, operation):
    # botocore itself would refuse a limit of 0.
    call, request = getattr(region.client(validate=False), method(operation)), asked(region, scene, operation)
    most = LISTS[operation][2]
    call(**request, Limit=most)
    with refused("ValidationException"):
        call(**request, Limit=most + 1)
    with refused("ValidationException") as seen:
        call(**request, Limit=0)
    assert seen.message == (
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint:"
        " Member must have value greater than or equal to 1"
    )


@each_list
@pytest.mark.parametrize("marker", ["nonsense", "AAAA", "x" * 1024])
def test_a_bad_marker(region, admin, scene, operation, marker):
    with refused("InvalidMarkerException"):
        getattr(admin, method(operation))(**asked(region, scene, operation), Marker=marker)


def test_a_marker_belongs_to_its_list(admin, scene):
    marker = admin.list_aliases(KeyId=scene.arn, Limit=1)["NextMarker"]
    with refused("InvalidMarkerException"):
        admin.list_grants(KeyId=scene.arn, Marker=marker)


def test_default_page_of_aliases(admin, key):
    for number in range(51):
        admin.create_alias(AliasName=f"alias/many-{number:02}-{key[-12:]}", TargetKeyId=key)
    page = admin.list_aliases(KeyId=key)
    assert (len(page["Aliases"]), page["Truncated"]) == (50, True)
    rest = admin.list_aliases(KeyId=key, Marker=page["NextMarker"])
    assert (len(rest["Aliases"]), rest["Truncated"]) == (1, False)


def test_a_row_that_goes_between_pages(admin, key):
    """A marker still works when the row that it stopped at is gone, and no other row is lost."""
    names = [f"alias/going-{number}-{key[-12:]}" for number in range(6)]
    for name in names:
        admin.create_alias(AliasName=name, TargetKeyId=key)
    page = admin.list_aliases(KeyId=key, Limit=3)
    seen = [row["AliasName"] for row in page["Aliases"]]
    admin.delete_alias(AliasName=seen[-1])
    rest = admin.list_aliases(KeyId=key, Marker=page["NextMarker"])
    assert sorted(seen + [row["AliasName"] for row in rest["Aliases"]]) == names
