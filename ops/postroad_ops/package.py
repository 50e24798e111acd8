"""The release artifact: one signed archive that holds all a host needs to make the release's environment.

    <id>/MANIFEST                sha256 of every other file, in `sha256sum --check` form
    <id>/requirements.txt        every wheel pinned by the hash of the very file shipped
    <id>/wheelhouse/*.whl        the locked dependencies and `postroad` itself
    <id>/sbom.cdx.json           CycloneDX

The id is `<version>-<first 12 digits of the sha256 of MANIFEST>`: it names the content, so the same tree gives the
same id on every machine, and a host that holds the id can check all of it.
"""

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from packaging.utils import parse_wheel_filename

from postroad_ops import package_archive, package_sbom, package_signature, package_wheelhouse, places
from postroad_ops.package_error import PackageError


@dataclass(frozen=True, slots=True)
class ReleaseArtifact:
    """A built release: its id, the archive, and the detached signature beside it."""

    id: str
    version: str
    archive: Path
    signature: Path
    size: int
    """Octets of the archive."""


def package(
    out_dir: Path = places.ROOT / "dist",
    *,
    source: Path = places.ROOT / "mta",
    lock: Path = places.ROOT / "requirements" / "mta.txt",
    cache: Path | None = None,
    key: Path | None = None,
) -> ReleaseArtifact:
    """Build, archive and sign the release of the tree at `source`; the same tree gives the same id and octets.

    Args:
        out_dir: Receives `postroad-<id>.tar.gz` and `postroad-<id>.tar.gz.sig`.
        source: The distribution to release.
        lock: Its dependencies, pinned with hashes.
        cache: Keeps the downloaded wheels; `POSTROAD_CACHE` when not given.
        key: The private key that signs; see `package_signature.signing_key`.

    Raises:
        PackageError: The wheel doesn't build, a dependency can't be had, or the key is missing.
    """
    wheels = package_wheelhouse.collect(lock, folder=(cache or places.cache()) / "wheels")
    with tempfile.TemporaryDirectory(prefix="postroad-package-") as scratch:
        tree = Path(scratch) / "tree"
        wheelhouse = tree / "wheelhouse"
        wheelhouse.mkdir(parents=True)
        own = package_wheelhouse.build(source, wheelhouse)
        for wheel in wheels:
            shutil.copyfile(wheel, wheelhouse / wheel.name)
        requirements = tree / "requirements.txt"
        requirements.write_text(package_wheelhouse.pinned([own, *wheels]))
        package_sbom.write(requirements, project=source / "pyproject.toml", target=tree / "sbom.cdx.json")
        manifest = package_archive.write_manifest(tree)
        version = str(parse_wheel_filename(own.name)[1])
        release = f"{version}-{manifest[:12]}"
        out_dir.mkdir(parents=True, exist_ok=True)
        archive = out_dir / f"postroad-{release}.tar.gz"
        package_archive.write_archive(tree, archive, prefix=release)
    signature = package_signature.sign(archive, key=package_signature.signing_key(key))
    return ReleaseArtifact(release, version, archive, signature, archive.stat().st_size)


app = typer.Typer(help="Build the release artifact.", add_completion=False)


@app.callback(invoke_without_command=True)
def package_command(
    out: Annotated[Path, typer.Option(help="Folder that receives the archive and its signature.")] = (
        places.ROOT / "dist"
    ),
    key: Annotated[Path | None, typer.Option(help="Private key that signs (else POSTROAD_RELEASE_KEY).")] = None,
    bucket: Annotated[str | None, typer.Option("--upload", metavar="BUCKET", help="Upload to this bucket.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Build, sign and, with --upload, publish the release of this tree."""
    uploaded: list[str] = []
    try:
        artifact = package(out, key=key)
        if bucket:
            # Here, because boto3 takes half a second to load and most builds don't upload.
            from postroad_ops.package_upload import upload

            uploaded = upload(artifact.archive, artifact.signature, release=artifact.id, bucket=bucket)
    except PackageError as error:
        typer.echo(f"package: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(asdict(artifact) | {"uploaded": uploaded}, default=str))
        return
    typer.echo(f"{artifact.id}  {artifact.archive}  {artifact.size / 1e6:.1f} MB")
    for name in uploaded:
        typer.echo(f"uploaded s3://{bucket}/{name}")
