#!/bin/sh
# Installs Headrace from this folder alone: no network, and of Debian only python3. It may be run again.
#   sh install.sh              into /opt/headrace-VERSION, with /opt/headrace leading there
#   PREFIX=/srv sh install.sh  below another folder
# An upgrade is the next bundle's install.sh and `systemctl restart headrace`; the way back is the link:
#   ln -sfn headrace-OLDER /opt/headrace && systemctl restart headrace
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/opt}
python=${PYTHON:-python3}
name=headrace-$(cat "$here/VERSION")

# Its home is hidden from the service (ProtectHome): systemd would say 203/EXEC and no more.
case $(readlink -f "$(command -v "$python")") in
    /root/* | /home/*)
        echo "install.sh: $python is below a home, which the service cannot see. PYTHON=/usr/bin/python3 sh install.sh" >&2 ;;
esac
(cd "$here" && sha256sum --quiet --check SHA256SUMS)
# A worker that runs imports some modules late: it must find those of its own version, hence a folder for each.
"$python" -m venv --without-pip "$prefix/$name"
pip=$(echo "$here"/wheels/pip-*.whl)
"$python" "$pip/pip" --python "$prefix/$name/bin/python" install --quiet --no-index --no-cache-dir \
    --disable-pip-version-check --find-links "$here/wheels" --require-hashes -r "$here/requirements.txt"
install -m 0755 "$here/headrace-as-service" "$prefix/$name/bin/"
cp -r "$here/deploy" "$here/SECURITY.md" "$prefix/$name/"
"$prefix/$name/bin/headrace" --version
ln -sfn "$name" "$prefix/headrace.new"
mv -T "$prefix/headrace.new" "$prefix/headrace"
