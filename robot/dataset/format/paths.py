"""The paths of a data set's files: every one is made here, and lies inside the set's folder.

A set may come from anyone. Its templates and its columns' names become paths, and a link in it may lead anywhere, so
nothing outside the set's folder may be read or written through them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from robot.errors import DatasetError
from robot.system.bounds import MAX_NAME_BYTES, MAX_TEMPLATE_LENGTH
from robot.system.text import printable

FOLDERS = ("meta", "data", "videos")
"""The folders of a set; whatever else lies beside them is not part of it."""
_NUMBERS = ("chunk_index", "file_index")
_KEY = "video_key"
_WIDTH = re.compile(r"(0?[1-9][0-9]?)?d?|0?d?")
_SHOWN = 80  # characters of a wrong template or name in a message


def require_template(what: str, template: object, suffix: str, of_videos: bool = False) -> None:
    """Raise DatasetError unless `template` names a file of its own, below the set's folder, for each file of the set.

    what: the key of `meta/info.json` that holds it. suffix: that of the files, such as ".mp4". of_videos: the template
    must also have a `video_key`.
    """
    if not isinstance(template, str):
        raise DatasetError(f"{what} in meta/info.json is not a text")
    wrong = _wrong_template(template, suffix, of_videos)
    if wrong:
        raise DatasetError(f"{what} in meta/info.json is {printable(repr(template), _SHOWN)}, which {wrong}")


def require_name(name: object) -> None:
    """Raise DatasetError unless the name of a column can be the name of a folder and be printed."""
    if not isinstance(name, str) or not _is_one_component(name):
        raise DatasetError(
            f"the column {printable(repr(name), _SHOWN)} has a name that no folder can have: it must be printable, not "
            f"empty, without '/', '\\' and '..', and of at most {MAX_NAME_BYTES} bytes"
        )


def require_file_name(relative: str) -> None:
    """Raise DatasetError unless `relative`, the name of a file in someone else's store, leads to a file below a set."""
    if not all(_is_one_component(each) for each in relative.split("/")):
        raise DatasetError(
            f"the file {printable(repr(relative), _SHOWN)} has a name that no file of a data set has: it must lead "
            "below the set's folder, and be printable, without '..' and '\\'"
        )


def inside(root: Path, relative: str | Path) -> Path:
    """Return the path `root` / `relative`. Raises DatasetError when it, or a link on the way to it, leads out of
    `root`."""
    path = root / relative
    base = os.path.realpath(root)
    place = os.path.realpath(path)
    if place != base and not place.startswith(os.path.join(base, "")):
        raise DatasetError(f"{printable(str(path))} leads out of the data set, to {printable(place)}: not followed")
    return path


def require_within(root: Path) -> None:
    """Raise DatasetError when a link in the set under `root` leads out of it, or an entry is no file or folder.

    Either could make a command read or write elsewhere, or wait forever.
    """
    base = os.path.join(os.path.realpath(root), "")
    for entry in _entries(root):
        if entry.is_symlink():
            place = os.path.realpath(entry.path)
            if not place.startswith(base):
                raise DatasetError(
                    f"{printable(entry.path)} is a link out of the data set, to {printable(place)}; worldarm does not "
                    "follow it: copy the set with its links resolved (`cp -rL`), and use the copy"
                )
            try:
                mode = os.stat(entry.path).st_mode
            except OSError:
                continue  # a link to nothing; what needs the file reports it
        else:
            mode = entry.stat(follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise DatasetError(f"{printable(entry.path)} is neither a file nor a folder: remove it from the data set")


def _entries(root: Path) -> Iterator[os.DirEntry[str]]:
    """Yield everything in the folders of the set; folders behind links are not entered."""
    try:
        with os.scandir(root) as found:
            waiting = [entry for entry in found if entry.name in FOLDERS]
    except OSError as error:
        raise DatasetError(f"{root} cannot be read: {error.strerror}") from error
    while waiting:
        entry = waiting.pop()
        yield entry
        if entry.is_dir(follow_symlinks=False):
            try:
                with os.scandir(entry.path) as found:
                    waiting += found
            except OSError as error:
                raise DatasetError(f"{printable(entry.path)} cannot be read: {error.strerror}") from error


def _wrong_template(template: str, suffix: str, of_videos: bool) -> str:
    """Return what is wrong with a template; empty when nothing is."""
    if len(template) > MAX_TEMPLATE_LENGTH or not template.isprintable() or "\\" in template:
        return f"must be at most {MAX_TEMPLATE_LENGTH} printable characters without '\\'"
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return f"is not a template: {error}"
    known = (*_NUMBERS, _KEY) if of_videos else _NUMBERS
    named = []
    for number, (literal, name, width, conversion) in enumerate(parts):
        if number and name is not None and not any(not each.isdigit() for each in literal):
            return "has two fields with nothing between them that tells them apart"
        if name is None:
            continue
        if name not in known:
            return f"has the field {printable(repr(name), _SHOWN)}; the known ones are {', '.join(known)}"
        if conversion or not (_WIDTH.fullmatch(width or "") if name in _NUMBERS else not width):
            return f"has a format for {name}; a number may have a width of at most two digits, such as 03d"
        named.append(name)
    if lacking := [name for name in known if name not in named]:
        return f"lacks {', '.join(lacking)}, so that several files would have one name"
    return _wrong_path(template.format(chunk_index=0, file_index=0, video_key="k"), suffix)


def _wrong_path(example: str, suffix: str) -> str:
    """Return what is wrong with the path of which `example` is made; empty when nothing is."""
    components = example.split("/")
    if any(not _is_one_component(each) or each.startswith(".") for each in components):
        return "must lead to a file below the set's folder, without '..' and hidden folders"
    if components[0] == FOLDERS[0]:
        return f"must not lead into {FOLDERS[0]}/, which describes the set"
    if not example.endswith(suffix):
        return f"must end in {suffix}"
    return ""


def _is_one_component(name: str) -> bool:
    return (
        bool(name)
        and name not in (".", "..")
        and "/" not in name
        and "\\" not in name
        and name.isprintable()
        and len(name.encode(errors="surrogatepass")) <= MAX_NAME_BYTES
    )
