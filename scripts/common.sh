# Sourced by the other scripts: starts in the repository's root, and gives them progress lines and build stamps.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Progress goes to stderr: stdout belongs to the command that follows (`npm run quickstart -- --json`).
say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# One hash of the contents and names of all files under the given paths.
content_hash() {
  find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# rebuild STAMP INPUT... -- COMMAND... runs the command, unless STAMP says that it has succeeded on these very inputs.
rebuild() {
  local stamp=$1 inputs=() hash
  shift
  while [ "$1" != -- ]; do
    inputs+=("$1")
    shift
  done
  shift
  hash=$(content_hash "${inputs[@]}")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$hash" ]; then return; fi
  rm -f "$stamp"
  "$@" >&2
  printf '%s\n' "$hash" >"$stamp"
}
