"""Plain data as YAML text that our own reader (YAML 1.2) takes for the same."""

from __future__ import annotations

import re
from typing import Final

import yaml

from automl.contracts import Json

_LOOKS_LIKE_NUMBER: Final = re.compile(r"[-+.\d][\d.eE+-]*")


def yaml_text(data: Json) -> str:
    """`data` in the order of its keys: no aliases, numbers in texts quoted."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "'" if _LOOKS_LIKE_NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
