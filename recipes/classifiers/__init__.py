"""Recipes: classifiers as plain, uncompiled Keras models, one family a file."""
