"""The picture networks of KerasHub as backbones."""

from recipes.backbones.hub.build import (
    build,
    described_by,
    from_object,
    is_network,
    rebuilt,
    require,
)

__all__ = ["build", "described_by", "from_object", "is_network", "rebuilt", "require"]
