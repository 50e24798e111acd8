"""Settings on their way from the supervisor to a worker."""

import os
import pickle

from postroad.settings.mta import MtaSettings


def settings_file(settings: MtaSettings) -> int:
    """A file in memory that holds settings; its descriptor."""
    descriptor = os.memfd_create("postroad-settings")
    with open(descriptor, "wb", closefd=False) as file:
        pickle.dump(settings, file)
    return descriptor


def read_settings(descriptor: int) -> MtaSettings:
    """The settings in such a file, which only this host's supervisor can have made."""
    # By its name, for each worker reads it from the beginning.
    with open(f"/proc/self/fd/{descriptor}", "rb") as file:
        settings = pickle.load(file)  # noqa: S301 - this process inherited it from its supervisor
    if not isinstance(settings, MtaSettings):
        raise TypeError(f"expected settings of an MTA, found {type(settings).__name__}")
    return settings
