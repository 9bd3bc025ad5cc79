"""A plain method of point events, for tests: samples at which a channel falls below a level."""

from nissl.labels import Kind, Vocabulary
from nissl.live.contract import Claim, check_chunk


class Crossings:
    """Claims of the first sample below a level, the channel as its unit."""

    name, version, weights = "spikes/crossings", "1", ""
    kind, vocabulary, parameters, latency_s = Kind.EVENTS, Vocabulary(("spike",)), {}, 0.0

    def __init__(self, stream, level_uv):
        self.stream, self.level = stream, level_uv
        self.reset(0)

    def reset(self, first_sample):
        self.next, self.below = first_sample, [False] * self.stream.n_channels

    def push(self, chunk, first_sample):
        check_chunk(chunk, self.stream.n_channels, first_sample, self.next)
        self.next += len(chunk)
        claims = []
        for t, row in enumerate(chunk):
            for k, value in enumerate(row):
                if value < self.level and not self.below[k]:
                    at = first_sample + t
                    claims.append(
                        Claim(at, at + 1, "spike", at + 1, k, 0.9, (), k, float(value), (0.0, k))
                    )
                self.below[k] = value < self.level
        return claims
