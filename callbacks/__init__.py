"""Learning-rate decay schemes as Keras callbacks."""
