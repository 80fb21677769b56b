"""Data sets to and from the Hugging Face Hub, whole or not at all; of the extra `hub`.

A push is one commit, after which the repository holds just this set, with the version's tag by which LeRobot finds it.
A pull is built beside its place and takes it only when everything is there and sound.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from robot.dataset.edit.check import check
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
    """Make the repository `repo_id` hold the data set under `root`, in one commit; returns the commit's address.

    public: the repository may be seen by everyone; it is made so, or has to be private.
    Raises DatasetError, with nothing sent, when the set is absent, in use or not sound; ConfigurationError when the
    extra is not installed, the name is none, or the repository is public unasked; ConnectionLost when the hub does not
    take it.
    """
    api = _api()
    dataset = _sound(root)
    with locked(root, shared=True), _told(f"{root} could not be pushed to {repo_id}"):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        api.create_repo(repo_id, repo_type=_KIND, private=not public, exist_ok=True)
        if not public and not api.repo_info(repo_id, repo_type=_KIND, timeout=SILENCE_S).private:
            raise ConfigurationError(f"everyone can see the repository {repo_id}: give --public if that is meant")
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
    """Bring the data set of a repository into the new folder `output`; returns it, open.

    revision: a branch, tag or commit; the repository's main branch without it.
    Raises DatasetError, with nothing left at `output`, when that exists, or the repository holds no sound data set;
    RecordingError when it cannot be written; ConfigurationError when the extra is not installed or there is no such
    repository; ConnectionLost when the hub does not give all of it.
    """
    api = _api()
    require_new(output)
    with new_folder(output) as folder:
        with _told(f"{repo_id} could not be pulled"):
            api.snapshot_download(
                repo_id,
                repo_type=_KIND,
                revision=revision,
                local_dir=folder,
                allow_patterns=[f"{name}*" for name in _FOLDERS] + ["README.md"],
                etag_timeout=SILENCE_S,
            )
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's own notes on the download
        try:
            _sound(folder)
        except DatasetError as error:
            told = str(error).replace(str(folder), repo_id)
            raise DatasetError(f"{repo_id} was not kept: {told}") from error
        for path in folder.rglob("*"):
            if path.is_file():
                sync(path)
    return Dataset.open(output)


def _sound(root: Path) -> Dataset:
    """The set, when a check finds nothing wrong with it. Raises DatasetError."""
    report = check(root)
    if not report.sound:
        raise DatasetError(
            f"{root} is not sound ({report.problems[0]}; {len(report.problems)} in all): see `worldarm dataset check`"
        )
    return Dataset.open(root)


def _files(dataset: Dataset) -> list[Path]:
    root = dataset.root
    return [*dataset.files(), *row_files(root), *(root / name for name in (INFO_PATH, STATS_PATH, TASKS_PATH))]


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
    huggingface_hub.get_session().timeout = SILENCE_S  # it would wait forever
    return huggingface_hub.HfApi(library_name="worldarm")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """A context in which what the hub's library raises becomes an error that says what to do."""
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
        raise ConnectionLost(f"{what}: the hub cannot be reached or broke off: {error}") from error
    except errors.FileMetadataError as error:
        raise ConnectionLost(f"{what}: the hub's answer makes no sense: {error}") from error
