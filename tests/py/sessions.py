"""Clients of STS, clients with a session's credentials, and URLs that are signed in their query."""

import ssl
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

from region import REGION, boto_client

CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)


def sts(region, user="administrator", endpoint="open"):
    return boto_client("sts", region.url(endpoint), region.ca, region.credentials(user))


def with_session(region, credentials, service="kms", endpoint="open"):
    """A client that uses what AssumeRole handed out. Members of `credentials` may be bent before."""
    return boto3.session.Session().client(
        service,
        endpoint_url=region.url(endpoint),
        verify=str(region.ca),
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
        config=CONFIG,
    )


def fetch(region, url, method="GET"):
    """Status and text of a URL of the region."""
    context = ssl.create_default_context(cafile=str(region.ca))
    request = urllib.request.Request(url, method=method, data=b"" if method == "POST" else None)
    if method == "POST":
        # As `curl -X POST` without data: urllib would say that there is a form.
        request.add_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
