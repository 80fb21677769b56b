"""The world model and its parts: encoders, predictor, decoder, keypoints, normaliser."""
