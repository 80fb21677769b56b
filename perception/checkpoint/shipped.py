"""Where the checkpoints that come with worldarm lie."""

from __future__ import annotations

from pathlib import Path

PRETRAINED_FOLDER = Path(__file__).parents[1] / "pretrained"
"""Holds them, each of which can be asked for by its folder's name alone."""
