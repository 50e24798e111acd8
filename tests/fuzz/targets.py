"""The targets, and the inputs kept of each."""

from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
TARGETS = sorted(folder.name for folder in CORPUS.iterdir())
DICTIONARIES = {"smtp_server": "smtp.dict", "smtp_client": "smtp.dict"}


def inputs(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())
