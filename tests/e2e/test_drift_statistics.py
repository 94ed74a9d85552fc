"""The distances and tests of src/domain/drift next to scipy's."""

import json
import subprocess

import numpy
import pytest
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
