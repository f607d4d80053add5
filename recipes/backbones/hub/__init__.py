"""The picture networks of KerasHub as backbones."""

from recipes.backbones.hub.building import (
    build,
    described_by,
    from_object,
    is_network,
    rebuilt,
    require,
)

__all__ = ["build", "described_by", "from_object", "is_network", "rebuilt", "require"]
