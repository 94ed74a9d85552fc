"""The distances and tests of src/domain/drift next to scipy's."""

import json
import subprocess

import numpy
import pytest
import scipy.linalg
import scipy.special
import scipy.spatial.distance
import scipy.stats

from program import BIN

TOLERANCE = 1e-6


def ours(what: str, a, b=()) -> str:
    lines = "\n".join(" ".join(repr(float(x)) for x in row) for row in (a, b))
    return subprocess.run([str(BIN / "backstay-drift-statistics"), what], input=lines + "\n", text=True, check=True,
                          capture_output=True).stdout


def samples(seed: int):
    random = numpy.random.default_rng(seed)
    n, m = random.integers(2, 400, 2)
    a, b = random.normal(0, 1, n), random.normal(random.uniform(0, 1), random.uniform(0.5, 2), m)
    # Some with ties.
    return (numpy.round(a, 1), numpy.round(b, 1)) if seed % 3 == 0 else (a, b)


@pytest.mark.parametrize("seed", range(40))
def test_samples_agree(seed):
    a, b = samples(seed)
    got = json.loads(ours("samples", a, b))
    theirs = scipy.stats.ks_2samp(a, b, method="exact")
    assert got["ks"] == pytest.approx(theirs.statistic, abs=TOLERANCE)
    assert got["wasserstein"] == pytest.approx(scipy.stats.wasserstein_distance(a, b), abs=TOLERANCE)
    assert got["ks_p"] == pytest.approx(theirs.pvalue, abs=TOLERANCE)


@pytest.mark.parametrize("seed", range(40))
def test_counts_agree(seed):
    random = numpy.random.default_rng(seed)
    bins = random.integers(2, 40)
    a, b = random.integers(1, 500, bins), random.integers(1, 500, bins)
    got = json.loads(ours("counts", a, b))
    chi2 = scipy.stats.chi2_contingency([a, b], correction=False)
    assert got["chi2"] == pytest.approx(chi2.statistic, rel=TOLERANCE)
    assert got["chi2_p"] == pytest.approx(chi2.pvalue, abs=TOLERANCE)
    fit = scipy.stats.chisquare(a, b / b.sum() * a.sum())
    assert got["fit"] == pytest.approx(fit.statistic, rel=TOLERANCE)
    assert got["fit_p"] == pytest.approx(fit.pvalue, abs=TOLERANCE)
    assert got["js"] == pytest.approx(scipy.spatial.distance.jensenshannon(a, b), abs=TOLERANCE)
    p, q = a / a.sum(), b / b.sum()
    psi = float(((p - q) * numpy.log(p / q)).sum())
    assert got["psi"] == pytest.approx(psi, abs=TOLERANCE)
    # PSI is calibrated with shares of at least 1e-4, which these are.
    tail = scipy.stats.chi2.sf(psi / (1 / a.sum() + 1 / b.sum()), bins - 1)
    assert got["psi_p"] == pytest.approx(tail, abs=TOLERANCE)


def test_kolmogorovs_limit_agrees():
    x = numpy.linspace(0.01, 4, 400)
    got = numpy.array(ours("kolmogorov", x).split(), float)
    assert numpy.abs(got - scipy.special.kolmogorov(x)).max() < 1e-12


def test_adjusted_p_values_agree():
    p = numpy.random.default_rng(1).uniform(0, 1, 50) ** 3
    got = numpy.array(ours("benjamini_hochberg", p).split(), float)
    assert numpy.abs(got - scipy.stats.false_discovery_control(p)).max() < 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_correlations_agree(seed):
    random = numpy.random.default_rng(seed)
    n = int(random.integers(3, 700))
    # Far from zero, where sums of squares would lose their digits.
    x = random.normal(10.0 ** random.integers(0, 9), 1, n)
    y = random.uniform(-1, 1) * (x - x.mean()) + random.normal(-1e6, 1, n)
    if seed % 2 == 1:
        x[random.uniform(size=n) < 0.2] = numpy.nan
        y[random.uniform(size=n) < 0.2] = numpy.nan
    both = ~(numpy.isnan(x) | numpy.isnan(y))
    got = json.loads(ours("pair", x, y))
    assert got["rows"] == both.sum()
    if got["rows"] > 2:
        assert got["correlation"] == pytest.approx(scipy.stats.pearsonr(x[both], y[both]).statistic, abs=TOLERANCE)
    blocks = [(x[i:i + 64][both[i:i + 64]], y[i:i + 64][both[i:i + 64]]) for i in range(0, n, 64)]
    blocks = [(numpy.arctanh(numpy.corrcoef(a, b)[0, 1]), len(a) - 3) for a, b in blocks if len(a) >= 32]
    assert got["blocks"] == len(blocks)
    if blocks:
        z, weight = numpy.array(blocks).T
        mean = numpy.average(z, weights=weight)
        assert got["mean_z"] == pytest.approx(mean, abs=TOLERANCE)
        assert got["spread"] == pytest.approx((weight * (z - mean) ** 2).sum(), abs=TOLERANCE)


