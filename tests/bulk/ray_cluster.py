"""A Ray cluster of three nodes on this machine reads documents, and one of the nodes is killed in the middle.

usage: python -m tests.bulk.ray_cluster, in an environment with the extra `ray`; `make test-ray` does it.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ray
from PIL import Image, ImageDraw, ImageFont
from ray.cluster_utils import Cluster

from ocr_service.bulk.options import parser
from ocr_service.bulk.ray_run import read_on_ray

DOCUMENTS = 40
KILL_AFTER = 8
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}
OPTIONS = ["--ray", "--local", "--workers", "2", "--worker-cpus", "2", "--in-flight", "4", "--format", "text"]


def main() -> None:
    """Read the documents, kill a node, and compare; then run again."""
    # The nodes take it from here.
    os.environ["OCR_ENGINE"] = "tesseract"
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 1})
    nodes = [cluster.add_node(**NODE) for _ in range(2)]
    os.environ["RAY_ADDRESS"] = cluster.address
    with tempfile.TemporaryDirectory() as folder:
        source, results = Path(folder, "in"), Path(folder, "out")
        expected = {f"{name}.txt": text for name, text in written(source)}
        options = parser({}).parse_args([str(source), str(results), *OPTIONS])
        names = []
        for outcome in read_on_ray(options):
            names.append(outcome.document.name)
            if len(names) == KILL_AFTER:
                # Any node of a machine can serve the driver, and that one must live.
                own = ray.get_runtime_context().get_node_id()
                lost = next(node for node in nodes if node.node_id != own)
                cluster.remove_node(lost, allow_graceful=False)
        assert sorted(names) == sorted(path.name for path in source.iterdir()), "each once"
        found = {path.name: path.read_text().strip() for path in results.glob("*.txt")}
        assert found == expected, "every document"
        print(f"{len(found)} documents are there, each once, although a node was killed after {KILL_AFTER}")
        assert all(outcome.is_skipped for outcome in read_on_ray(options))
        print("another run skips all of them")
    # The driver first: a node that serves it cannot be removed.
    ray.shutdown()
    cluster.shutdown()


def written(folder: Path) -> Iterator[tuple[str, str]]:
    """Write the documents; yield the name and the text of each."""
    folder.mkdir()
    for number in range(DOCUMENTS):
        text = f"Document number {number + 100}"
        image = Image.new("L", (900, 300), 255)
        ImageDraw.Draw(image).text((40, 80), text, 0, ImageFont.load_default(48))
        image.save(folder / f"{number}.png")
        yield f"{number}.png", text


if __name__ == "__main__":
    main()
