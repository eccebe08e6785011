"""What each tenant may have, from the file that `STENO_TENANTS_FILE` names. The edge follows it.

    [default]                       # every tenant that is not named below, and what those do not say
    requests_per_minute = 600

    [tenant.acme]
    sessions = 100
    audio_minutes_per_day = 3000
    redact = ["email", "phone"]

A bound that is 0, or not there, is none.
"""

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, cast

from api.keys import is_tenant
from shared.errors import BadParameter
from shared.events import check_redact
from shared.secret_files import read_secret
from shared.settings import Settings

log = logging.getLogger(__name__)

_VARIABLE: Final = "STENO_TENANTS_FILE"
_LEAST: Final = {"job_ttl_s": 60, "session_ttl_s": 1}
_MOST: Final = {"job_ttl_s": 365 * 24 * 3600, "session_ttl_s": 24 * 3600}
_NUMBER_MAX: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one tenant may have, and how its data is treated."""

    sessions: int = 0
    """Live sessions at once."""
    requests_per_minute: int = 0
    """HTTP requests, upgrades and Wyoming sessions: so many at once, and as many again evenly over each
    minute."""
    audio_minutes_per_day: int = 0
    """Live audio that arrives and audio of files, in a day of UTC; and below in a month."""
    audio_minutes_per_month: int = 0
    jobs: int = 0
    """File jobs that wait or run."""
    jobs_per_day: int = 0
    """File jobs that are taken."""
    stored_bytes: int = 0
    """Uploads of the jobs that wait or run."""
    bytes_per_day: int = 0
    """Uploads that are taken."""
    job_ttl_s: int = 0
    """How long an ended job and its result are kept; 0: `STENO_JOB_TTL_S`."""
    session_ttl_s: int = 0
    """How long the text of a closed live session is kept for its client; 0: 300."""
    redact: tuple[str, ...] = ()
    """What is left out of all text, whatever a client asks for: `email`, `phone`, `card`."""


@dataclass(frozen=True, slots=True)
class Allowances:
    """Those of all tenants."""

    default: Allowance = Allowance()
    named: Mapping[str, Allowance] = field(default_factory=dict[str, Allowance])

    def of(self, tenant: str) -> Allowance:
        """What a tenant may have."""
        return self.named.get(tenant, self.default)


class Tenants:
    """The allowances that hold now. `base` is what holds without a file."""

    def __init__(self, file: Path | None = None, *, base: Allowance | None = None) -> None:
        """Raises `BadParameter` for a file that can't be used."""
        self._file = file
        self._base = base or Allowance()
        self._text = ""
        self.now = Allowances(default=self._base)
        if file is not None:
            self._text = read_secret(file, _VARIABLE)
            self.now = parse_allowances(self._text, self._base)

    def of(self, tenant: str) -> Allowance:
        """What a tenant may have now."""
        return self.now.of(tenant)

    def look(self) -> None:
        """Take what the file says now. One that is gone, empty or wrong changes nothing."""
        if self._file is None:
            return
        try:
            text = read_secret(self._file, _VARIABLE)
            if text == self._text:
                return
            self._text = text
            self.now = parse_allowances(text, self._base)
        except BadParameter as error:
            log.error("what tenants may have stays as it was: %s", error.message)
            return
        log.info("what tenants may have was read again", extra={"tenants": len(self.now.named)})


def tenants_of(settings: Settings) -> Tenants:
    """As the settings say. Raises `BadParameter`."""
    return Tenants(settings.tenants_file, base=Allowance(sessions=settings.tenant_sessions_max))


def parse_allowances(text: str, base: Allowance) -> Allowances:
    """What the file says; `base` holds for what it does not say. Raises `BadParameter` that names the
    place."""
    try:
        document: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadParameter(f"{_VARIABLE} is no TOML: {error}") from None
    for name in document:
        if name not in ("default", "tenant"):
            raise BadParameter(f"{_VARIABLE}: [{name}] is not known; there are [default] and [tenant.NAME]")
    default = _allowance(_table(document.get("default", {}), "default"), base, "default")
    named: dict[str, Allowance] = {}
    for tenant, said in _table(document.get("tenant", {}), "tenant").items():
        if not is_tenant(tenant):
            raise BadParameter(f"{_VARIABLE}: {tenant!r} is no name of a tenant")
        place = f"tenant.{tenant}"
        named[tenant] = _allowance(_table(said, place), default, place)
    return Allowances(default, named)


def _table(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadParameter(f"{_VARIABLE}: {place} must be a table")
    return cast(dict[str, Any], value)


def _allowance(said: Mapping[str, Any], base: Allowance, place: str) -> Allowance:
    known = {item.name for item in fields(Allowance)}
    changes: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            raise BadParameter(
                f"{_VARIABLE}: [{place}] {name} is not known; there are {', '.join(sorted(known))}"
            )
        changes[name] = _redact(value, place) if name == "redact" else _number(value, name, place)
    return replace(base, **changes)


def _redact(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadParameter(f"{_VARIABLE}: [{place}] redact must be a list")
    return check_redact(",".join(map(str, cast(list[object], value))))


def _number(value: object, name: str, place: str) -> int:
    least, most = _LEAST.get(name, 0), _MOST.get(name, _NUMBER_MAX)
    if isinstance(value, bool) or not isinstance(value, int) or not (value == 0 or least <= value <= most):
        raise BadParameter(f"{_VARIABLE}: [{place}] {name} must be a whole number from {least} to {most}")
    return value
