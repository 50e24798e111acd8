"""An account in the tests holds what the region's holds: one image, where moto would list thousands."""

import tempfile
from pathlib import Path

from postroad_region.api import seed

# While conftests are loaded: moto reads its images when it is first imported, which conftests below do.
_images = tempfile.TemporaryDirectory(prefix="postroad-images-")
seed.prepare(Path(_images.name))
