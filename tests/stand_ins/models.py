"""Stand-ins for the three models around the VLM: small ONNX files that paddlex loads as the official ones.

`make_model_cache` writes them in the layout of the paddlex download cache, so the pipeline finds them like
the official models. `PADDLE_PDX_CACHE_HOME` names the folder.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.stand_ins.pages import (
    BOXES_A_ROW,
    CELL,
    CELLS_A_BOX,
    CORNER_MARK,
    LABELS,
    MODEL_SIDE,
    ROWS,
    UNITS,
)

_ORIENTATION_SIDE = 224
_MASK_SIDE = 200
_BOXES = ROWS * BOXES_A_ROW
_FLOAT = TensorProto.FLOAT


def make_model_cache(home: Path, masks: bool = False) -> dict[str, str]:
    """Write the models below `home`; return the environment in which paddlex finds them without a network.

    masks: if true, the layout model returns a mask for each box, as PP-DocLayoutV3 does for its polygons.
    """
    models = home / "official_models"
    _save(models / "PP-DocLayoutV3_onnx", _layout(masks), _LAYOUT_CONFIG)
    # The older model returns no masks.
    _save(models / "PP-DocLayoutV2_onnx", _layout(masks=False), _named("PP-DocLayoutV2", _LAYOUT_CONFIG))
    _save(models / "PP-LCNet_x1_0_doc_ori_onnx", _orientation(), _ORIENTATION_CONFIG)
    _save(models / "UVDoc_onnx", _unwarping(), {"Global": {"model_name": "UVDoc"}})
    return {
        "PADDLE_PDX_CACHE_HOME": str(home),
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
    }


_LAYOUT_CONFIG: dict[str, Any] = {
    "Global": {"model_name": "PP-DocLayoutV3"},
    "Preprocess": [
        {"type": "Resize", "interp": 2, "keep_ratio": False, "target_size": [MODEL_SIDE, MODEL_SIDE]},
        {"type": "NormalizeImage", "mean": [0, 0, 0], "std": [1, 1, 1], "norm_type": "none"},
        {"type": "Permute"},
    ],
    "label_list": list(LABELS),
}
_ORIENTATION_CONFIG: dict[str, Any] = {
    "Global": {"model_name": "PP-LCNet_x1_0_doc_ori"},
    "PreProcess": {
        "transform_ops": [
            {"ResizeImage": {"size": [_ORIENTATION_SIDE, _ORIENTATION_SIDE]}},
            {"NormalizeImage": {"mean": [0, 0, 0], "std": [1, 1, 1]}},
            {"ToCHWImage": None},
        ]
    },
    "PostProcess": {"Topk": {"topk": 1, "label_list": ["0", "90", "180", "270"]}},
}


def _named(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "Global": {"model_name": name}}


def _save(folder: Path, model: onnx.ModelProto, config: dict[str, Any]) -> None:
    onnx.checker.check_model(model, full_check=True)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "inference.onnx")
    # JSON is valid YAML.
    (folder / "inference.yml").write_text(json.dumps(config))


# An output: its name in the graph, its type and its shape.
_Outputs = dict[str, tuple[str, int, list[Any]]]


class _Graph:
    """Builds a graph; each method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, kind: Any = np.float32) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def pick(self, tensor: str, axis: int, indices: Any) -> str:
        return self.node("Gather", tensor, self.constant(indices, np.int64), axis=axis)

    def model(self, inputs: dict[str, list[Any]], outputs: _Outputs) -> onnx.ModelProto:
        for name, (source, _, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [source], [name]))
        graph = helper.make_graph(
            self.nodes,
            "stand_in",
            [helper.make_tensor_value_info(name, _FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, kind, shape) for name, (_, kind, shape) in outputs.items()],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _layout(masks: bool) -> onnx.ModelProto:
    """Read the cells that `pages` prints: boxes (class, score, x0, y0, x1, y1, order), and how many per page.

    Like the real model it always returns the same number of boxes; if a box is unused, its score is zero.
    """
    graph = _Graph()
    second = graph.constant([1], np.int64)
    middles = [CELL * n + CELL // 2 for n in range(max(ROWS, BOXES_A_ROW * CELLS_A_BOX))]
    red = graph.pick("image", 1, 0)
    rows = graph.pick(red, 1, middles[:ROWS])
    cells = graph.pick(rows, 2, middles[: BOXES_A_ROW * CELLS_A_BOX])
    values = graph.node("Round", graph.node("Mul", cells, graph.constant(255 / 4)))
    values = graph.node("Reshape", values, graph.constant([0, _BOXES, CELLS_A_BOX], np.int64))
    present = graph.node("Less", graph.pick(values, 2, [0]), graph.constant(len(LABELS)))
    values = graph.node("Where", present, values, graph.constant(0))  # [N, boxes, 6], in units

    # Size of a unit in page pixels, y before x: model side / scale factor / units per page. [N, 2]
    unit = graph.node("Div", graph.constant(MODEL_SIDE / UNITS), "scale_factor")
    unit = graph.node("Unsqueeze", graph.pick(unit, 1, [1, 0, 1, 0]), second)
    edges = graph.node("Mul", graph.pick(values, 2, [2, 3, 4, 5]), unit)
    kinds = graph.node("Mul", graph.pick(values, 2, [0, 1]), graph.constant([1, 1 / 64]))
    nothing = graph.node("Mul", graph.pick(values, 2, [0]), graph.constant(0))
    order = graph.node("Add", nothing, graph.constant(np.arange(_BOXES)[None, :, None]))
    boxes = graph.node("Concat", kinds, edges, order, axis=2)  # [N, boxes, 7]

    counted = graph.node("ReduceSum", nothing, graph.constant([1, 2], np.int64), keepdims=0)  # [N]
    counts = graph.node("Cast", graph.node("Add", counted, graph.constant(_BOXES)), to=TensorProto.INT32)
    outputs: _Outputs = {
        "boxes": (_flat(graph, boxes, 7), _FLOAT, ["M", 7]),
        "num": (counts, TensorProto.INT32, ["N"]),
    }
    if masks:
        cut = _cut_corners(graph, _flat(graph, values, CELLS_A_BOX))
        outputs["masks"] = (cut, TensorProto.INT32, ["M", _MASK_SIDE, _MASK_SIDE])
    inputs: dict[str, list[Any]] = {
        "im_shape": ["N", 2],
        "image": ["N", 3, MODEL_SIDE, MODEL_SIDE],
        "scale_factor": ["N", 2],
    }
    return graph.model(inputs, outputs)


def _flat(graph: _Graph, boxes: str, columns: int) -> str:
    return graph.node("Reshape", boxes, graph.constant([-1, columns], np.int64))


def _cut_corners(graph: _Graph, boxes: str) -> str:
    """Make a mask for each box, the size of the page: the box without its upper left corner."""
    axes = graph.constant([1, 2], np.int64)
    left, top, right, bottom = (
        graph.node("Unsqueeze", graph.pick(boxes, 1, column), axes) for column in (2, 3, 4, 5)
    )
    steps = (np.arange(_MASK_SIDE) + 0.5) * UNITS / _MASK_SIDE
    x, y = graph.constant(steps[None, None, :]), graph.constant(steps[None, :, None])
    inside = graph.node(
        "And",
        graph.node("And", graph.node("Greater", x, left), graph.node("Less", x, right)),
        graph.node("And", graph.node("Greater", y, top), graph.node("Less", y, bottom)),
    )
    from_corner = graph.node("Add", graph.node("Sub", x, left), graph.node("Sub", y, top))
    beyond = graph.node("Greater", from_corner, graph.constant(2.0))
    return graph.node("Cast", graph.node("And", inside, beyond), to=TensorProto.INT32)


def _orientation() -> onnx.ModelProto:
    """Find the corner that `pages` marks: the darkest of its four possible places."""
    left, top, right, bottom = CORNER_MARK
    x, y = ((a + b) / 2 / UNITS for a, b in ((left, right), (top, bottom)))
    # Place of the mark on a page that must be rotated by 0, 90, 180, 270 degrees to be upright.
    places = ((x, y), (1 - y, x), (1 - x, 1 - y), (y, 1 - x))
    graph = _Graph()
    red = graph.pick("x", 1, 0)
    lights = []
    for across, down in places:
        row = graph.pick(red, 1, int(down * _ORIENTATION_SIDE))
        light = graph.pick(row, 1, int(across * _ORIENTATION_SIDE))
        lights.append(graph.node("Unsqueeze", light, graph.constant([1], np.int64)))
    scores = graph.node("Neg", graph.node("Concat", *lights, axis=1))
    return graph.model(
        {"x": ["N", 3, _ORIENTATION_SIDE, _ORIENTATION_SIDE]}, {"scores": (scores, _FLOAT, ["N", 4])}
    )


def _unwarping() -> onnx.ModelProto:
    """Reduce the green channel, as a sign that the model ran; the layout cells are read from red."""
    graph = _Graph()
    darker = graph.node("Mul", "image", graph.constant([[[1.0]], [[0.9]], [[1.0]]]))
    shape = ["N", 3, "height", "width"]
    return graph.model({"image": shape}, {"output": (darker, _FLOAT, shape)})
