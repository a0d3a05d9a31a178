#!/bin/sh
# Boots a systemd of its own in namespaces of its own: the files of this machine under a layer that is thrown away, no
# network but loopback, and the product installed in /opt/syncd as docs/operations.md says. Nothing outside changes.
#     boot.sh FOLDER CHECKOUT VENV BASE       FOLDER: an empty one; BASE: where the virtual environment's Python lives
set -eu

if [ "${5:-}" != inside ]; then
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    own=$groups$(sed -n 's/^0:://p' /proc/self/cgroup)
    trial=${own%/}/syncd-trial-$$
    mkdir "$trial"
    echo $$ > "$trial/cgroup.procs"
    echo "$trial" > "$1/cgroup"
    exec unshare --pid --fork --kill-child --mount --ipc --uts --net --cgroup --propagation private \
        sh "$0" "$1" "$2" "$3" "$4" inside
fi

folder=$1 checkout=$2 venv=$3 base=$4 root=$1/root

# ---- the files
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/up" "$folder/work" "$root" "$folder/venv-up" "$folder/venv-work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/up,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for at in run tmp dev var/tmp; do mount -t tmpfs -o mode=755 tmpfs "$root/$at"; done
chmod 1777 "$root/tmp" "$root/var/tmp"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# ---- this machine's own services stay out, but for the journal and the bus
cd "$root"
rm -rf etc/systemd/system/* usr/lib/systemd/system/*.target.wants usr/lib/systemd/system-generators etc/fstab etc/syncd
mkdir -p usr/lib/systemd/system/sockets.target.wants etc/syncd var/lib/private
ln -s ../systemd-journald.socket ../systemd-journald-dev-log.socket usr/lib/systemd/system/sockets.target.wants/
[ ! -e usr/lib/systemd/system/dbus.socket ] || ln -s ../dbus.socket usr/lib/systemd/system/sockets.target.wants/
rm -rf var/log/journal var/lib/syncd* var/lib/private/*

# ---- the product
mkdir -p opt/syncd
mount -t overlay overlay -o "lowerdir=$venv,upperdir=$folder/venv-up,workdir=$folder/venv-work" opt/syncd
cd opt/syncd
packages=$(echo lib/python3*/site-packages)
rm -f "$packages"/_editable_impl_syncd.pth "$packages"/a1_coverage.pth bin/python bin/python3 bin/syncd
cp -r "$checkout/syncd" "$checkout/connectors" "$packages/"
if [ "$base" = /usr ]; then
    home=/usr/bin
else
    mkdir base
    mount --bind "$base" base
    home=/opt/syncd/base/bin
    # A Python that was built elsewhere would look for its library where it was built.
    mkdir -p "$root/etc/systemd/system/service.d"
    printf '[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/syncd/base/lib\n' > "$root/etc/systemd/system/service.d/python.conf"
fi
ln -s "$home/python3" bin/python3
ln -s python3 bin/python
printf 'home = %s\ninclude-system-site-packages = false\n' "$home" > pyvenv.cfg
printf '#!/opt/syncd/bin/python\nfrom syncd.cli import main\nmain()\n' > bin/syncd
install -m 755 "$checkout/systemd/syncd-backup" bin/syncd-backup
chmod 755 bin/syncd
cd "$root"
install -m 755 "$checkout/systemd/syncdctl" usr/local/sbin/syncdctl
cp "$checkout"/systemd/*.service "$checkout"/systemd/*.socket "$checkout"/systemd/*.timer etc/systemd/system/
install -D -m 644 "$checkout/systemd/syncd.sysusers" usr/lib/sysusers.d/syncd.conf
install -D -m 644 "$checkout/systemd/syncd.service.d/broker.conf" usr/share/syncd/broker.conf

# ---- the start
ip link set lo up 2>/dev/null || true
mkdir outside
pivot_root . outside
umount -l /outside
cd /
mount --make-rshared / # as on a real machine; credentials are mounted by a child and have to arrive here
exec env -i container=trial PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/lib/systemd/systemd --unit=basic.target --log-target=console --show-status=no
