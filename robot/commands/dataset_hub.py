"""`worldarm dataset push|pull`: data sets to and from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from robot.dataset.edit import hub

Directory = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR", help="the data set's folder")]
New = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR", help="the new folder; it may not exist yet")]
Repository = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="REPO_ID", help="such as USER/NAME")]


def push(
    directory: Directory,
    repo_id: Repository,
    public: Annotated[bool, tyro.conf.arg(help="make the repository public; else private")] = False,
) -> None:
    """Push a data set to the Hugging Face Hub, in one commit; afterwards the repository holds exactly this set.

    The set is checked first, and its repository created when absent. Log in before with `hf auth login`.
    """
    address = hub.push(directory, repo_id, public=public)
    print(f"{directory} is at {address}")


def pull(
    repo_id: Repository,
    directory: New,
    revision: Annotated[str | None, tyro.conf.arg(help="branch, tag or commit; None: main")] = None,
) -> None:
    """Download a data set from the Hugging Face Hub into a new folder, which appears once complete and checked."""
    dataset = hub.pull(repo_id, directory, revision=revision)
    print(f"{directory}: {len(dataset)} episodes, {int(dataset.lengths.sum())} frames, from {repo_id}")
