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
    public: Annotated[bool, tyro.conf.arg(help="let everyone see it; private without")] = False,
) -> None:
    """Put a data set on the Hugging Face Hub, in one commit; afterwards the repository holds just this set.

    It is checked first, and its repository made where there is none. Log in before with `hf auth login`.
    """
    address = hub.push(directory, repo_id, public=public)
    print(f"{directory} is at {address}")


def pull(
    repo_id: Repository,
    directory: New,
    revision: Annotated[str | None, tyro.conf.arg(help="branch, tag or commit; main without")] = None,
) -> None:
    """Bring a data set from the Hugging Face Hub into a new folder, which appears once it is whole and checked."""
    dataset = hub.pull(repo_id, directory, revision=revision)
    print(f"{directory}: {len(dataset)} episodes, {int(dataset.lengths.sum())} frames, from {repo_id}")
