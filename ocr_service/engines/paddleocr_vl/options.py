"""A caller's options → what the official pipeline is called with."""

from dataclasses import asdict
from typing import Any

from ocr_service.core.errors import ModelNotLoaded, RequestError
from ocr_service.core.options import Options

# Ours: they are not for `predict`, or say the same in another place.
_NOT_FOR_PREDICT = {
    "lang",
    "visualize",
    "word_documents",
    "prettify_markdown",
    "show_formula_number",
    "restructure_pages",
    "merge_tables",
    "relevel_titles",
    "concatenate_pages",
}
# The pipeline's own limits.
_MIN_PIXELS, _MAX_PIXELS = 112_896, 1_003_520
_VLM_EXTRA_ARGS = {
    f"{kind}_{limit}_pixels"
    for kind in ("ocr", "table", "chart", "formula", "seal")
    for limit in ("min", "max")
}


def predict_options(options: Options) -> dict[str, Any]:
    """Return the keyword arguments of the pipeline's `predict`."""
    given = {
        name: _plain(value)
        for name, value in asdict(options).items()
        if value is not None and name not in _NOT_FOR_PREDICT
    }
    if options.restructure_pages:
        # Formatted once, at the end, from what restructuring made.
        given.pop("format_block_content", None)
    return {**given, "use_queues": False}


def check_options(options: Options, orientation_loaded: bool, unwarping_loaded: bool) -> None:
    """Raise ModelNotLoaded, naming the setting that loads the model, or RequestError."""
    loaded = {"use_doc_orientation_classify": orientation_loaded, "use_doc_unwarping": unwarping_loaded}
    for name, is_loaded in loaded.items():
        if getattr(options, name) and not is_loaded:
            raise ModelNotLoaded(f"{name} needs a model that OCR_{name.upper()}=true loads with the service.")
    least, most = options.min_pixels or _MIN_PIXELS, options.max_pixels or _MAX_PIXELS
    if least > most:
        raise RequestError(f"min_pixels is {least}, more than max_pixels, which is {most}.")
    unknown = set(options.vlm_extra_args or ()) - _VLM_EXTRA_ARGS
    if unknown:
        known = ", ".join(sorted(_VLM_EXTRA_ARGS))
        raise RequestError(f"vlm_extra_args: there is no {min(unknown)!r}; there are {known}.")


def _plain(value: Any) -> Any:
    """Make a list of a tuple at the top, where the pipeline joins lists."""
    return list(value) if isinstance(value, tuple) else value
