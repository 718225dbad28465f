"""The schema of `/layout-parsing`, compared with PaddleX's own models."""

import pytest

from server import create_app
from tests.fakes.scripted_engine import ScriptedEngine
from tests.settings import settings_of

# PaddleX has no such fields.
OURS = {"textLayer", "password"}


@pytest.mark.usefixtures("models")
def test_schema_has_the_field_names_of_paddlex() -> None:
    """The schema has every field that PaddleX has, and no other."""
    from paddlex.inference.serving.schemas import paddleocr_vl as theirs

    document = create_app(settings_of(), ScriptedEngine()).openapi()
    for path, model in [
        ("/layout-parsing", theirs.InferRequest),
        ("/restructure-pages", theirs.RestructurePagesRequest),
    ]:
        sent = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(sent["properties"]) - OURS == set(model.model_fields)
        assert set(sent["required"]) == {n for n, field in model.model_fields.items() if field.is_required()}
    schemas = document["components"]["schemas"]
    for name, model in [
        ("LayoutParsingResult", theirs.LayoutParsingResult),
        ("MarkdownData", theirs.MarkdownData),
        ("InferResult", theirs.InferResult),
    ]:
        assert set(schemas[name]["properties"]) == set(model.model_fields)
