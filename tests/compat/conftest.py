"""What the drivers of official clients talk to."""

from collections.abc import Generator

import pytest

from tests.support.driving import KEY
from tests.support.service import Service


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """The whole service with real weights, for one key."""
    with Service.running(tmp_path_factory.mktemp("keyed"), model="tiny.en", api_keys=KEY) as running:
        yield running
