"""A stranger's package as an installer leaves it: metadata in a folder on the path, naming what it offers."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, package: str, group: str, offers: dict[str, str], extras: tuple[str, ...] = ()) -> None:
    """Write the metadata of `package` into `folder`; `offers` maps names to "module:function" in `group`."""
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {package}", "Version: 1.0", *(f"Provides-Extra: {e}" for e in extras)]
    (metadata / "METADATA").write_text("\n".join(lines) + "\n")
    entries = [f"{name} = {value}" for name, value in offers.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *entries]) + "\n")
