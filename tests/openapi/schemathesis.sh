#!/usr/bin/env bash
# Whether the broker answers as schema/openapi.json says, asked by somebody else: schemathesis makes up requests from the
# document, right ones and wrong ones, and looks at every answer. What it installs, in the versions of requirements.txt, goes into
# target/; it needs Python 3.10 or later.
# EXAMPLES is how many requests are made up for each operation, SEED which ones.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=target/tools/schemathesis
if ! cmp -s tests/openapi/requirements.txt "$tools/requirements.txt"; then
  rm -rf "$tools"
  mkdir -p "$tools"
  "$(command -v python3.11 || command -v python3)" -m venv "$tools"
  # The list is complete, so there is nothing to resolve.
  "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps -r tests/openapi/requirements.txt
  cp tests/openapi/requirements.txt "$tools/requirements.txt"
fi

cargo build --locked --quiet --bin broker
place=$(mktemp -d)
target/debug/broker serve --port 0 --control-plane-port 0 --state "$place/state.json" >"$place/audit" 2>"$place/greeting" &
broker=$!
trap 'kill $broker; rm -rf "$place"' EXIT
until grep -q "aws lambda" "$place/greeting"; do
  kill -0 $broker 2>/dev/null || { cat "$place/greeting" >&2; exit 1; }
  sleep 0.1
done
url=$(sed -n 's|^API door *\(http://[^/]*\)/grants.*|\1|p' "$place/greeting")

# An address of this machine never goes through a proxy.
NO_PROXY=127.0.0.1 "$tools/bin/schemathesis" run "$url/openapi.json" --max-examples "${EXAMPLES:-100}" \
  ${SEED:+--seed "$SEED"} --no-color
# Every request has its line, and nothing that was sent has ended the broker.
kill -0 $broker
grep -c '"record":"outcome"' "$place/audit"
