"""Pictures: what is in a folder, how it is decoded, split, augmented and fed."""
