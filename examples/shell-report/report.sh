#!/bin/sh
# Any language will do: the input is JSON in AGENT_INPUT, the result is JSON in the file that AO_OUTPUT names.
set -eu

min_status=$(printf '%s' "$AGENT_INPUT" | sed -n 's/.*"min_status"[^0-9]*\([0-9]*\).*/\1/p')
echo "run $AO_RUN_ID, attempt $AO_ATTEMPT: statuses from ${min_status:-400}"

awk -v min="${min_status:-400}" '
  { total++; bytes += $10; if ($9 >= min) { bad++; paths[$7]++ } }
  END {
    printf "%d requests, %d of them %s or above\n", total, bad, min > "/dev/stderr"
    printf "{\"requests\": %d, \"bytes\": %d, \"bad\": %d, \"paths\": {", total, bytes, bad
    comma = ""
    for (path in paths) { printf "%s\"%s\": %d", comma, path, paths[path]; comma = ", " }
    print "}}"
  }' data/access.log > "$AO_OUTPUT"
