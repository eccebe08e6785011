"""The API keys that the edge knows, and how it learns of others while it runs. Only SHA-256 digests are
kept."""

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from shared.errors import BadParameter
from shared.settings import read_secret

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Between two looks at a file with keys. Mounted secrets change by a link being replaced, of which no signal
tells, and looking costs one read of a small file."""

_KEY: Final = re.compile(r"[A-Za-z0-9._~+-]{8,200}")
"""What goes into a header and into a WebSocket subprotocol as it is."""
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"(?:(.*):)?sha256:([0-9a-fA-F]{64})")
_FILE_VARIABLE: Final = "STENO_API_KEYS_FILE"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept. `digest` is its SHA-256; a key without a name is of the tenant `""`, whose are
    also sessions and jobs from when there were no keys."""

    tenant: str
    digest: bytes


class KeyRing:
    """The keys that are known at one time, and which tenants are `operators`: they see what the whole service
    does. When no key has a name there is one tenant, who is."""

    def __init__(self, keys: Iterable[ApiKey], operators: frozenset[str] = frozenset()) -> None:
        self._keys = tuple(keys)
        self.tenants = frozenset(key.tenant for key in self._keys)
        self.operators = operators if any(self.tenants) else self.tenants

    def __len__(self) -> int:
        return len(self._keys)

    def owner(self, key: str) -> ApiKey | None:
        """The key, if it is known. Takes the same time whichever it is."""
        digest, found = _digest(key), None
        for known in self._keys:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found

    @property
    def signing_key(self) -> bytes:
        """What keys are signed with that are made from these; changes when one of them does."""
        return hashlib.sha256(b"".join(known.digest for known in self._keys)).digest()


class Keyholder:
    """The keys that are known now. Those of a file are read again when it changes."""

    def __init__(self, ring: KeyRing | None, file: Path | None = None, *, operators: str = "") -> None:
        self.ring = ring
        """None: everyone is let in."""
        self._file = file
        self._operators = operators
        self._text = ""

    def signing_key(self) -> bytes:
        """The ring's; without keys it is no secret."""
        return self.ring.signing_key if self.ring else b""

    async def look_forever(self) -> NoReturn:
        """Follow the file, if there is one."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take what the file says now. A file that is gone, empty or wrong changes nothing: neither must a
        slip open the server, nor must it shut everyone out."""
        if self._file is None:
            return
        try:
            text = read_secret(self._file, _FILE_VARIABLE)
            if text == self._text:
                return
            self._text = text
            ring = parse_keys(text, self._operators)
        except BadParameter as error:
            log.error("the keys stay as they were: %s", error.message)
            return
        if ring is not None and ring.signing_key != self.signing_key():
            self.ring = ring
            log.info("keys read again", extra={"keys": len(ring)})


def is_tenant(name: str) -> bool:
    """Whether this can be a tenant's name."""
    return bool(_TENANT.fullmatch(name))


def parse_keys(text: str, operators: str = "") -> KeyRing | None:
    """The keys of `STENO_API_KEYS`: `key` or `tenant:key`, with commas or line ends between; the key itself,
    or `sha256:` and its digest. `operators` are names of tenants among them. None for no text. Raises
    `BadParameter`, without the key in it."""
    entries, names = _listed(text), _listed(operators)
    if not text.strip() and not names:
        return None
    if text.strip() and not entries:  # keys were meant: letting everyone in would be the worst answer
        raise BadParameter("STENO_API_KEYS holds commas only, and no key")
    ring = KeyRing(
        [_parse_key(entry, place) for place, entry in enumerate(entries, 1)], operators=frozenset(names)
    )
    for name in names:
        if name not in ring.tenants:
            raise BadParameter(
                f"STENO_OPERATORS: {name!r} is no name of a key; give it one in STENO_API_KEYS as {name}:KEY"
            )
    return ring


def _listed(text: str) -> list[str]:
    return [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]


def _parse_key(entry: str, place: int) -> ApiKey:
    if hashed := _DIGEST.fullmatch(entry):
        tenant, digest = hashed[1], bytes.fromhex(hashed[2])
    else:
        name, colon, key = entry.rpartition(":")
        tenant, digest = name if colon else None, _digest(key) if _KEY.fullmatch(key) else b""
    if tenant is not None and not is_tenant(tenant):
        raise BadParameter(
            f"STENO_API_KEYS: the name of key {place} must be letters, digits, '.', '_' and '-', at most 64"
        )
    if not digest:
        raise BadParameter(
            f"STENO_API_KEYS: key {place} must be 8 to 200 letters, digits and '._~+-'; browsers can't send "
            "others"
        )
    return ApiKey(tenant or "", digest)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
