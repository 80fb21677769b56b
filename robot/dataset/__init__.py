"""Data sets on disk: LeRobotDataset v3.0, written one atomic episode at a time, read, checked and mended.

One format for everything: what teleoperation records, what play generates and what training reads.
"""

from robot.dataset.format.encoding import EncodedEpisode, encode_episode
from robot.dataset.format.schema import DatasetInfo, Feature
from robot.dataset.reader import Dataset
from robot.dataset.writer import DatasetWriter

__all__ = ["Dataset", "DatasetInfo", "DatasetWriter", "EncodedEpisode", "Feature", "encode_episode"]
