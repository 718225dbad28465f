"""The base of the models of answers."""

from pydantic import BaseModel, ConfigDict

EXAMPLE_ID = "3f2b7c1d9e8a4f5b8c6d7e8f9a0b1c2d"


class Answer(BaseModel):
    """Base class of the models of answers."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)
