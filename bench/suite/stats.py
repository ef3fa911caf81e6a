# SPDX-License-Identifier: BSD-3-Clause
"""What bench/compare calculates with: tests by exchange of labels, and Holm's correction.

DOC: theory of operation

The question is whether a build got slower. A value is one run's median in one bin. If nothing
changed, it does not matter which of two builds a value came from: so labels are exchanged at
random, inside of a bin (two reports) or inside of a pair (two builds measured in turns), and it is
counted how often chance alone makes a difference as large as the one seen. Nothing is assumed about
the distribution, and bins never mix. Of pairs the ranks of the differences are exchanged, not the
differences: a host that moves a processor in the middle of a run makes a few of them several times
as large as the rest. The estimate is their centre (paired_estimate()), of two reports the weighted
mean over bins of the difference of mean logarithms; either reads as a ratio.

One comparison makes several tests. Holm's procedure bounds the probability of a single false alarm
among them by ALPHA, which makes two false alarms in ten comparisons of a build with itself a matter
of 2 in 100. A change smaller than the effect is not reported however sure it is: alignment of code
alone makes as much, and between two reports hours may lie, in which the machine changes too, which
no test by exchange can see; hence the larger threshold there.
"""

import itertools
import math
import random
import statistics

ALPHA = 0.02
EFFECT_PAIRED = 0.04
EFFECT_REPORTS = 0.08
EXCHANGES = 10000
RUNS_MIN = 5


def logs(values):
    """Logarithms of the positive ones."""
    return [math.log(value) for value in values if value and value > 0]


def paired_estimate(differences):
    """Centre of log(new / old) over all pairs: the median of the means of any two of them, each
    with itself too. A pair in which the host disturbed one side hardly moves it."""
    return statistics.median((a + b) / 2 for a, b in
                             itertools.combinations_with_replacement(differences, 2))


def signed_ranks(differences):
    """Ranks by size, from 1, with the signs of the differences; equal sizes share a mean rank."""
    sizes = sorted(abs(d) for d in differences)
    first = {size: n for n, size in reversed(list(enumerate(sizes, 1)))}
    last = {size: n for n, size in enumerate(sizes, 1)}
    return [math.copysign((first[abs(d)] + last[abs(d)]) / 2, d) if d else 0.0
            for d in differences]


def paired_test(differences, seed=1, exchanges=EXCHANGES):
    """Probability that signs given at random make a sum of ranks as far from 0; exact up to
    2^12."""
    differences = signed_ranks(differences)
    count, seen = len(differences), abs(sum(differences))
    sure = seen - 1e-12
    if 2 ** count <= exchanges:
        signs = ([1 if pattern >> n & 1 else -1 for n in range(count)]
                 for pattern in range(2 ** count))
        hits = sum(abs(sum(s * d for s, d in zip(row, differences))) >= sure for row in signs)
        return hits / 2 ** count
    rng = random.Random(seed)
    hits = sum(abs(sum(d if rng.random() < 0.5 else -d for d in differences)) >= sure
               for _ in range(exchanges))
    return (hits + 1) / (exchanges + 1)


def strata_estimate(strata):
    """Weighted mean over bins of log(new / old); strata is [(old logs, new logs)]."""
    weight = total = 0.0
    for old, new in strata:
        w = len(old) * len(new) / (len(old) + len(new))
        total += w * (statistics.fmean(new) - statistics.fmean(old))
        weight += w
    return total / weight


def strata_test(strata, seed=1, exchanges=EXCHANGES):
    """Probability that labels given at random inside of each bin make an estimate as large."""
    rng, seen = random.Random(seed), abs(strata_estimate(strata)) - 1e-12
    pools = [(old + new, len(old)) for old, new in strata]
    hits = 0
    for _ in range(exchanges):
        mixed = []
        for pool, cut in pools:
            rng.shuffle(pool)
            mixed.append((pool[:cut], pool[cut:]))
        hits += abs(strata_estimate(mixed)) >= seen
    return (hits + 1) / (exchanges + 1)


def holm(chances, alpha=ALPHA):
    """{name: whether it is significant}, of {name: probability}."""
    passed, result = True, {}
    for n, name in enumerate(sorted(chances, key=chances.get)):
        passed = passed and chances[name] <= alpha / (len(chances) - n)
        result[name] = passed
    return result


def call(estimate, significant, effect, better):
    """What a change is: "faster", "slower" or "no change seen"; the metric decides which way."""
    if not significant or abs(math.expm1(estimate)) < effect:
        return "no change seen"
    return "faster" if (estimate > 0) == (better == "higher") else "slower"
