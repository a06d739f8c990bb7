#!/bin/sh
# Installs the system packages that the tests need, or says which command does it and fails.
set -eu

# A browser, the same without windows, letters and pictures for them, and what makes PDF.
needed="chromium chromium-headless-shell fonts-noto-cjk fonts-noto-color-emoji libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"

if ! command -v dpkg-query >/dev/null; then
    command -v chromium >/dev/null && exit 0
    echo "Install what Debian calls: $needed" >&2
    exit 1
fi

missing=""
for package in $needed; do
    state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get update && apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    printf 'The tests need more system packages. Run:\n\n    sudo sh -c "%s"\n\n' "$install" >&2
    exit 1
fi
echo "Installing$missing"
DEBIAN_FRONTEND=noninteractive sh -c "$install"
