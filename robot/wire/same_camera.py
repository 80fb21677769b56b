"""The one camera whose pictures count: what another camera sends from the same address is no picture at all.

A camera process that is started again may have another name, size, encoding, lens or pose. A consumer that
began with the first one would otherwise act on a view that it does not know.
"""

from __future__ import annotations

from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame


class SameCamera:
    """Admits the pictures at `address` of `camera` or, when that is None, of the first camera that sends one; all in
    the encoding of the first admitted one."""

    def __init__(self, address: str, camera: CameraSpec | None = None) -> None:
        self._address = address
        self._camera = camera
        self._encoding = ""
        self._other: Frame | None = None

    def __call__(self, frame: Frame) -> bool:
        """Return whether `frame` is of the one camera, in all of its specification."""
        if self._camera is None:
            self._camera = frame.camera
        if not self._encoding and frame.camera == self._camera:
            self._encoding = frame.encoding
        same = frame.camera == self._camera and frame.encoding == self._encoding
        self._other = None if same else frame
        return same

    @property
    def other(self) -> str:
        """A sentence that names both cameras while another one sends, empty otherwise."""
        other, camera = self._other, self._camera
        if other is None or camera is None:
            return ""
        wanted, found = _named(camera, self._encoding), _named(other.camera, other.encoding)
        differs = "" if wanted != found else " with another lens or pose"
        return (
            f"{self._address} now sends pictures of the camera {found}{differs}, and this began with {wanted}: start "
            "that camera there again, or start this again to use the new one"
        )


def _named(camera: CameraSpec, encoding: str) -> str:
    return f"{camera.name!r} ({camera.width}x{camera.height}{f', {encoding}' if encoding else ''})"
