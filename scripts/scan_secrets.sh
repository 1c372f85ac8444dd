#!/usr/bin/env bash
# Scans the git history and the files that git does or would track, with the rules in gitleaks.toml.
# Usage: scan_secrets.sh GITLEAKS
set -euo pipefail

gitleaks=$(realpath "$1")
config=$(realpath "$(dirname "${BASH_SOURCE[0]}")/gitleaks.toml")
options=(--no-banner --redact --verbose --config "$config")
[ -t 1 ] || options+=(--no-color)

if git rev-parse --quiet --verify HEAD >/dev/null; then
  "$gitleaks" git "${options[@]}" .
else
  echo 'No commit yet: only the files are scanned.'
fi

# A copy of just these files keeps the scan out of .venv, .local and whatever else git ignores.
snapshot=$(mktemp -d)
trap 'rm -rf "$snapshot"' EXIT
git ls-files -z --cached --others --exclude-standard --deduplicate \
  | while IFS= read -r -d '' file; do
      [ ! -f "$file" ] || printf '%s\0' "$file"
    done \
  | xargs -0 --no-run-if-empty cp --parents --target-directory "$snapshot"
cd "$snapshot"
"$gitleaks" dir "${options[@]}" .
