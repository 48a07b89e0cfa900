#!/bin/sh
# What one line of `nsnet isolate --veth` replaces.
set -e
mkfifo "$0.$$" "$0.$$.go"
trap 'rm -f "$0.$$" "$0.$$.go"' EXIT
unshare -nuipm -f --mount-proc sh -c 'echo >"$1"; read _ <"$1.go"; ip link set lo up; ip addr add 10.9.0.2/30 dev i0
    ip link set i0 up; exec ping -qc1 10.9.0.1' sh "$0.$$" &
read -r _ <"$0.$$"
ip link add h0 type veth peer name i0 netns "$(pgrep -P $!)"
ip addr add 10.9.0.1/30 dev h0
ip link set h0 up
echo >"$0.$$.go"
wait $!
ip link del h0 2>/dev/null || :
