"""From data sets to what a training draws: decoded frames, blocks, clips, augmentation."""
