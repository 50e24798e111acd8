"""Runs one target under atheris: `python tests/fuzz/harness.py TARGET [libFuzzer's options] [folders of inputs]`.

A target is a module of this folder with `check(data)`, which raises AssertionError where something that must always
hold doesn't. What makes it fail is written to a file; once it is mended, the file goes into `corpus/TARGET`, where
`test_corpus.py` looks at it on every run.
"""

import importlib
import sys
from pathlib import Path

import atheris

# A message of 64 KiB shows no more than a small one does, and takes longer.
DEFAULTS = ("-max_len=4096", "-timeout=20", "-rss_limit_mb=1024")


def main() -> None:
    name, *options = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parent))
    with atheris.instrument_imports(include=["postroad"]):
        target = importlib.import_module(name)
    atheris.Setup([name, *DEFAULTS, *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
