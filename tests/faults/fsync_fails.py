"""postroad-mta whose fdatasync fails with EIO from the moment that the file FSYNC_FAILS names exists."""

import errno
import os
import sys

from postroad.mta_command import main

_fdatasync = os.fdatasync


def fdatasync(fd: int) -> None:
    if os.path.exists(os.environ["FSYNC_FAILS"]):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    _fdatasync(fd)


os.fdatasync = fdatasync
sys.exit(main())
