"""Names of settings' variables, and secrets that come from files instead of variables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from shared.errors import BadParameter

PREFIX: Final = "STENO_"
FROM_FILES: Final = (
    "api_keys",
    "token_secret",
    "redis_url",
    "jobs_redis_url",
    "webhook_secret",
    "rtc_turn_password",
)
"""Settings that hold secrets: instead of each, `STENO_…_FILE` may name a file that holds the value."""
_SECRET_BYTES_MAX: Final = 1024 * 1024


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def file_variable_of(name: str) -> str:
    """The variable that names the file with the value of one of `FROM_FILES`."""
    return variable_of(name) + "_FILE"


def read_secret(path: Path, variable: str) -> str:
    """What a file with a secret holds, without the space around it. Raises `BadParameter`."""
    try:
        with path.open("rb") as file:
            data = file.read(_SECRET_BYTES_MAX + 1)
        value = data.decode().strip() if len(data) <= _SECRET_BYTES_MAX else ""
    except OSError as error:
        raise BadParameter(f"{variable}: {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadParameter(f"{variable}: {path} is no text in UTF-8") from None
    if not value:
        raise BadParameter(f"{variable}: {path} is empty, or larger than {_SECRET_BYTES_MAX} bytes")
    return value


def from_files(
    environment: Mapping[str, str], given: Mapping[str, object], names: Sequence[str] = FROM_FILES
) -> tuple[dict[str, str], list[str]]:
    """Values of the settings whose `_FILE` variable is set, and what is wrong with them."""
    values: dict[str, str] = {}
    faults: list[str] = []
    for name in names:
        variable = file_variable_of(name)
        if name in given or not (path := environment.get(variable, "")):
            continue
        if environment.get(variable_of(name)):
            faults.append(f"{variable} and {variable_of(name)} are both set; one says where the other is")
            continue
        try:
            values[name] = read_secret(Path(path), variable)
        except BadParameter as error:
            faults.append(error.message)
    return values, faults
