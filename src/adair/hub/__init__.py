"""Adapters by name: from a file, a folder, the zoo, an https address or a hub; `publish` uploads them."""

from adair.hub.locate import Located, locate, pull
from adair.hub.zoo import installed_zoo

__all__ = ["Located", "installed_zoo", "locate", "pull"]
