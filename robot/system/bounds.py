"""Every bound of files in one place: how large something from elsewhere may be before it is read or decoded.

A data set, a picture, a calibration or a checkpoint may come from anyone. What its header says is compared with what is
declared elsewhere and with these bounds first, so that a few kilobytes never take gigabytes. The bounds of what comes
over sockets are in `robot/wire/limits.py`.
"""

from __future__ import annotations

MAX_JSON_BYTES = 16 * 1024 * 1024
"""The largest description that is read: a data set's info, a checkpoint's card, recorded pairs of pictures and joints.
A data set's info with the kinematics of its arm has some 100 KiB, and a long history of merges a few hundred."""
MAX_SMALL_JSON_BYTES = 1024 * 1024
"""The largest calibration or joint map; one has a few KiB."""
MAX_STATISTICS_BYTES = 64 * 1024 * 1024
"""The largest `meta/stats.json`: ten lists of numbers a column, some KiB each for a wide column."""

MAX_PICTURE_FILE_BYTES = 64 * 1024 * 1024
"""The largest picture file; a PNG of twelve million pixels has up to 36 MB."""
MAX_PICTURE_PIXELS = 50_000_000
"""The largest picture that is decoded: what the largest common cameras take, 150 MB in memory."""
MAX_PICTURE_SIDE = 16_384
"""Pixels; the longest side of a picture, and of a rig's pictures stacked on each other."""

MAX_RATE = 10_000
"""Frames a second of a data set; the fastest arms are read 1000 times a second."""
MIN_RATE = 0.001
"""The same: a picture each quarter of an hour."""
MAX_FEATURES = 4096
"""Columns of a data set."""
MAX_NAME_BYTES = 255
"""The longest name of a column, which is also the name of a folder, as file systems take it."""
MAX_TEMPLATE_LENGTH = 512
"""Characters of a template for the paths of a data set's files; the usual ones have 66."""
MAX_FILE_NUMBER = 10**9
"""The largest number of a file or of a folder of files in a data set."""
MAX_EPISODES = 10_000_000
"""Episodes of a data set."""
MAX_FRAMES = 2**40
"""Frames of a data set: as many as it can count without losing one in a float."""
MAX_EPISODE_FRAMES = 2**24
"""Frames of an episode: more than four hours at 1000 a second."""
MAX_FEATURE_NUMBERS = 2**20
"""Numbers of a column in one frame, such as a scan of distances or a map of heights."""
MAX_TASKS = 1_000_000
"""Tasks of a data set; the largest have some thousands."""
MAX_TASK_LENGTH = 65_536
"""Characters of a task's words."""
MAX_TABLE_BYTES = 8 * 1024**3
"""What the columns that are read from one parquet file may take in memory. Other programs put several episodes into
files of some 100 MB. A file of one episode with PNG pictures, of a camera of 640x480 at 30 Hz, reaches it after a
quarter of an hour."""
MAX_PARQUET_FOOTER_BYTES = 16 * 1024 * 1024
"""The largest footer of a parquet file; each column of each row group takes some 150 bytes of it."""
MAX_PARQUET_EXPANSION_BYTES = 256 * 1024 * 1024
"""How much memory a parquet file may take without regard to its own size; what is more must be in proportion to it."""
MAX_PARQUET_EXPANSION = 1000
"""How many times its own size a larger parquet file may take. Columns that hardly change shrink a hundredfold."""

MAX_CONVENTION_SIZE = 1024
"""Entries of an action; an arm's has up to ten, an environment's up to a hundred."""
MAX_BLOCK_S = 3600.0
"""Seconds of an action's block; an arm's has a fraction of a second."""
MAX_BLOCK_STEPS = 100_000
"""Steps of an environment that one action covers."""

MAX_WEIGHTS_BYTES = 8 * 1024**3
"""The largest file of a checkpoint's weights; those that come with worldarm have some 10 MB."""
MAX_WEIGHTS_HEADER_BYTES = 16 * 1024 * 1024
"""The largest header of a file of weights; an entry has about 100 bytes."""
MAX_LAYER_SIZE = 65_536
"""The largest width of a layer that a checkpoint's card may ask for; the widest that worldarm trains has 1024."""
MAX_LAYERS = 256
"""Residual blocks and views of a model; worldarm's have fewer than ten."""
MAX_LANDMARKS = 10_000_000
"""Remembered states of a model."""

MAX_SEGMENT_BYTES = 64 * 1024 * 1024
"""The largest of the files of a flight log; worldarm's own have 8 MiB."""

MAX_ARM_DESCRIPTION_BYTES = 4 * 1024 * 1024
"""The largest description of a robot (URDF); that of two arms with hands has some 100 KiB."""
MAX_ARM_DESCRIPTION_ELEMENTS = 20_000
"""Elements of a robot's description; that of two arms with hands has about 1000."""
MAX_ARM_DESCRIPTION_JOINTS = 256
"""Joints of a robot's description; a humanoid with two hands has about 70. What computes with them goes from joint to
joint by recursion."""
