"""A running driver for the tests of this floor."""

from collections.abc import Iterator

import pytest

from tests.robot.driver.checks import now
from tests.robot.driver.command import DriverProcess, until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriverProcess]:
    """One driver for the tests that leave it as they found it; each begins with a reset and a free lease."""
    with DriverProcess(tmp_path_factory.mktemp("shared")) as process:
        yield process
        assert process.process.poll() is None, "the driver did not outlive its tests"


@pytest.fixture
def running(shared: DriverProcess) -> DriverProcess:
    with shared.client() as client:
        client.reset()
        until(lambda: now(client).holder == "" and now(client).mode in ("idle", "holding"))
    return shared
