"""Tables of every type that Parquet and Arrow files have, and what Backstay must read in them."""

import datetime
import decimal
import math
import random
import uuid

import pyarrow as pa

Decimal = decimal.Decimal
decimal.getcontext().prec = 100
WORDS = ["", "a", "élan", "line\nbreak", 'quote "x"', "x" * 300, "tab\t", "日本語"]
UTC = datetime.timezone.utc


def with_nulls(values: list, share: float, rng: random.Random) -> list:
    return [None if rng.random() < share else value for value in values]


def columns_of(rows: int, nulls: float, seed: int) -> dict[str, pa.Array]:
    """A column per type; values spread over each type's range, and its extremes."""
    rng = random.Random(seed)

    def of(kind, make):
        return pa.array(with_nulls([make() for _ in range(rows)], nulls, rng), kind)

    def whole(bits, signed=True):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return lambda: rng.choice([low, high, 0, 1, rng.randint(low, high), rng.randint(max(low, -50), 50)])

    def digits(precision, scale):
        return lambda: Decimal(rng.randint(1 - 10**precision, 10**precision - 1)).scaleb(-scale)

    def instant(zone=None):
        span = 10**6 * 86400 * 30000  # Some 80 years around 1970.
        return lambda: (datetime.datetime(1970, 1, 1, tzinfo=zone) + datetime.timedelta(
            microseconds=rng.choice([0, 10**6, rng.randint(-span, span)])))

    def seconds(make, milli=False):
        return lambda: (lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000 if milli else 0))(make())

    def clock():
        return (datetime.datetime.min + datetime.timedelta(microseconds=rng.randrange(86400 * 10**6))).time()

    out = {
        "bool": of(pa.bool_(), lambda: rng.random() < 0.5),
        "float": of(pa.float32(), lambda: rng.choice([0.0, -1.5, 3.4e38, 1e-40, rng.gauss(0, 1e3)])),
        "double": of(pa.float64(), lambda: rng.choice([0.1, -0.0, 1e16, 1e22, 5e-324, math.inf, rng.gauss(0, 1)])),
        "nan": of(pa.float64(), lambda: rng.choice([math.nan, -math.inf, 2.0])),
        "half": of(pa.float16(), lambda: rng.choice([0.5, -65504.0, 6e-8, rng.gauss(0, 1)])),
        "string": of(pa.string(), lambda: rng.choice(WORDS)),
        "unique": of(pa.string(), lambda: f"row {rng.random()}"),
        "large": of(pa.large_string(), lambda: rng.choice(WORDS)),
        "bytes": of(pa.binary(), lambda: rng.choice([b"\xff\x00", b"text", b"", rng.randbytes(5)])),
        "fixed": of(pa.binary(3), lambda: rng.choice([b"abc", rng.randbytes(3)])),
        "date": of(pa.date32(), lambda: datetime.date(1, 1, 1) + datetime.timedelta(days=rng.randrange(3652058))),
        "time_ms": of(pa.time32("ms"), seconds(clock, milli=True)),
        "time_us": of(pa.time64("us"), clock),
        "at_ms": of(pa.timestamp("ms"), seconds(instant(), milli=True)),
        "at_us": of(pa.timestamp("us"), instant()),
        "at_ns": of(pa.timestamp("ns"), instant()),
        "at_utc": of(pa.timestamp("us", "UTC"), instant(UTC)),
        "at_berlin": of(pa.timestamp("ms", "Europe/Berlin"), seconds(instant(UTC), milli=True)),
        "decimal_5": of(pa.decimal128(5, 2), digits(5, 2)),
        "decimal_18": of(pa.decimal128(18, 0), digits(18, 0)),
        "decimal_38": of(pa.decimal128(38, 10), digits(38, 10)),
        "decimal_76": of(pa.decimal256(76, 38), digits(76, 38)),
        "uuid": of(pa.uuid(), lambda: uuid.UUID(int=rng.getrandbits(128)).bytes),
        "category": of(pa.string(), lambda: rng.choice(WORDS[1:])).dictionary_encode(),
        "null": pa.nulls(rows),
        "one": of(pa.int64(), lambda: 7),
    }
    for bits in (8, 16, 32, 64):
        out[f"int{bits}"] = of(getattr(pa, f"int{bits}")(), whole(bits))
        out[f"uint{bits}"] = of(getattr(pa, f"uint{bits}")(), whole(bits, False))
    return out


def with_seconds(moment, digits: str) -> str:
    return moment + ("" if int(digits) == 0 else "." + (digits[:6] if digits.endswith("000") else digits))


def ticks_text(ticks: int, unit: str, utc: bool) -> str:
    scale = {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    nanoseconds = ticks * 10 ** (9 - scale)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=nanoseconds // 10**9)
    return with_seconds(moment.isoformat(), f"{nanoseconds % 10**9:09}") + ("Z" if utc else "")


def value_of(value, kind):
    """What `table head --json` must print, read with numbers as Decimal; missing is None."""
    if isinstance(value, (bytes, bytearray)):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = "0x" + value.hex()
    if value is None or value == "":
        return None
    if isinstance(value, float):
        return repr(value) if not math.isfinite(value) else Decimal(repr(value))
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def expected(column: pa.ChunkedArray) -> list:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return expected(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        ticks = column.cast(pa.int64()).to_pylist()
        return [None if tick is None else ticks_text(tick, kind.unit, kind.tz is not None) for tick in ticks]
    if pa.types.is_duration(kind):
        return expected(column.cast(pa.int64()))
    if pa.types.is_float16(kind):
        return expected(column.cast(pa.float64()))
    return [value_of(value, kind) for value in column.to_pylist()]
