"""The flight log: a driver's requests, set-points and measurements of the last minutes on disk, and their replay."""
