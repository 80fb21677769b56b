"""Pushes data sets to the Hugging Face Hub and pulls them, completely or not at all; needs the extra `hub`.

A push is one commit. After it the repository holds exactly this set, with the version's tag by which LeRobot finds it.
A pull is built in a temporary folder and renamed once everything is there and sound.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from robot.dataset.edit.check import check
from robot.dataset.format.disk_space import require_free
from robot.dataset.format.paths import inside, require_file_name
from robot.dataset.format.schema import CODEBASE_VERSION, INFO_PATH, STATS_PATH, TASKS_PATH, DatasetInfo
from robot.dataset.format.staged_files import locked
from robot.dataset.format.staged_folders import new_folder, require_new
from robot.dataset.format.tables import row_files
from robot.dataset.reader import Dataset
from robot.errors import ConfigurationError, ConnectionLost, DatasetError
from robot.system.files import sync

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SILENCE_S = 60.0  # the longest that the hub may take for the next bytes of an answer
MOST_FILES = 100_000
_KIND = "dataset"
_FOLDERS = ("meta/", "data/", "videos/")
_CARD = """---
tags:
- LeRobot
task_categories:
- robotics
configs:
- config_name: default
  data_files: data/*/*.parquet
---

{episodes} episodes, {frames} frames at {fps} a second, {robot}, in the LeRobotDataset {version} format.
"""


def push(root: Path, repo_id: str, *, public: bool = False) -> str:
    """Push the data set under `root` to the repository `repo_id` in one commit; return the commit's address.

    public: a new repository is public, and an existing one may be; without it a new one is private and an existing one
    must be.
    Raises DatasetError, with nothing sent, when the set is absent, in use or not sound; ConfigurationError when the
    extra is not installed, `repo_id` is not a valid name, or the repository is public without `public`; ConnectionLost
    when the hub does not accept the set.
    """
    api = _api()
    dataset = _sound(root, str(root))
    with locked(root, shared=True), _as_hub_error(f"{root} could not be pushed to {repo_id}"):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        api.create_repo(repo_id, repo_type=_KIND, private=not public, exist_ok=True)
        if not public and not api.repo_info(repo_id, repo_type=_KIND, timeout=SILENCE_S).private:
            raise ConfigurationError(f"everyone can see the repository {repo_id}: give --public if that is intended")
        there = api.list_repo_files(repo_id, repo_type=_KIND)
        paths = {path.relative_to(root).as_posix(): path for path in _files(dataset)}
        gone = [path for path in there if path.startswith(_FOLDERS) and path not in paths]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(name, str(path)) for name, path in paths.items()),
            *(CommitOperationDelete(path) for path in gone),
        ]
        if "README.md" not in there:
            operations.append(CommitOperationAdd("README.md", _card(dataset.info).encode()))
        message = f"{len(dataset)} episodes, {int(dataset.lengths.sum())} frames"
        done = api.create_commit(repo_id, operations, commit_message=message, repo_type=_KIND)
        if any(tag.name == CODEBASE_VERSION for tag in api.list_repo_refs(repo_id, repo_type=_KIND).tags):
            api.delete_tag(repo_id, tag=CODEBASE_VERSION, repo_type=_KIND)
        api.create_tag(repo_id, tag=CODEBASE_VERSION, revision=done.oid, repo_type=_KIND)
        return str(done.commit_url)


def pull(repo_id: str, output: Path, *, revision: str | None = None) -> Dataset:
    """Download the data set of a repository into the new folder `output`; return it, open for reading.

    revision: a branch, tag or commit; None: the repository's main branch.
    Raises DatasetError, with nothing left at `output`, when it exists, or when the repository holds no sound data set;
    RecordingError when it cannot be written or the disk is too small; ConfigurationError when the extra is not
    installed or there is no such repository; ConnectionLost when the hub does not give all of it.
    """
    api = _api()
    require_new(output)
    with new_folder(output) as folder:
        with _as_hub_error(f"{repo_id} could not be pulled"):
            commit = _with_room(api, repo_id, revision, output)
            api.snapshot_download(
                repo_id,
                repo_type=_KIND,
                revision=commit,
                local_dir=folder,
                allow_patterns=[f"{name}*" for name in _FOLDERS] + ["README.md"],
                etag_timeout=SILENCE_S,
            )
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub library's notes on the download
        try:
            _sound(folder, repo_id)
        except DatasetError as error:
            reason = str(error).replace(str(folder), repo_id)
            raise DatasetError(f"{repo_id} was not kept: {reason}") from error
        for path in folder.rglob("*"):
            if path.is_file():
                sync(path)
    return Dataset.open(output)


def _with_room(api: HfApi, repo_id: str, revision: str | None, output: Path) -> str:
    """Return the commit that `revision` names now. Raises DatasetError when it holds more than `MOST_FILES` files, or
    one that would lie outside the set, and RecordingError when the disk of `output` has too little space for them."""
    about = api.dataset_info(repo_id, revision=revision, timeout=SILENCE_S, files_metadata=True)
    files = [file for file in about.siblings or () if file.rfilename.startswith(_FOLDERS)]
    for file in files:
        require_file_name(file.rfilename)
    sizes = [file.size or 0 for file in files]
    if len(sizes) > MOST_FILES:
        raise DatasetError(f"{repo_id} holds {len(sizes)} files, and at most {MOST_FILES} are pulled")
    require_free(output, sum(sizes))
    if about.sha is None:
        raise ConnectionLost(f"{repo_id} could not be pulled: the hub does not say which commit it has")
    return about.sha


def _sound(root: Path, called: str) -> Dataset:
    """Return the set under `root`, which remarks name as `called`. Raises DatasetError when a check finds a problem."""
    report = check(root)
    if not report.sound:
        raise DatasetError(
            f"{root} is not sound ({report.problems[0]}; {len(report.problems)} in all): see `worldarm dataset check`"
        )
    for line in report.remarks:
        tqdm.write(f"{called}: {line}", file=sys.stderr)
    return Dataset.open(root)


def _files(dataset: Dataset) -> list[Path]:
    root = dataset.root
    own = (inside(root, name) for name in (INFO_PATH, STATS_PATH, TASKS_PATH))
    return [*dataset.files(), *row_files(root), *own]


def _card(info: DatasetInfo) -> str:
    return _CARD.format(
        episodes=info.total_episodes,
        frames=info.total_frames,
        fps=info.fps,
        robot=f"robot {info.robot_type}" if info.robot_type else "robot not named",
        version=CODEBASE_VERSION,
    )


def _api() -> HfApi:
    try:
        import huggingface_hub
    except ImportError:
        raise ConfigurationError("the hub needs an extra: pip install 'worldarm[hub]'") from None
    huggingface_hub.get_session().timeout = SILENCE_S  # without it the library would wait forever
    return huggingface_hub.HfApi(library_name="worldarm")


@contextmanager
def _as_hub_error(what: str) -> Iterator[None]:
    """A context that turns errors of the hub's library into errors that say what to do."""
    import httpx
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise ConfigurationError(f"{what}: {error}") from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.LocalTokenNotFoundError) as error:
        raise ConfigurationError(
            f"{what}: there is no such repository or revision, or you may not see it (`hf auth login`)"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "none"
        hint = "; log in with `hf auth login`" if status in (401, 403) else ""
        raise ConnectionLost(f"{what}: the hub answers {status}{hint}: {error}") from error
    except (httpx.HTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, ConnectionError) as error:
        raise ConnectionLost(f"{what}: the hub cannot be reached or closed the connection: {error}") from error
    except errors.FileMetadataError as error:
        raise ConnectionLost(f"{what}: the hub's answer cannot be read: {error}") from error
