"""By which strategy a run is trained: as named, by measurement, or by a race."""