@pytest.mark.parametrize("seed", range(20))
def test_the_test_of_two_correlations_agrees(seed):
    random = numpy.random.default_rng(seed)
    (r, s), (n, m) = random.uniform(-1, 1, 2), random.integers(10, 5_000, 2)
    got = json.loads(ours("correlations", [r, n], [s, m]))
    z = (numpy.arctanh(s) - numpy.arctanh(r)) / numpy.sqrt(1 / (n - 3) + 1 / (m - 3))
    assert got["z"] == pytest.approx(z, abs=TOLERANCE)
    assert got["p"] == pytest.approx(2 * scipy.stats.norm.sf(abs(z)), abs=TOLERANCE)


def mmd_of(points: numpy.ndarray, n: int, bandwidth: float) -> float:
    """The unbiased estimate, term by term."""
    kernel = numpy.exp(-scipy.spatial.distance.cdist(points, points, "sqeuclidean") / (2 * bandwidth**2))
    numpy.fill_diagonal(kernel, 0)
    m = len(points) - n
    return kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1)) - 2 * kernel[:n, n:].mean()


@pytest.mark.parametrize("seed", range(20))
def test_vectors_agree(seed):
    random = numpy.random.default_rng(seed)
    n, m = random.integers(20, 257, 2)
    mixing = random.normal(size=(16, 16))
    a, b = random.normal(size=(n, 16)) @ mixing, (random.normal(size=(m, 16)) * random.uniform(0.7, 1.4) + random.uniform(0, 0.3)) @ mixing
    got = json.loads(ours("vectors", a.ravel(), b.ravel()))
    both = numpy.concatenate([a, b])
    distances = numpy.sort(scipy.spatial.distance.pdist(both))
    assert got["bandwidth"] == pytest.approx(distances[len(distances) // 2], rel=TOLERANCE)
    assert got["mmd"] == pytest.approx(mmd_of(both, n, got["bandwidth"]), abs=TOLERANCE)
    s, t = numpy.cov(a.T), numpy.cov(b.T)
    frechet = ((a.mean(0) - b.mean(0)) ** 2).sum() + numpy.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
    assert got["frechet"] == pytest.approx(frechet**0.5, rel=TOLERANCE)
    pooled = ((n - 1) * s + (m - 1) * t) / (n + m - 2)
    apart = b.mean(0) - a.mean(0)
    t2 = n * m / (n + m) * apart @ numpy.linalg.solve(pooled, apart)
    assert got["t2"] == pytest.approx(t2, rel=TOLERANCE)
    f = t2 * (n + m - 17) / (16 * (n + m - 2))
    assert got["t2_p"] == pytest.approx(scipy.stats.f.sf(f, 16, n + m - 17), abs=TOLERANCE)


@pytest.mark.parametrize("seed", range(4))
def test_the_chance_of_an_mmd_is_that_of_all_ways_to_share_out_the_points(seed):
    random = numpy.random.default_rng(seed)
    n = m = 10
    points = numpy.zeros((n + m, 16))
    points[:, :2 + seed] = random.standard_t(4, size=(n + m, 2 + seed))
    points[n:, 0] += seed / 2
    got = json.loads(ours("vectors", points[:n].ravel(), points[n:].ravel()))
    kernel = numpy.exp(-scipy.spatial.distance.cdist(points, points, "sqeuclidean") / (2 * got["bandwidth"] ** 2))
    numpy.fill_diagonal(kernel, 0)
    chosen = numpy.array([[(k >> i) & 1 for i in range(n + m)] for k in range(1 << (n + m)) if bin(k).count("1") == n], float)
    within = ((chosen @ kernel) * chosen).sum(1)
    others = 1 - chosen
    without = ((others @ kernel) * others).sum(1)
    between = ((chosen @ kernel) * others).sum(1)
    all_mmd = within / (n * (n - 1)) + without / (m * (m - 1)) - 2 * between / (n * m)
    assert all_mmd.mean() == pytest.approx(0, abs=1e-9)
    assert got["skewness"] == pytest.approx(scipy.stats.skew(all_mmd), abs=TOLERANCE)
    assert got["mmd_p"] == pytest.approx(scipy.stats.pearson3.sf(got["mmd"] / all_mmd.std(), got["skewness"]), abs=TOLERANCE)
    assert got["mmd_p"] == pytest.approx((all_mmd >= got["mmd"] - 1e-12).mean(), abs=0.02)


def signs(count: int) -> numpy.ndarray:
    """SplitMix64 of the projection's seed and a coordinate's place, as docs/drift.md says: its highest bit is the sign."""
    mask = (1 << 64) - 1
    out = []
    for i in range(count):
        x = (0x6261636B73746179 + i + 0x9E3779B97F4A7C15) & mask
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        out.append(1 if (x ^ (x >> 31)) >> 63 else -1)
    return numpy.array(out)


@pytest.mark.parametrize("dimension", [1, 16, 17, 768, 1000])
def test_the_projection_is_the_one_that_profiles_name(dimension):
    vector = numpy.random.default_rng(dimension).normal(size=dimension)
    signed = numpy.zeros(-(-dimension // 16) * 16)
    signed[:dimension] = vector * signs(dimension)
    got = numpy.array(ours("project", vector).split(), float)
    assert numpy.abs(got - signed.reshape(-1, 16).sum(0)).max() < 1e-12
