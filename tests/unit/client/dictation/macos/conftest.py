"""A Mac of the test's own."""

import pytest

from tests.support.pyobjc.mac import FakeMac


@pytest.fixture
def mac() -> FakeMac:
    """Fakes made of PyObjC's metadata."""
    return FakeMac()
