#!/usr/bin/env bash
# report.sh RESULTS   prints coverage by assembly, the requirement rows that tests claim, and the closing line with the counts.
set -euo pipefail
results=$1

echo
echo "Coverage (lines; the best of the test projects for each assembly):"
find "$results" -name coverage.cobertura.xml -exec grep -ho '<package name="[^"]*" line-rate="[^"]*"' {} + |
  sed 's/.*name="\([^"]*\)" line-rate="\([^"]*\)"/\1 \2/' |
  awk '$1 !~ /Tests|Browser/ && $2 > best[$1] { best[$1] = $2 } END { for (p in best) printf "  %-20s %5.1f %%\n", p, 100 * best[p] }' | sort

echo "Requirement rows claimed by tests:"
grep -rhoE '"Requirement", "[A-Z][0-9]+"' tests --include='*.cs' | grep -oE '[A-Z][0-9]+' | sort -V | uniq -c | awk '{ printf "  %s (%d)", $2, $1 } END { print "" }'

echo "The S3 server in these tests is Ceph RGW; in the image's, it is a stand-in with MinIO's command line (tests/image/object-store-stand-in). MinIO itself was not run."

# What failed is said again, last: whoever reads only the end of a long run has to find it there.
for log in "$results"/*.log; do
  sed -n '/^ *Failed [A-Z]/,/^ *Stack Trace:/p' "$log" | cut -c1-500 | head -120
done
grep -ahE '^ *(Skipped|! ) ' "$results"/*.log || true
cat "$results"/*.log | awk '
  /^ *Passed: +[0-9]+/  { passed += $2 }
  /^ *Failed: +[0-9]+/  { failed += $2 }
  /^ *Skipped: +[0-9]+/ { skipped += $2 }
  END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }'
