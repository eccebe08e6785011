"""Model weights: from a name in the settings to a directory that an engine can load.

`resolve` is all that most callers need. Nothing here loads a model or imports an engine.
"""

from shared.models.catalogue import ALIASES, repository
from shared.models.files import ModelFiles
from shared.models.packaged import default_cache_dir
from shared.models.resolver import resolve, voices

__all__ = ["ALIASES", "ModelFiles", "default_cache_dir", "repository", "resolve", "voices"]
