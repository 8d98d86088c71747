"""What is raced on what."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench import other_peers, python_peers
from bench.peer import Peer
from bench.race import Entry, Race
from bench.sets import DarkSet
from soxsdark.parallel import processors

PEERS = (*python_peers.PEERS, *other_peers.PEERS)


@dataclass(frozen=True)
class Sizes:
    """How large the sets are; shapes of None are whole detectors."""

    shape: tuple[int, int] | None = None
    vis_shape: tuple[int, int] | None = None
    nir_label: str = "2048²"
    vis_label: str = "4096×908"
    deep: int = 25
    """Frames of the second set."""
    frames: tuple[int, ...] = (5, 10, 25, 50, 100)
    sides: tuple[int, ...] = (512, 1024, 2048, 4096)


FULL = Sizes()
QUICK = Sizes(
    shape=(512, 512),
    vis_shape=(512, 256),
    nir_label="512²",
    vis_label="512×256",
    deep=10,
    frames=(5, 10, 25),
    sides=(256, 512),
)


def _duel(key: str, title: str, peers: Iterable[Peer], dark_set: DarkSet) -> Race:
    return Race(key, title, tuple(Entry(peer.title, peer, dark_set) for peer in peers))


def _scaling(key: str, title: str, sets: dict[str, DarkSet]) -> Race:
    peer = python_peers.default()
    return Race(key, title, tuple(Entry(label, peer, dark_set) for label, dark_set in sets.items()))


def _by_threads(title: str, dark_set: DarkSet) -> Race:
    most = processors()
    counts = [*(2**i for i in range(most.bit_length()) if 2**i < most), most]
    peers = (python_peers.soxsdark("", f"{n}", settings=(f"threads={n}",)) for n in counts)
    return _duel("threads", title, peers, dark_set)


def races(sizes: Sizes, peers: Iterable[Peer]) -> list[Race]:
    """List the tables, in order.

    Parameters
    ----------
    sizes : Sizes
        How large the sets are.
    peers : iterable of Peer
        Who meets on the sets of the main tables.
    """
    label = sizes.nir_label
    nir = {n: DarkSet("NIR", n, sizes.shape) for n in (5, sizes.deep, *sizes.frames)}
    vis = DarkSet("VIS", 11, sizes.vis_shape)
    squares = {f"{side}²": DarkSet("NIR", 5, (side, side)) for side in sizes.sides}
    deep, deepest = sizes.deep, max(sizes.frames)
    return [
        _duel("n5", f"NIR 5×{label}", peers, nir[5]),
        _duel("n25", f"NIR {deep}×{label}", peers, nir[deep]),
        _duel("v11", f"VIS 11×{sizes.vis_label}", peers, vis),
        _duel("n100", f"NIR {deepest}×{label}", [python_peers.default()], nir[deepest]),
        _scaling("frames", f"frames of {label}", {f"{n}": nir[n] for n in sizes.frames}),
        _scaling("size", "5 frames of", squares),
        _by_threads(f"threads, NIR {deep}×{label}", nir[deep]),
    ]
