"""Data sets on disk in the LeRobotDataset v3.0 format: writing (one atomic episode at a time), reading and editing.

Teleoperation, play and training all use this format.
"""

from robot.dataset.format.encoding import EncodedEpisode, encode_episode
from robot.dataset.format.schema import DatasetInfo, Feature
from robot.dataset.reader import Dataset
from robot.dataset.writer import DatasetWriter

__all__ = ["Dataset", "DatasetInfo", "DatasetWriter", "EncodedEpisode", "Feature", "encode_episode"]
