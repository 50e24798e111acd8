"""A release is its content: the same tree gives the same id, and a host can check all of it."""

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from postroad_ops import package_signature
from postroad_ops.package import ReleaseArtifact, package
from postroad_ops.package_error import PackageError
from postroad_ops.package_wheelhouse import ARCHITECTURES, pinned, pins

FIXTURE = Path(__file__).parent / "fixture"


def build(folder: Path, *, change: str = "") -> ReleaseArtifact:
    """A release of the stand-in, which has no dependencies, so that nothing is fetched."""
    source = folder / "source"
    shutil.copytree(FIXTURE, source)
    with (source / "postroad" / "behaviour.py").open("a") as file:
        file.write(change)
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    lock = folder / "lock.txt"
    lock.write_text("")
    return package(folder / "dist", source=source, lock=lock, cache=folder / "cache", key=key)


@pytest.fixture
def built(tmp_path: Path) -> ReleaseArtifact:
    return build(tmp_path)


def unpacked(artifact: ReleaseArtifact, folder: Path) -> Path:
    with tarfile.open(artifact.archive) as tar:
        tar.extractall(folder)  # our own archive; Debian's Python 3.11.2 knows no filters yet
    return folder / artifact.id


def test_the_same_tree_gives_the_same_octets(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    assert first.id == second.id
    assert first.archive.read_bytes() == second.archive.read_bytes()


def test_another_tree_gives_another_id(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert build(tmp_path / "a").id != build(tmp_path / "b", change="CHANGED = True\n").id


def test_the_id_names_the_manifest_and_the_manifest_every_file(built: ReleaseArtifact, tmp_path: Path) -> None:
    tree = unpacked(built, tmp_path)
    manifest = (tree / "MANIFEST").read_bytes()
    assert built.id == f"{built.version}-{hashlib.sha256(manifest).hexdigest()[:12]}"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST"], cwd=tree, check=True)
    named = {line.split("  ")[1] for line in manifest.decode().splitlines()}
    assert named | {"MANIFEST"} == {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


def test_hosts_admit_only_what_a_known_key_signed_for_this_purpose(built: ReleaseArtifact, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    public = (tmp_path / "key.pub").read_text()
    verify = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        str(signers),
        "-I",
        "postroad-release",
        "-s",
        str(built.signature),
        "-n",
    ]
    signers.write_text(f'postroad-release namespaces="postroad-release" {public}')

    def admits(namespace: str, content: bytes) -> bool:
        return subprocess.run([*verify, namespace], input=content, capture_output=True, check=False).returncode == 0

    archive = built.archive.read_bytes()
    assert admits(package_signature.NAMESPACE, archive)
    assert not admits("git", archive)
    assert not admits(package_signature.NAMESPACE, archive + b"x")


def test_the_bill_of_materials_is_valid(built: ReleaseArtifact, tmp_path: Path) -> None:
    bill = (unpacked(built, tmp_path) / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_a_lock_without_hashes_is_refused() -> None:
    with pytest.raises(PackageError, match="uvloop isn't pinned"):
        list(pins("uvloop==0.23.0\n", "x86_64"))


def test_what_is_for_other_systems_stays_out() -> None:
    lock = "colorama==0.4 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\nuvloop==0.23.0 \\\n    --hash=sha256:bb\n"
    for architecture in ARCHITECTURES:
        assert [pin.name for pin in pins(lock, architecture)] == ["uvloop"]


def test_one_list_of_requirements_fits_hosts_of_every_architecture(tmp_path: Path) -> None:
    names = (
        "both-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "both-1.0-cp311-cp311-manylinux_2_17_aarch64.whl",
        "intel-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "pure-1.0-py3-none-any.whl",
    )
    wheels = [tmp_path / name for name in names]
    for wheel in wheels:
        wheel.write_text(wheel.name)

    both, intel, pure = pinned(wheels).splitlines()

    assert (both.split()[0], both.count("--hash=sha256:")) == ("both==1.0", 2)
    assert intel.startswith('intel==1.0 ; platform_machine == "x86_64" --hash=')
    assert (pure.split()[0], pure.count("--hash=sha256:")) == ("pure==1.0", 1)


def test_a_named_key_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no signing key at"):
        package_signature.signing_key(tmp_path / "none")
