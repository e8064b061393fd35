"""A week of measurements: quantiles, the daily pattern and outliers."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data" / "week.csv"


def analyse(request: dict) -> dict:
    column = request.get("column", "latency_ms")
    table = np.genfromtxt(DATA, delimiter=",", names=True)
    values, hours = table[column], table["hour"].astype(int)
    print(f"{column}: {values.size} hours, numpy {np.__version__}", flush=True)

    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    by_hour = np.array([np.median(values[hours % 24 == hour]) for hour in range(24)])
    # The modified z-score: robust, because neither median nor MAD follows the outliers.
    deviation = np.abs(values - np.median(values))
    score = 0.6745 * deviation / np.median(deviation)
    outliers = hours[score > 6]
    for hour in outliers:
        print(f"outlier at hour {hour}: {values[hour]:.1f} (score {score[hour]:.1f})", flush=True)
    return {
        "column": column,
        "mean": round(float(values.mean()), 3),
        "p50": round(float(p50), 3),
        "p95": round(float(p95), 3),
        "p99": round(float(p99), 3),
        "busiest_hour_of_day": int(by_hour.argmax()),
        "outliers_at_hours": outliers.tolist(),
    }
