"""The training loop and the trainings of this floor: world model, predictor, decoder."""
