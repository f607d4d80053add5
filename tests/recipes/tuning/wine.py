"""A small table that every search of these tests is about."""

from sklearn.datasets import load_wine

X, Y = load_wine(return_X_y=True)
X = ((X - X.mean(0)) / X.std(0)).astype("float32")
