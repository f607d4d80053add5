"""What a recipe is made of, by name: activations, norms, initializers, penalties, scaling."""
