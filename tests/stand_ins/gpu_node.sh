#!/bin/bash
# gpu_node.sh FOLDER COMMAND...: run a command with a GPU's device file in /dev, on a machine without a GPU.
# Needs its own mount namespace (`unshare --mount`), so that no other process sees the file. FOLDER must be empty.
set -eu
real=$1
shift
mount --rbind /dev "$real"
mount -t tmpfs -o mode=755 tmpfs /dev
for name in null zero full random urandom; do
    touch "/dev/$name"
    mount --bind "$real/$name" "/dev/$name"
done
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mkdir -m 1777 /dev/shm
touch /dev/nvidia0
exec "$@"
