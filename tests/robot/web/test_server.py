"""Who may open the page: whoever is on this machine and means it, and elsewhere who has the token; nobody's site."""

import http.client
import socket
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest
from websockets.exceptions import InvalidStatus

from robot.errors import AddressInUse, ConfigurationError
from robot.web.server import PageServer
from tests.robot.driver.command import until
from tests.robot.web.page import Page


@pytest.fixture(scope="module")
def here() -> Iterator[PageServer]:
    with PageServer("127.0.0.1", 0, "here") as server:
        yield server


@pytest.fixture(scope="module")
def everywhere() -> Iterator[PageServer]:
    with PageServer("0.0.0.0", 0, "everywhere") as server:
        yield server


def answer(server: PageServer, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    asked = http.client.HTTPConnection("127.0.0.1", server.port, 10.0)
    asked.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})
    got = asked.getresponse()
    got.read()
    return got


def test_this_machines_browsers_may_and_no_site_may_show_it_within_itself(here: PageServer) -> None:
    assert here.url == f"http://127.0.0.1:{here.port}/" and not here.open_to_others
    got = answer(here)
    assert got.status == 200 and "frame-ancestors 'none'" in (got.getheader("Content-Security-Policy") or "")
    assert answer(here, Host="localhost:9000").status == 200, "as through ssh -L"
    with Page(here.url, Origin=f"http://127.0.0.1:{here.port}"):
        until(lambda: len(here.viser.get_clients()) == 1)
    until(lambda: not here.viser.get_clients())


@pytest.mark.parametrize("host", ["stranger.example", "127.0.0.1.stranger.example", "", "192.0.2.1", "[", "@127.0.0.1"])
def test_a_name_that_is_not_this_machine_is_refused(here: PageServer, host: str) -> None:
    assert answer(here, Host=host).status in (400, 403)


@pytest.mark.parametrize("origin", ["http://stranger.example", "null", "http://127.0.0.1:1", "https://["])
def test_another_sites_page_cannot_connect(here: PageServer, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Page(here.url, Origin=origin)
    assert refused.value.response.status_code == 403


def test_elsewhere_it_takes_the_token_which_the_browser_then_keeps(everywhere: PageServer) -> None:
    assert everywhere.open_to_others
    token = everywhere.url.partition("?token=")[2]
    assert len(token) >= 22
    assert answer(everywhere).status == 401
    assert answer(everywhere, "/?token=wrong").status == 401
    assert answer(everywhere, Cookie="worldarm=; ;;=x").status == 401
    got = answer(everywhere, f"/?token={token}")
    assert got.status == 303 and got.getheader("Location") == "/"
    kept = got.getheader("Set-Cookie") or ""
    assert "HttpOnly" in kept and "SameSite=Strict" in kept
    ((name, morsel),) = SimpleCookie(kept).items()
    cookie = f"{name}={morsel.value}"
    assert answer(everywhere, Cookie=cookie).status == 200
    where = f"http://127.0.0.1:{everywhere.port}/"
    with pytest.raises(InvalidStatus):
        Page(where)
    with pytest.raises(InvalidStatus):
        Page(where, Cookie=cookie, Origin="http://stranger.example")
    with Page(where, Cookie=cookie):
        until(lambda: len(everywhere.viser.get_clients()) == 1)


def test_two_servers_have_tokens_of_their_own(everywhere: PageServer) -> None:
    with PageServer("0.0.0.0", 0, "other") as other:
        assert answer(other, f"/?token={everywhere.url.partition('?token=')[2]}").status == 401


def test_a_port_that_is_taken_and_a_host_that_is_not_ours_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AddressInUse, match="another --port"):
        PageServer("127.0.0.1", taken.getsockname()[1], "late")
    with pytest.raises(ConfigurationError, match="cannot be bound"):
        PageServer("192.0.2.1", 0, "nowhere")
    with pytest.raises(ConfigurationError, match="--port"):
        PageServer("127.0.0.1", 65536, "nowhere")


def test_it_offers_nobody_on_the_internet_the_page(here: PageServer) -> None:
    assert here.viser.request_share_url() is None
