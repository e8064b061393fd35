"""The JSON Schema of `ao.toml`, published in the package as `ao.schema.json` for editors.

`make generate` writes it anew; a test fails when it is stale.
"""

import json
from pathlib import Path

from ao.domain.agent_config import AgentConfig

FILE = Path(__file__).with_name("ao.schema.json")


def generate() -> str:
    schema = AgentConfig.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "ao.toml"
    retries = schema["properties"]["retries"]
    retries["anyOf"] = [{"type": "integer", "minimum": 0}, {"$ref": retries.pop("$ref")}]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(generate(), "utf-8")
