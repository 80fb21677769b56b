from __future__ import annotations

from pathlib import Path

import pytest

from robot.errors import ConfigurationError
from robot.registry import ARMS, CAMERAS, load, names
from tests import strangers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_simulated_arm_and_camera_are_known_once_installed() -> None:
    assert "sim" in names(ARMS)
    assert "sim" in names(CAMERAS)


def test_a_strangers_camera_is_found_by_name(folder: Path) -> None:
    (folder / "strange.py").write_text("def make_camera(options):\n    return f'a camera for {options}'\n")
    strangers.install(folder, "strange", CAMERAS, {"lens": "strange:make_camera"})
    assert names(CAMERAS) == tuple(sorted({"lens", *names(CAMERAS)}))
    assert load(CAMERAS, "lens")("you") == "a camera for you"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no camera called 'none'; known: .*sim"):
        load(CAMERAS, "none")


def test_an_empty_group_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="worldarm itself is not installed"):
        load("worldarm.hats", "top")


def test_a_missing_package_names_the_extra_that_brings_it(folder: Path) -> None:
    (folder / "needy.py").write_text("import a_vendor_library\n")
    strangers.install(folder, "needy", ARMS, {"seven": "needy:make", "eight": "needy:make"}, extras=("seven",))
    with pytest.raises(ConfigurationError, match=r"needs the Python package 'a_vendor_library': .*'needy\[seven\]'"):
        load(ARMS, "seven")
    with pytest.raises(ConfigurationError, match="reinstall needy"):
        load(ARMS, "eight")


def test_a_promise_that_is_not_kept_is_told(folder: Path) -> None:
    (folder / "empty.py").write_text("")
    strangers.install(folder, "empty", ARMS, {"ghost": "empty:make"})
    with pytest.raises(ConfigurationError, match="the arm 'ghost' of empty cannot be loaded"):
        load(ARMS, "ghost")


def test_two_packages_that_claim_one_name_are_both_named(folder: Path) -> None:
    strangers.install(folder, "first", ARMS, {"twin": "first:make"})
    strangers.install(folder, "second", ARMS, {"twin": "second:make"})
    with pytest.raises(ConfigurationError, match="first:make of first and second:make of second"):
        load(ARMS, "twin")
