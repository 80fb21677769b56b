"""A page as a browser's: the same WebSocket, the same messages, and answers for as long as it is awake."""

from __future__ import annotations

import threading
import time
from typing import Any

import cv2
import msgspec
import numpy as np
import viser
import websockets.sync.client
import zstandard
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed

from tests.robot.driver.command import until


class Page:
    """A page at `url`; what it was told is in `parts` (uuid or name → properties)."""

    def __init__(self, url: str, **headers: str) -> None:
        self.parts: dict[str, dict[str, Any]] = {}
        self.news: list[str] = []
        self.awake = True
        self._socket = websockets.sync.client.connect(
            url.replace("http", "ws", 1),
            subprotocols=[f"viser-v{viser.__version__}"],
            additional_headers=headers,
            max_size=None,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.send(
            "ViewerCameraMessage",
            wxyz=(1.0, 0.0, 0.0, 0.0),
            position=(1.0, 0.0, 1.0),
            fov=1.3,
            near=0.01,
            far=100.0,
            image_height=600,
            image_width=800,
            look_at=(0.0, 0.0, 0.0),
            up_direction=(0.0, 0.0, 1.0),
        )

    def send(self, kind: str, **fields: object) -> None:
        """Send one message, as the page's script would."""
        self._socket.send(msgspec.msgpack.encode({"type": kind, **fields}))

    def part(self, label: str) -> str:
        """Wait for the button or slider called `label`, and return its uuid."""
        until(lambda: self._find(label) is not None)
        found = self._find(label)
        assert found is not None
        return found

    def shows(self, label: str) -> bool:
        """Whether there is a part called `label` that can be seen, by itself."""
        found = self._find(label)
        return found is not None and bool(self.parts[found].get("visible", True))

    def press(self, label: str) -> None:
        """Click a button."""
        self.send("GuiUpdateMessage", uuid=self.part(label), updates={"value": True})

    def hold(self, label: str, seconds: float) -> None:
        """Hold a button that does something for as long as it is held."""
        uuid, end = self.part(label), time.monotonic() + seconds
        while time.monotonic() < end:
            self.send("GuiButtonHoldMessage", uuid=uuid, frequency=20.0)
            time.sleep(0.05)

    def key(self, label: str) -> None:
        """Press the key of a command."""
        self.send("CommandTriggerMessage", uuid=self.part(label))

    def handle(self) -> tuple[float, float, float]:
        """Wait for the handle, and return where it is."""
        until(lambda: "position" in self.parts.get("/handle", {}))
        x, y, z = self.parts["/handle"]["position"]
        return x, y, z

    def grab(self) -> tuple[float, float, float]:
        """Take hold of the handle; return where it is."""
        place = self.handle()
        self.send("TransformControlsDragStartMessage", name="/handle", owner=self.parts["/handle"]["owner"])
        return place

    def drag(self, x: float, y: float, z: float, wxyz: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)) -> None:
        """Drag the handle that was grabbed to there."""
        owner = self.parts["/handle"]["owner"]
        self.send("TransformControlsUpdateMessage", name="/handle", owner=owner, position=(x, y, z), wxyz=wxyz)

    def drop(self) -> None:
        """Let go of the handle."""
        self.send("TransformControlsDragEndMessage", name="/handle", owner=self.parts["/handle"]["owner"])

    def picture(self, label: str) -> NDArray[np.uint8]:
        """The picture shown under `label`, (H, W, 3) RGB."""
        data = np.frombuffer(self.parts[self.part(label)]["_data"], np.uint8)
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)

    @property
    def text(self) -> str:
        """All HTML that it shows."""
        return " ".join(str(part.get("content", "")) for part in list(self.parts.values()) if part.get("visible", True))

    def close(self) -> None:
        """Close the page, as a browser's tab."""
        self._socket.close()
        self._reader.join(10.0)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _find(self, label: str) -> str | None:
        found = [uuid for uuid, part in list(self.parts.items()) if str(part.get("label", "")).startswith(label)]
        return found[-1] if found else None

    def _read(self) -> None:
        unpack = zstandard.ZstdDecompressor()
        try:
            for raw in self._socket:
                assert isinstance(raw, bytes)
                size, packed = (int.from_bytes(raw[at : at + 8], "little") for at in (0, 8))
                inner = unpack.decompress(raw[16 : 16 + packed], max_output_size=size)
                for message in msgspec.msgpack.decode(inner)["messages"]:
                    self._hear(message)
        except ConnectionClosed:
            return

    def _hear(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "LocalStorageGetItemRequestMessage":
            if self.awake:
                self.send(
                    "LocalStorageGetItemResponseMessage", value=None, error=None, request_uuid=message["request_uuid"]
                )
        elif kind == "NotificationShowMessage":
            self.news.append(f"{message['props']['title']} {message['props']['body']}".strip())
        elif kind in ("SetPositionMessage", "SetOrientationMessage", "SetSceneNodeVisibilityMessage"):
            fields = {key: value for key, value in message.items() if key in ("position", "wxyz", "visible")}
            self.parts.setdefault(message["name"], {}).update(fields)
        elif "props" in message:
            about = {key: message[key] for key in ("owner",) if key in message}
            name = message.get("uuid") or message.get("name")
            self.parts.setdefault(str(name), {}).update({**about, **message["props"]})
        elif "updates" in message:
            name = message.get("uuid") or message.get("name")
            self.parts.setdefault(str(name), {}).update(message["updates"])
