from __future__ import annotations

import pytest

from robot.arm.description_text import require_readable
from robot.errors import ConfigurationError
from robot.hardware.franka.description import franka_urdf
from robot.hardware.so101.description import so101_urdf
from robot.hardware.ur.description import ur_urdf
from tests.hostile import told_by

LINKS = "".join(
    f'<link name="l{n}"/><joint name="j{n}" type="fixed"><parent link="l{n}"/><child link="l{n + 1}"/></joint>'
    for n in range(100_000)
)
LAUGHS = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))


@pytest.mark.parametrize("urdf", [franka_urdf(), so101_urdf(), ur_urdf("ur5e")], ids=["franka", "so101", "ur5e"])
def test_the_arms_of_worldarm_are_described_within_bounds(urdf: str) -> None:
    require_readable("arm", urdf)


@pytest.mark.parametrize(
    ("urdf", "words"),
    [
        ("", "not XML"),
        ("<robot>", "not XML"),
        ("\ud800", "surrogates"),
        ("<a>" * 100_000 + "</a>" * 100_000, "levels"),
        ("<r>" + "<a/>" * 100_000 + "</r>", "elements"),
        (f"<robot>{LINKS}</robot>", "joints|characters"),
        ("<r>" + " " * 5_000_000 + "</r>", "characters"),
        (f'<!DOCTYPE r [<!ENTITY a0 "ha">{LAUGHS}]><r>&a12;</r>', "document type"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>', "document type"),
    ],
    ids=["empty", "open", "half a character", "deep", "many", "joints", "long", "laughs", "file"],
)
def test_a_description_that_would_exhaust_its_reader_is_refused(urdf: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        require_readable("arm\x1b[2J", urdf)
    assert str(caught.value).isprintable()


def test_a_deep_description_in_a_data_set_does_not_end_the_process() -> None:
    imports = (
        "from robot.dataset.format.arm_kinematics import read_kinematics\n"
        "from robot.dataset.format.schema import DatasetInfo\n"
        "entry = {'name': 'a', 'joint_names': ['b'], 'urdf': '<a>' * 200_000 + '</a>' * 200_000, 'tool_frame': 'c'}"
    )
    assert "DatasetError" in told_by(imports, "read_kinematics(DatasetInfo(5, {}, metadata={'kinematics': entry}))")
