# Sourced by the other scripts: starts in the repository's root, and gives them progress lines and build stamps.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Progress goes to stderr: stdout belongs to the command that follows (`npm run quickstart -- --json`).
say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

# Runs a command as root, if this user may.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Whether Debian packages can be installed here.
can_install() { command -v apt-get >/dev/null && as_root true 2>/dev/null; }

# apt_install PACKAGE... installs Debian packages.
apt_install() {
  say "Installing $* ..."
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# install_tools PURPOSE PACKAGES COMMAND... installs Debian packages unless all the commands are there, or says what is missing.
install_tools() {
  local purpose=$1 packages=$2 command missing=()
  shift 2
  for command in "$@"; do command -v "$command" >/dev/null || missing+=("$command"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! can_install; then
    fail "Expected $* for $purpose but did not find ${missing[*]}, and may not install them.
On Debian or Ubuntu, run: sudo apt-get install --no-install-recommends $packages
then run scripts/setup again. Elsewhere, see CONTRIBUTING.md."
  fi
  # shellcheck disable=SC2086 -- a list of packages
  apt_install $packages
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
