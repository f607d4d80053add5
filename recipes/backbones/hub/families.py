"""Every family of KerasHub's networks of pictures, by its name and by its class."""

from recipes.backbones.hub.convolutional import CONVOLUTIONAL
from recipes.backbones.hub.transformers import TRANSFORMERS

FAMILIES = {family.name: family for family in (*CONVOLUTIONAL, *TRANSFORMERS)}
CLASSES = {family.class_name: family for family in FAMILIES.values()}
TOWERS = {family.tower: family for family in FAMILIES.values() if family.tower}
