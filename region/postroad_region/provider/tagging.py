"""Tags: the program's, the provider's default ones, and those that neither manages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

REQUEST_TAG = "postroad:request"
"""On a resource between its creation and the reply: finds what a create made whose reply was lost."""


@dataclass(frozen=True, slots=True)
class TagRules:
    """The provider's tag settings.

    Attributes:
        defaults: tags for every resource that has tags.
        ignored_keys: tags that others manage: neither reported nor removed.
        ignored_prefixes: the same by the beginning of the key.
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    ignored_keys: frozenset[str] = frozenset()
    ignored_prefixes: tuple[str, ...] = ()

    def all(self, tags: Mapping[str, str] | None) -> dict[str, str]:
        """The default tags under the resource's own."""
        return {**self.defaults, **(tags or {})}

    def managed(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Those of a resource's actual tags that the provider answers for."""
        return {
            key: value
            for key, value in sorted(tags.items())
            if not key.startswith(("aws:", *self.ignored_prefixes))
            and key not in self.ignored_keys
            and key != REQUEST_TAG
        }

    def own(self, everything: Mapping[str, str], declared: Mapping[str, str] | None) -> dict[str, str]:
        """A resource's tags without the default ones, unless the program declares the same."""
        return {
            key: value
            for key, value in everything.items()
            if self.defaults.get(key) != value or key in (declared or {})
        }


def from_pairs(pairs: Iterable[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of pairs as a map."""
    return {pair[key]: pair.get(value, "") for pair in pairs or ()}


def to_pairs(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """A map as AWS's list of pairs."""
    return [{key: name, value: text} for name, text in sorted(tags.items())]
