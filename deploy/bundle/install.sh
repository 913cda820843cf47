#!/bin/sh
# Installs Headrace from this folder alone: no network, and of Debian only python3. It may be run again at any time.
#   sh install.sh              into /opt/headrace-VERSION, with /opt/headrace leading there
#   PREFIX=/srv sh install.sh  below another folder
#   PYTHON=... sh install.sh   with this Python instead of the system's own
# An upgrade is the next bundle's install.sh and `systemctl restart headrace`; the way back is the link:
#   ln -sfn headrace-OLDER /opt/headrace && systemctl restart headrace
set -eu
umask 022 # the service has a user of its own, who must be able to read what root installs
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/opt}
name=headrace-$(cat "$here/VERSION")
pythons=$(cat "$here/PYTHONS")

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

# Says why a Python will not do, or prints where it really is. Homes are hidden from the service (ProtectHome), and all
# that systemd would say is 203/EXEC.
judge='
import os, sys
version = "%d.%d" % sys.version_info[:2]
real = os.path.realpath(sys.executable)
if version not in sys.argv[1:]:
    sys.exit("is Python %s, and this bundle is for %s" % (version, " and ".join(sys.argv[1:])))
if any(os.path.realpath(each).startswith(("/root/", "/home/", "/run/user/")) for each in (real, sys.base_prefix)):
    sys.exit("is below a home (%s), which the service cannot see" % real)
try:
    import ssl, venv
except ImportError as missing:
    sys.exit("lacks a part (%s): apt-get install python3" % missing)
print(real)
'
# shellcheck disable=SC2086 # a list of versions
suits() { "$1" -I -c "$judge" $pythons; }

python=
if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || fail "no $PYTHON here"
    why=$(suits "$PYTHON" 2>&1) || fail "$PYTHON $why. Leave PYTHON out: the system's own is then looked for"
    python=$why
else
    # Not the first of PATH: that may be a version manager's, in a home.
    for folder in /usr/bin /usr/local/bin; do
        for version in "" $pythons; do
            [ -z "$python" ] && [ -x "$folder/python3${version#3}" ] || continue
            python=$(suits "$folder/python3${version#3}" 2>/dev/null) || python=
        done
    done
    [ -n "$python" ] || fail "no Python of the system's own that this bundle is for ($pythons): apt-get install python3"
fi
mkdir -p "$prefix" 2>/dev/null && [ -w "$prefix" ] || fail "cannot write to $prefix: run it as root, or with PREFIX=..."
(cd "$here" && sha256sum --quiet --check SHA256SUMS) || fail "this bundle is damaged or changed: unpack it anew"

# A worker that runs imports some modules late and must find those of its own version: a folder is never changed once it
# is whole, or in use. What is there already is taken if it is of this very bundle and Python; what a broken run left
# behind is removed; another build of this version gets a folder beside it.
mark="$(sha256sum <"$here/SHA256SUMS" | cut -d' ' -f1) $python"
current=$(readlink "$prefix/headrace" 2>/dev/null || true)
number=0
home=$name
until [ "$(cat "$prefix/$home/.installed" 2>/dev/null)" = "$mark" ]; do
    if [ -e "$prefix/$home" ] && [ ! -e "$prefix/$home/.installed" ] && [ "$home" != "$current" ]; then
        rm -rf "${prefix:?}/$home"
    fi
    [ -e "$prefix/$home" ] || break
    number=$((number + 1))
    home=$name.$number
done

if [ ! -e "$prefix/$home" ]; then
    "$python" -m venv --without-pip "$prefix/$home"
    pip=$(echo "$here"/wheels/pip-*.whl)
    "$python" "$pip/pip" --python "$prefix/$home/bin/python" install --quiet --no-index --no-cache-dir \
        --disable-pip-version-check --find-links "$here/wheels" --require-hashes -r "$here/requirements.txt"
    install -m 0755 "$here/headrace-as-service" "$prefix/$home/bin/"
    cp -R "$here/pages/." "$prefix/$home/"
    echo "$mark" >"$prefix/$home/.installed"
fi
"$prefix/$home/bin/headrace" --version
ln -sfn "$home" "$prefix/headrace.new"
mv -T "$prefix/headrace.new" "$prefix/headrace"
