"""What a shell offers for values that click does not know: settings, profiles, metrics."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def settings_keys(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer every key with its default; behind ``KEY=`` all values of a key that has few."""
    from soxsdark.settings_model import keys

    return _keys(keys(), incomplete)


def sweep_keys(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the keys that can be swept."""
    from soxsdark.tune_sweep import STAGES

    return _keys(STAGES, incomplete)


def profiles(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the profiles that come with the program, and files."""
    from soxsdark.instruments import profile_names

    # bash forgets what it was offered before the file
    named = [name for name in profile_names() if name.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file"), *map(CompletionItem, named)]


def metrics(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the metrics, as the settings spell them."""
    from soxsdark.metric_names import METRICS

    return [CompletionItem(name) for name in METRICS if name.startswith(incomplete)]


def _keys(offered: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from soxsdark.settings_model import schemas
    from soxsdark.settings_text import allowed, choices

    behind = "=" in incomplete
    return [
        CompletionItem(text, help=allowed(schemas()[key]))
        for key in offered
        for value in choices(schemas()[key])[: None if behind else 1]
        if (text := f"{key}={value}").startswith(incomplete)
    ]
