"""What a recording and a calibration promise, measured."""
