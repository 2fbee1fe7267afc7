"""Makes ranks.json, the golden values of measurement/judge/ranks.ts, with scipy. Run by hand, in this folder:
   python3 ranks.py > ranks.json    (scipy >= 1.10; seeded: the same numbers every time)

Intervals are found here by inverting scipy's own tests over every candidate shift, not by the formula under test.
"""
import itertools, json
import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(20180426)

def interval(candidates, left, right):
    """Closed range of shifts that neither one-sided exact test rejects at 2.5 %; all candidates where it never rejects."""
    edges = sorted(candidates)
    # Between two neighbouring candidates nothing changes: one point in each gap stands for it.
    points = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
    kept = [i for i, at in enumerate(points) if left(at) > 0.025 and right(at) > 0.025]
    return edges[kept[0]], edges[kept[-1] + 1]

shifts = []
for n, m, by in [(3, 3, 1.0), (4, 4, 0.5), (5, 8, -2.0), (12, 9, 0.0), (20, 20, 0.3), (30, 7, 1.5)]:
    a, b = rng.normal(0, 1, n).round(6), rng.normal(by, 1.4, m).round(6)
    d = [y - x for x in a for y in b]
    less = lambda s: stats.mannwhitneyu(b - s, a, alternative="less", method="exact").pvalue
    more = lambda s: stats.mannwhitneyu(b - s, a, alternative="greater", method="exact").pvalue
    low, high = interval(d, less, more)
    shifts.append({"before": a.tolist(), "after": b.tolist(), "value": float(np.median(d)), "low": low, "high": high})

centres = []
for n, at in [(3, 0.4), (5, 1.0), (6, -1.0), (9, 0.0), (15, 0.7), (25, 0.2)]:
    x = rng.normal(at, 1, n).round(6)
    w = [(x[i] + x[j]) / 2 for i in range(n) for j in range(i, n)]
    less = lambda s: stats.wilcoxon(x - s, alternative="less", method="exact").pvalue
    more = lambda s: stats.wilcoxon(x - s, alternative="greater", method="exact").pvalue
    low, high = interval(w, less, more)
    centres.append({"values": x.tolist(), "value": float(np.median(w)), "low": low, "high": high})

fishers = [
    {"here": [a, n], "there": [b, m],
     "p": float(stats.fisher_exact([[a, n - a], [b, m - b]], alternative="greater").pvalue)}
    for a, n, b, m in [(0, 25, 0, 25), (5, 25, 0, 25), (9, 25, 1, 25), (20, 50, 2, 50), (1, 50, 6, 50), (3, 10, 2, 30), (40, 200, 12, 190), (25, 25, 0, 25)]
]

stouffers = [
    {"ps": ps, "p": float(stats.combine_pvalues(ps, method="stouffer").pvalue)}
    for ps in [[0.5], [0.01, 0.02, 0.03], [0.2, 0.4, 0.9], [1e-6, 0.5, 0.7, 0.01], [1e-12, 1e-9, 1e-30], [0.999, 0.98, 0.9]]
]

print(json.dumps({"scipy": scipy.__version__, "shifts": shifts, "centres": centres, "fishers": fishers, "stouffers": stouffers}, indent=1))
