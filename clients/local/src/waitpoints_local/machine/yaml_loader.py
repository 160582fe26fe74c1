"""YAML as SAM reads it: with the short forms of intrinsic functions, and with dates as texts."""

from typing import Any

import yaml

_WITHOUT_PREFIX = ("Ref", "Condition")


class Loader(yaml.SafeLoader):
    """A SafeLoader whose mappings are what a JSON object can be."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str) and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {key.value} is no text: put it in quotes", key.start_mark
                )
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _construct_intrinsic(loader: Loader, function: str, node: Any) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if function == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {function if function in _WITHOUT_PREFIX else f"Fn::{function}": value}


Loader.add_multi_constructor("!", _construct_intrinsic)
