"""`worldarm view`: a page that shows an arm, its cameras and an agent's decisions."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import tyro

from robot.client.followed_driver import FollowedDriver
from robot.errors import ConfigurationError
from robot.system.pacing import Pacer
from robot.web.address import HOST, PORT
from robot.wire.addresses import COMMAND, DECISIONS, FRAMES


def view(
    command_address: Annotated[str, tyro.conf.arg(help="where the driver takes commands")] = COMMAND,
    camera: Annotated[tuple[str, ...], tyro.conf.arg(help="where cameras publish their pictures")] = (FRAMES,),
    decisions_address: Annotated[str, tyro.conf.arg(help="where the agent publishes its decisions")] = DECISIONS,
    host: Annotated[
        str, tyro.conf.arg(help="the address to serve the page at; away from 127.0.0.1 it takes a token")
    ] = HOST,
    port: Annotated[int, tyro.conf.arg(help="the port of the page; 0: the system chooses one")] = PORT,
    rerun: Annotated[Path | None, tyro.conf.arg(help="also log to this Rerun file, which is overwritten")] = None,
) -> None:
    """Show an arm, its cameras and an agent's decisions in a browser, until Ctrl-C; nothing is moved.

    Needs a running driver, which may end and come back with the same arm. Cameras and agents may come and go. No
    process waits for the page: it skips what it cannot show in time.
    """
    try:
        from robot.web.decision_view import DecisionView
        from robot.web.live_view import PAINTED_EVERY_S, Live, mode_of
        from robot.web.server import PageServer
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the page needs the Python package '{error.name}': pip install 'worldarm[web]'"
        ) from error
    with ExitStack() as parts:
        driver = FollowedDriver(command_address, told=_say)
        parts.callback(driver.close)
        spec = driver.arm
        log = None
        if rerun is not None:
            from robot.web.rerun_log import RerunLog

            log = parts.enter_context(RerunLog(rerun, spec))
        server = parts.enter_context(PageServer(host, port, f"worldarm · {spec.name}"))
        live = Live(server.viser, driver, camera)
        parts.callback(live.close)
        decisions = DecisionView(server.viser, decisions_address)
        parts.callback(decisions.close)
        print(f"view: {spec.name} at {command_address}, page {server.url}; stop with Ctrl-C", flush=True)
        pacer = Pacer(PAINTED_EVERY_S)
        while True:
            pacer.wait()
            state = live.states.newest
            live.paint([mode_of(state)] if state is not None else [], decisions.over)
            fresh = decisions.paint()
            if log is not None:
                log.add(live.states.newest, [camera.newest for camera in live.cameras], fresh)


def _say(line: str) -> None:
    print(f"view: {line}", flush=True)
