"""The API keys that the edge knows, and how it learns of others while it runs. Only SHA-256 digests are
kept."""

import hashlib
import hmac
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.ephemeral import ID_BYTES, NO_SIGNER, Signer
from api.scopes import SCOPES
from shared.errors import BadParameter
from shared.secret_files import read_secret

log = logging.getLogger(__name__)

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
    scopes: frozenset[str] = frozenset(SCOPES)

    @property
    def id(self) -> str:
        """What tells it from others where the key itself must not be."""
        return self.digest[:ID_BYTES].hex()


ANYONE: Final = ApiKey("", b"")
"""Whoever asks a server without keys."""


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

    def with_id(self, id: bytes) -> ApiKey | None:
        """The key whose digest begins so."""
        return next((known for known in self._keys if known.digest.startswith(id)), None)

    @property
    def fingerprint(self) -> bytes:
        """Changes when any of the keys, or what one is for, does."""
        said = (f"{k.tenant}/{'+'.join(sorted(k.scopes))}:{k.digest.hex()}" for k in self._keys)
        return hashlib.sha256("\n".join(said).encode()).digest()


class Keyholder:
    """The keys that are known now. Those of a file are read again when it changes."""

    def __init__(
        self,
        ring: KeyRing | None,
        file: Path | None = None,
        *,
        operators: str = "",
        token_secret: str = "",
    ) -> None:
        """`token_secret` goes into the signatures of short-lived keys."""
        self.ring = ring
        """None: everyone is let in."""
        self._file = file
        self._operators = operators
        self._token_secret = token_secret.encode()
        self._text = ""

    def signer(self, key: ApiKey) -> Signer:
        """What signs the short-lived keys that are made with a key."""
        if key == ANYONE:
            return NO_SIGNER
        return Signer(key.digest[:ID_BYTES], hmac.digest(key.digest, self._token_secret, hashlib.sha256))

    def signer_of(self, id: bytes) -> Signer | None:
        """The same by its id; None for a key that is not known, or not any more."""
        if self.ring is None:
            return NO_SIGNER
        key = self.ring.with_id(id) if len(id) == ID_BYTES else None
        return None if key is None else self.signer(key)

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
        if ring is not None and (self.ring is None or ring.fingerprint != self.ring.fingerprint):
            self.ring = ring
            log.info("keys read again", extra={"keys": len(ring)})


def is_tenant(name: str) -> bool:
    """Whether this can be a tenant's name."""
    return bool(_TENANT.fullmatch(name))


def parse_keys(text: str, operators: str = "") -> KeyRing | None:
    """The keys of `STENO_API_KEYS`: `key`, `tenant:key` or `tenant/scope+scope:key`, with commas or line ends
    between; the key itself, or `sha256:` and its digest. `operators` are names of tenants among them. None
    for no text. Raises `BadParameter`, without the key in it."""
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
    is_named = tenant is not None
    tenant, slash, named = (tenant or "").partition("/")
    scopes = frozenset(named.split("+")) if slash else frozenset(SCOPES)
    if unknown := scopes.difference(SCOPES):
        raise BadParameter(
            f"STENO_API_KEYS: key {place} has the scope {min(unknown)[:20]!r}; there are {', '.join(SCOPES)}"
        )
    if is_named and not is_tenant(tenant):
        raise BadParameter(
            f"STENO_API_KEYS: the name of key {place} must be letters, digits, '.', '_' and '-', at most 64"
        )
    if not digest:
        raise BadParameter(
            f"STENO_API_KEYS: key {place} must be 8 to 200 letters, digits and '._~+-'; browsers can't send "
            "others"
        )
    return ApiKey(tenant, digest, scopes)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
