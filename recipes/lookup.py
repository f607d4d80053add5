"""Names to objects, as the schemes look theirs up: with errors that name the nearest match."""

from recipes.callbacks import lookup

find, nearest, unknown = lookup.find, lookup.nearest, lookup.unknown
