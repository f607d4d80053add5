"""Transfer learning: strategies as data, what `auto` measures, cached features, the phases."""
