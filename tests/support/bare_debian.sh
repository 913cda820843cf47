#!/usr/bin/env bash
# Proves on a Debian that has Python, make and apt alone that `make setup` brings all else: `make bare-debian`.
#   SUITE=trixie make bare-debian     another Debian than this machine's
#   BARE=FOLDER make bare-debian      keep the chroot there, and go on with it the next time
#   TESTS="..." make bare-debian      other tests than these, or options of pytest
# The chroot reaches the registries as this machine does: its apt sources, certificates and client settings are copied.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
tests=${TESTS:-tests/test_services.py tests/pipeline/lorawan/test_lora_packet.py tests/deploy/test_systemd.py
    tests/deploy/test_helm.py tests/integration/test_example.py}

fail() {
    echo "bare-debian: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "a chroot needs root: sudo make bare-debian"
for command in debootstrap unshare chroot apt-get git; do
    command -v "$command" >/dev/null || fail "no $command here (Debian: apt-get install debootstrap util-linux git)"
done
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
suite=${SUITE:-$own}
site=$(apt-get indextargets --format '$(CREATED_BY) $(CODENAME) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
    awk '$3 == "main" && $2 !~ /-/ { print $4; exit }')
[ -n "$site" ] || fail "apt knows no Debian archive: is this Debian, and has \`apt-get update\` run?"

root=${BARE:-$(mktemp --directory --tmpdir bare-debian.XXXXXX)}
[ -n "${BARE:-}" ] || trap 'rm -rf --one-file-system "$root"' EXIT
if [ ! -e "$root/etc/debian_version" ]; then
    echo "installing Debian $suite into $root"
    debootstrap --variant=minbase --include=python3,python3-venv,make,ca-certificates "$suite" "$root" "$site" \
        >"$root.log" 2>&1 || fail "debootstrap failed; the end of $root.log: $(tail -n 1 "$root.log")"
    rm -f "$root.log"
fi

# How this machine reaches its registries; what it has installed stays outside.
copy() {
    for path in "$@"; do
        [ ! -e "$path" ] || { mkdir -p "$root$(dirname "$path")" && cp -rL "$path" "$root$(dirname "$path")/"; }
    done
}
copy /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/apt/auth.conf.d /usr/local/share/ca-certificates
copy ~/.config/pip ~/.config/go/env ~/.npmrc ~/.m2/settings.xml
if [ "$suite" = "$own" ]; then
    rm -f "$root/etc/apt/sources.list"
    for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ ! -e "$sources" ] || ! grep -qF "$site" "$sources" || copy "$sources"
    done
fi
known='^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|PIP_INDEX_URL|GOPROXY|GOSUMDB|npm_config_registry)='
mapfile -t reach < <(env | grep -E "$known" || true)

mkdir -p "$root/headrace" "$root/shared"
(cd "$here" && git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=-) |
    tar --extract --directory "$root/headrace"
shared=${HEADRACE_SHARED:-$here/../shared/data}
[ ! -d "$shared" ] || cp -r "$shared" "$root/shared/"

# A mount and process namespace of its own: whatever happens, nothing stays mounted and nothing goes on running.
unshare --mount --pid --fork --kill-child bash -euc '
    root=$1; shift
    mount --bind "$root" "$root" # so that the chroot has a / among its mounts
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t sysfs sysfs "$root/sys"
    exec chroot "$root" env -i "$@" PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true bash -euc "
        for absent in java mvn node npm go helm mosquitto prometheus gcc; do
            ! command -v \$absent || { echo \"bare-debian: \$absent is here already\" >&2; exit 1; }
        done
        update-ca-certificates >/dev/null 2>&1
        cd /headrace
        nice make setup
        nice .venv/bin/pytest -q -x \$TESTS
    "
' - "$root" "${reach[@]}" TESTS="$(echo $tests)"
echo "bare-debian: Debian $suite with Python, make and apt alone ran these: $(echo $tests)"
