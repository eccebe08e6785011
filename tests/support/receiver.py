"""A webhook's receiver checks what it got as the specification says, with code of its own."""

import base64
import hashlib
import hmac

from tests.support.http_stub import Asked


def is_signed(asked: Asked, secret: str) -> bool:
    """Whether the request's signature is right."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), asked.body])
    key = base64.b64decode(secret.split("_", 1)[1])
    made = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return f"v1,{made}" in headers["webhook-signature"].split(" ")
