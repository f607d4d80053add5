"""Hyperparameter search with keras-tuner: spaces, algorithms, an honest protocol."""
