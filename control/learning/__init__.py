"""A whole training, from the data set to a checkpoint that the doctor has judged."""
